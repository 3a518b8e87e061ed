/** ChaCha20-Poly1305 by the OpenSSL that is part of Node, called with addresses in the kernel's memory. */

import type { NativeAead } from '../wasm/kernel.js';
import { loadKoffi, NativeMissingError } from './linux.js';

/** Bytes of content from which on four calls into OpenSSL cost less than the kernel's own code. */
export const OPENSSL_LEAST = 1024;

const TAG_BYTES = 16;
const CTRL_GET_TAG = 0x10;
const CTRL_SET_TAG = 0x11;

const CALLS = {
  EVP_chacha20_poly1305: 'uintptr_t EVP_chacha20_poly1305()',
  EVP_CIPHER_CTX_new: 'uintptr_t EVP_CIPHER_CTX_new()',
  EVP_CIPHER_CTX_free: 'void EVP_CIPHER_CTX_free(uintptr_t)',
  EVP_CIPHER_CTX_ctrl: 'int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)',
  EVP_EncryptInit_ex: 'int EVP_EncryptInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)',
  EVP_EncryptUpdate: 'int EVP_EncryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)',
  EVP_EncryptFinal_ex: 'int EVP_EncryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)',
  EVP_DecryptInit_ex: 'int EVP_DecryptInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)',
  EVP_DecryptUpdate: 'int EVP_DecryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)',
  EVP_DecryptFinal_ex: 'int EVP_DecryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)',
} as const;

type OpenSsl = Readonly<Record<keyof typeof CALLS, (...words: number[]) => number>>;

/** Throws {@link NativeMissingError} when this Node does not show its OpenSSL. */
export function loadOpenSsl(): OpenSsl {
  const koffi = loadKoffi();
  try {
    const self = koffi.load(null);
    return Object.fromEntries(
      Object.entries(CALLS).map(([name, definition]) => [name, self.func(definition)]),
    ) as unknown as OpenSsl;
  } catch {
    throw new NativeMissingError('this Node does not show its OpenSSL');
  }
}

export class OpenSslAead implements NativeAead {
  /** Where 64 bytes of the memory are free for this object. */
  scratch = 0;
  readonly #calls: OpenSsl;
  readonly #base: number;
  readonly #words: Int32Array;
  readonly #sealing: number;
  readonly #opening: number;

  constructor(calls: OpenSsl, memory: WebAssembly.Memory, base: number) {
    this.#calls = calls;
    this.#base = base;
    this.#words = new Int32Array(memory.buffer);
    const cipher = calls.EVP_chacha20_poly1305();
    this.#sealing = calls.EVP_CIPHER_CTX_new();
    this.#opening = calls.EVP_CIPHER_CTX_new();
    if (
      cipher === 0 ||
      calls.EVP_EncryptInit_ex(this.#sealing, cipher, 0, 0, 0) !== 1 ||
      calls.EVP_DecryptInit_ex(this.#opening, cipher, 0, 0, 0) !== 1
    ) {
      throw new NativeMissingError('the OpenSSL of this Node has no ChaCha20-Poly1305');
    }
  }

  readonly sealNative = (key: number, low: number, high: number, data: number, length: number): void => {
    const calls = this.#calls;
    const base = this.#base;
    const ctx = this.#sealing;
    const out = base + this.scratch + 16;
    const done =
      calls.EVP_EncryptInit_ex(ctx, 0, 0, base + key, this.#nonce(low, high)) === 1 &&
      calls.EVP_EncryptUpdate(ctx, base + data, out, base + data, length) === 1 &&
      calls.EVP_EncryptFinal_ex(ctx, base + data + length, out) === 1 &&
      calls.EVP_CIPHER_CTX_ctrl(ctx, CTRL_GET_TAG, TAG_BYTES, base + data + length) === 1;
    // Never send what may be half sealed: the thread dies of it, and is replaced.
    if (!done) throw new Error('OpenSSL did not seal');
  };

  readonly openNative = (key: number, low: number, high: number, data: number, length: number): number => {
    const calls = this.#calls;
    const base = this.#base;
    const ctx = this.#opening;
    const out = base + this.scratch + 16;
    return calls.EVP_DecryptInit_ex(ctx, 0, 0, base + key, this.#nonce(low, high)) === 1 &&
      calls.EVP_CIPHER_CTX_ctrl(ctx, CTRL_SET_TAG, TAG_BYTES, base + data + length) === 1 &&
      calls.EVP_DecryptUpdate(ctx, base + data, out, base + data, length) === 1 &&
      calls.EVP_DecryptFinal_ex(ctx, base + data + length, out) === 1
      ? 1
      : 0;
  };

  /** Overwrites the keys used last. */
  forget(): void {
    const place = this.scratch >> 2;
    this.#words.fill(0, place + 4, place + 12);
    const zeros = this.#base + this.scratch + 16;
    this.#calls.EVP_EncryptInit_ex(this.#sealing, 0, 0, zeros, zeros);
    this.#calls.EVP_DecryptInit_ex(this.#opening, 0, 0, zeros, zeros);
  }

  close(): void {
    this.#calls.EVP_CIPHER_CTX_free(this.#sealing);
    this.#calls.EVP_CIPHER_CTX_free(this.#opening);
  }

  /** Address of the 12 bytes: four of zero, the counter (paper, section 5.4.6). */
  #nonce(low: number, high: number): number {
    const place = this.scratch >> 2;
    this.#words[place] = 0;
    this.#words[place + 1] = low;
    this.#words[place + 2] = high;
    return this.#base + this.scratch;
  }
}
