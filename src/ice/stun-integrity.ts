/** Checks MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT of received messages (RFC 8489 section 14). */

import { equalAt } from '../crypto/constant-time.js';
import { type Digests, SHA1_BYTES, SHA256_BYTES } from '../crypto/digests.js';
import { crc32 } from './crc32.js';
import {
  ATTRIBUTE_HEADER_BYTES,
  FINGERPRINT,
  MESSAGE_INTEGRITY,
  MESSAGE_INTEGRITY_SHA256,
  STUN_HEADER_BYTES,
} from './stun-constants.js';
import type { StunView } from './stun-view.js';

/** RFC 8489 section 14.7: "STUN" in ASCII, so that no other protocol's CRC-32 fits by chance. */
export const FINGERPRINT_MASK = 0x5354554e;

export type Integrity = 'right' | 'wrong' | 'absent';

export class StunIntegrity {
  readonly #digests: Digests;
  readonly #mac = new Uint8Array(SHA256_BYTES);
  readonly #mac1 = this.#mac.subarray(0, SHA1_BYTES);

  constructor(digests: Digests) {
    this.#digests = digests;
  }

  /** MESSAGE-INTEGRITY under `key`. The message's length field is changed and put back meanwhile. */
  sha1(message: StunView, key: Uint8Array): Integrity {
    if (!message.find(MESSAGE_INTEGRITY)) return 'absent';
    if (message.valueLength !== SHA1_BYTES) return 'wrong';
    const { value } = message;
    const covered = shorten(message, value + SHA1_BYTES);
    this.#digests.hmacSha1(this.#mac1, key, message.bytes, message.offset, covered);
    shorten(message, message.offset + message.length);
    return equalAt(this.#mac1, 0, message.bytes, value, SHA1_BYTES) ? 'right' : 'wrong';
  }

  /** MESSAGE-INTEGRITY-SHA256; RFC 8489 section 14.6 allows 16 to 32 bytes, a multiple of four. */
  sha256(message: StunView, key: Uint8Array): Integrity {
    if (!message.find(MESSAGE_INTEGRITY_SHA256)) return 'absent';
    const { value, valueLength } = message;
    if (valueLength < 16 || valueLength > SHA256_BYTES || (valueLength & 3) !== 0) return 'wrong';
    const covered = shorten(message, value + valueLength);
    this.#digests.hmacSha256(this.#mac, key, message.bytes, message.offset, covered);
    shorten(message, message.offset + message.length);
    return equalAt(this.#mac, 0, message.bytes, value, valueLength) ? 'right' : 'wrong';
  }
}

export function checkFingerprint(message: StunView): Integrity {
  if (!message.find(FINGERPRINT)) return 'absent';
  if (message.valueLength !== 4) return 'wrong';
  const covered = message.value - ATTRIBUTE_HEADER_BYTES - message.offset;
  const crc = (crc32(message.bytes, message.offset, covered) ^ FINGERPRINT_MASK) >>> 0;
  return crc === message.valueU32 ? 'right' : 'wrong';
}

/**
 * Sets the header's length as if the message ended at `end`, as the sender's was when it computed the HMAC, and
 * returns how many bytes from the message's start stand before an HMAC attribute that ends there.
 */
function shorten(message: StunView, end: number): number {
  const { bytes, offset } = message;
  const size = end - offset - STUN_HEADER_BYTES;
  bytes[offset + 2] = size >>> 8;
  bytes[offset + 3] = size;
  return message.value - ATTRIBUTE_HEADER_BYTES - offset;
}
