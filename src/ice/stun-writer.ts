/** Writes STUN messages (RFC 8489) into one buffer that is made once. */

import { type Digests, SHA1_BYTES, SHA256_BYTES } from '../crypto/digests.js';
import { crc32 } from './crc32.js';
import { stunAddressBytes, writeStunAddress } from './stun-address.js';
import {
  ATTRIBUTE_HEADER_BYTES,
  FINGERPRINT,
  MAGIC_COOKIE,
  MESSAGE_INTEGRITY,
  MESSAGE_INTEGRITY_SHA256,
  STUN_HEADER_BYTES,
  TRANSACTION_ID_BYTES,
} from './stun-constants.js';
import { FINGERPRINT_MASK } from './stun-integrity.js';
import { bytesOfText } from './text-bytes.js';

/** A message of ours that carries no payload is shorter than this: user name, realm and nonce have 763 at most each. */
export const STUN_MESSAGE_BYTES = 2_560;

export class StunWriter {
  readonly bytes: Uint8Array;
  /** Bytes written so far; after the last attribute, the message's length. */
  length = 0;
  readonly #digests: Digests;
  readonly #mac = new Uint8Array(SHA256_BYTES);
  readonly #mac1 = this.#mac.subarray(0, SHA1_BYTES);

  constructor(digests: Digests, size = STUN_MESSAGE_BYTES) {
    this.#digests = digests;
    this.bytes = new Uint8Array(size);
  }

  /** Begins a message; the transaction id is 12 bytes of `id` from `at`. */
  begin(messageClass: number, method: number, id: Uint8Array, at: number): void {
    const bytes = this.bytes;
    // RFC 8489 section 5, figure 3: the class's bits lie between those of the method.
    const type =
      (method & 0x000f) |
      ((messageClass & 1) << 4) |
      ((method & 0x0070) << 1) |
      ((messageClass & 2) << 7) |
      ((method & 0x0f80) << 2);
    bytes[0] = type >>> 8;
    bytes[1] = type;
    bytes[4] = MAGIC_COOKIE >>> 24;
    bytes[5] = (MAGIC_COOKIE >>> 16) & 0xff;
    bytes[6] = (MAGIC_COOKIE >>> 8) & 0xff;
    bytes[7] = MAGIC_COOKIE & 0xff;
    for (let i = 0; i < TRANSACTION_ID_BYTES; i++) bytes[8 + i] = id[at + i];
    this.length = STUN_HEADER_BYTES;
    this.#setLength(this.length);
  }

  /** Appends an attribute's header and zeroed padding and returns where its value goes. Throws when it does not fit. */
  reserve(type: number, size: number): number {
    const bytes = this.bytes;
    const value = this.length + ATTRIBUTE_HEADER_BYTES;
    const end = value + ((size + 3) & ~3);
    if (end > bytes.length) throw new RangeError(`a STUN message of ${end} bytes has ${bytes.length}`);
    bytes[this.length] = type >>> 8;
    bytes[this.length + 1] = type;
    bytes[this.length + 2] = size >>> 8;
    bytes[this.length + 3] = size;
    for (let i = value + size; i < end; i++) bytes[i] = 0;
    this.length = end;
    this.#setLength(end);
    return value;
  }

  attribute(type: number, value: Uint8Array): void {
    this.bytes.set(value, this.reserve(type, value.length));
  }

  text(type: number, value: string): void {
    this.attribute(type, bytesOfText(value));
  }

  u32(type: number, value: number): void {
    const at = this.reserve(type, 4);
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  /** RFC 8489 section 14.2; `record[at ..]` is an IPv4 or IPv6 endpoint record. */
  address(type: number, record: Uint8Array, at: number): void {
    writeStunAddress(this.bytes, this.reserve(type, stunAddressBytes(record, at)), 0, record, at);
  }

  /** RFC 8489 section 14.8; the reason phrase is ASCII. */
  error(type: number, code: number, reason: string): void {
    const at = this.reserve(type, 4 + reason.length);
    this.bytes[at] = 0;
    this.bytes[at + 1] = 0;
    this.bytes[at + 2] = Math.floor(code / 100);
    this.bytes[at + 3] = code % 100;
    for (let i = 0; i < reason.length; i++) this.bytes[at + 4 + i] = reason.charCodeAt(i);
  }

  /** RFC 8489 section 14.5: the HMAC covers what stands before it, the length in the header counts it already. */
  integrity(key: Uint8Array): void {
    const covered = this.length;
    const at = this.reserve(MESSAGE_INTEGRITY, SHA1_BYTES);
    this.#digests.hmacSha1(this.#mac1, key, this.bytes, 0, covered);
    this.bytes.set(this.#mac1, at);
  }

  /** RFC 8489 section 14.6, not truncated. */
  integritySha256(key: Uint8Array): void {
    const covered = this.length;
    const at = this.reserve(MESSAGE_INTEGRITY_SHA256, SHA256_BYTES);
    this.#digests.hmacSha256(this.#mac, key, this.bytes, 0, covered);
    this.bytes.set(this.#mac, at);
  }

  /** RFC 8489 section 14.7: the last attribute. */
  fingerprint(): void {
    const covered = this.length;
    const at = this.reserve(FINGERPRINT, 4);
    const crc = crc32(this.bytes, 0, covered) ^ FINGERPRINT_MASK;
    this.bytes[at] = crc >>> 24;
    this.bytes[at + 1] = crc >>> 16;
    this.bytes[at + 2] = crc >>> 8;
    this.bytes[at + 3] = crc;
  }

  #setLength(end: number): void {
    const size = end - STUN_HEADER_BYTES;
    this.bytes[2] = size >>> 8;
    this.bytes[3] = size;
  }
}
