/** The AEAD part of {@link Primitives} on the WebAssembly kernel. */

import { requireBytes } from '../../../src/crypto/bounds.js';
import { KEY_BYTES, type Primitives, TAG_BYTES, XNONCE_BYTES } from '../../../src/crypto/primitives.js';
import type { Kernel, Lane } from './kernel.js';

export type AeadPrimitives = Pick<Primitives, 'aeadSeal' | 'aeadOpen' | 'xaeadSeal' | 'xaeadOpen'>;

/** Room for the additional data; handshakes use at most 32 bytes. */
const AD_BYTES = 0x10000 - 0x80;
/** Behind the data: the tag, and 64 bytes that XChaCha20 uses as scratch. */
const SLACK = 96;

/** Copies in, works, copies out: made for handshake messages. Bulk data is sealed where it lies, see `send.ts`. */
export class KernelAead implements AeadPrimitives {
  readonly #bytes: Uint8Array;
  readonly #lane: Lane;
  readonly #key: number;
  readonly #nonce: number;
  readonly #ad: number;
  readonly #data: number;
  readonly #dataBytes: number;

  /** The lane `index` of `kernel` must be used by nothing else. */
  constructor(kernel: Kernel, index = 0) {
    this.#lane = kernel.lane(index);
    this.#bytes = kernel.bytes;
    this.#key = this.#lane.input;
    this.#nonce = this.#key + KEY_BYTES;
    this.#ad = this.#key + 0x80;
    this.#data = this.#key + 0x10000;
    this.#dataBytes = this.#lane.inputBytes - 0x10000 - SLACK;
  }

  #load(key: Uint8Array, buffer: Uint8Array, offset: number, length: number, ad: Uint8Array): void {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes`);
    if (length > this.#dataBytes || ad.length > AD_BYTES)
      throw new RangeError('message too long for the kernel');
    if (offset < 0 || length < 0 || offset + length > buffer.length)
      throw new RangeError('outside the buffer');
    this.#bytes.set(key, this.#key);
    this.#bytes.set(ad, this.#ad);
    this.#bytes.set(buffer.subarray(offset, offset + length), this.#data);
  }

  #store(buffer: Uint8Array, offset: number, length: number): void {
    buffer.set(this.#bytes.subarray(this.#data, this.#data + length), offset);
    this.#erase(length);
  }

  #erase(length: number): void {
    this.#bytes.fill(0, this.#key, this.#nonce + XNONCE_BYTES);
    this.#bytes.fill(0, this.#data, this.#data + length);
    this.#lane.call.eraseScratch();
  }

  aeadSeal(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    requireBytes(buffer, offset, length + TAG_BYTES);
    this.#load(key, buffer, offset, length, ad);
    this.#lane.call.aeadSeal(this.#key, counterLow, counterHigh, this.#data, length, this.#ad, ad.length);
    this.#store(buffer, offset, length + TAG_BYTES);
  }

  aeadOpen(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    if (length < TAG_BYTES) return false;
    this.#load(key, buffer, offset, length, ad);
    const inner = length - TAG_BYTES;
    const good =
      this.#lane.call.aeadOpen(this.#key, counterLow, counterHigh, this.#data, inner, this.#ad, ad.length) !==
      0;
    if (good) this.#store(buffer, offset, inner);
    else this.#erase(length);
    return good;
  }

  xaeadSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    if (nonce.length !== XNONCE_BYTES) throw new RangeError(`an extended nonce has ${XNONCE_BYTES} bytes`);
    requireBytes(buffer, offset, length + TAG_BYTES);
    this.#load(key, buffer, offset, length, ad);
    this.#bytes.set(nonce, this.#nonce);
    this.#lane.call.xaeadSeal(this.#key, this.#nonce, this.#data, length, this.#ad, ad.length);
    this.#store(buffer, offset, length + TAG_BYTES);
  }

  xaeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    if (nonce.length !== XNONCE_BYTES) throw new RangeError(`an extended nonce has ${XNONCE_BYTES} bytes`);
    if (length < TAG_BYTES) return false;
    this.#load(key, buffer, offset, length, ad);
    this.#bytes.set(nonce, this.#nonce);
    const inner = length - TAG_BYTES;
    const good =
      this.#lane.call.xaeadOpen(this.#key, this.#nonce, this.#data, inner, this.#ad, ad.length) !== 0;
    if (good) this.#store(buffer, offset, inner);
    else this.#erase(length);
    return good;
  }
}
