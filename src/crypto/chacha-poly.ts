/**
 * The AEAD construction of RFC 8439 section 2.8 over a ChaCha20 stream and Poly1305, in place.
 *
 * Composed here rather than taken whole from the library, because the library's `decrypt` reports a wrong tag by
 * an exception, and a flood of forged packets must not cost a stack trace each.
 */

import { poly1305 } from '@noble/ciphers/_poly1305.js';
import type { XorStream } from '@noble/ciphers/utils.js';
import { requireBytes, requireLength } from './bounds.js';
import { equalAt } from './constant-time.js';
import { KEY_BYTES, TAG_BYTES } from './primitives.js';

const BLOCK_BYTES = 16;

export class ChaChaPoly {
  readonly #stream: XorStream;
  readonly #oneTimeKey = new Uint8Array(32);
  readonly #padding = new Uint8Array(BLOCK_BYTES);
  readonly #lengths = new Uint8Array(16);
  readonly #lengthsView = new DataView(this.#lengths.buffer);

  /** `stream` is ChaCha20 (12-byte nonce) or XChaCha20 (24), with a block counter that starts where told. */
  constructor(stream: XorStream) {
    this.#stream = stream;
  }

  /** Encrypts `length` bytes at `offset` and writes the tag behind them. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    requireLength(key, KEY_BYTES, 'the key');
    requireBytes(buffer, offset, length + TAG_BYTES);
    const text = buffer.subarray(offset, offset + length);
    this.#stream(key, nonce, text, text, 1); // section 2.8: block 0 makes the one-time key
    const tag = this.#tag(key, nonce, text, ad);
    buffer.set(tag, offset + length);
  }

  /** Decrypts `length` bytes, of which the last 16 are the tag. Nothing is decrypted unless the tag is right. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    requireLength(key, KEY_BYTES, 'the key');
    requireBytes(buffer, offset, length);
    if (length < TAG_BYTES) return false;
    const text = buffer.subarray(offset, offset + length - TAG_BYTES);
    const tag = this.#tag(key, nonce, text, ad);
    const genuine = equalAt(buffer, offset + length - TAG_BYTES, tag, 0, TAG_BYTES);
    tag.fill(0); // the right tag of a forgery must not stay around
    if (genuine) this.#stream(key, nonce, text, text, 1);
    return genuine;
  }

  #tag(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, ad: Uint8Array): Uint8Array {
    const oneTimeKey = this.#oneTimeKey.fill(0);
    this.#stream(key, nonce, oneTimeKey, oneTimeKey, 0); // section 2.6
    const mac = poly1305.create(oneTimeKey);
    oneTimeKey.fill(0);
    mac.update(ad).update(this.#pad16(ad.length));
    mac.update(ciphertext).update(this.#pad16(ciphertext.length));
    // Both lengths are little-endian 64-bit numbers; no array here reaches 2^32 bytes.
    this.#lengthsView.setUint32(0, ad.length, true);
    this.#lengthsView.setUint32(8, ciphertext.length, true);
    return mac.update(this.#lengths).digest();
  }

  #pad16(length: number): Uint8Array {
    return this.#padding.subarray(0, -length & (BLOCK_BYTES - 1));
  }
}
