/**
 * The boards' C primitives as an implementation that Node can call: built with the machine's compiler into a
 * shared library and called through koffi, so that they pass the very tests every other implementation passes.
 */

import { execFileSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KoffiFunc } from 'koffi';
import { requireLength } from '../../src/crypto/bounds.js';
import {
  HASH_BYTES,
  KEY_BYTES,
  MAC_BYTES,
  type Primitives,
  XNONCE_BYTES,
} from '../../src/crypto/primitives.js';

const SOURCES = fileURLToPath(new URL('../../boards/native/crypto/', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/native-primitives/', import.meta.url));

export interface NativeBuild {
  readonly name: string;
  /** Further flags of the compiler. */
  readonly flags: readonly string[];
}

/** As on a 64-bit board, and with the arithmetic of a 32-bit one. */
export const NATIVE_BUILDS: readonly NativeBuild[] = [
  { name: 'native', flags: [] },
  { name: 'native-32', flags: ['-U__SIZEOF_INT128__'] },
];

export function compiler(): string | undefined {
  for (const name of ['cc', 'gcc', 'clang']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {}
  }
  return undefined;
}

/** Compiles the sources once per content and flags; the library's path. */
export function buildNative(build: NativeBuild, cc = compiler()): string {
  if (!cc) throw new Error('no C compiler: apt-get install gcc');
  const files = readdirSync(SOURCES).sort();
  const hash = createHash('sha256').update(JSON.stringify([cc, build.flags]));
  for (const file of files) hash.update(file).update(readFileSync(join(SOURCES, file)));
  const library = join(CACHE, `${build.name}-${hash.digest('hex').slice(0, 16)}.so`);
  if (existsSync(library)) return library;
  mkdirSync(CACHE, { recursive: true });
  const sources = files.filter((file) => file.endsWith('.c')).map((file) => join(SOURCES, file));
  const unfinished = `${library}.${process.pid}`;
  const flags = ['-std=gnu11', '-O3', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared'];
  execFileSync(cc, [...flags, ...build.flags, ...sources, '-o', unfinished]);
  renameSync(unfinished, library);
  return library;
}

const EMPTY_NONCE = new Uint8Array(12);

export class NativePrimitives implements Primitives {
  readonly name: string;
  readonly #call: Record<string, KoffiFunc<(...values: unknown[]) => unknown>>;
  readonly #nonce = EMPTY_NONCE.slice();

  constructor(build: NativeBuild) {
    this.name = build.name;
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(buildNative(build));
    const aead =
      '(_Inout_ uint8_t *data, size_t length, uint8_t *key, uint8_t *nonce, uint8_t *ad, size_t adLength)';
    this.#call = {
      x25519: library.func('int cb_x25519(_Out_ uint8_t *out, uint8_t *scalar, uint8_t *point)'),
      base: library.func('void cb_x25519_base(_Out_ uint8_t *out, uint8_t *scalar)'),
      seal: library.func(`void cb_aead_seal${aead}`),
      open: library.func(`int cb_aead_open${aead}`),
      xseal: library.func(`void cb_xaead_seal${aead}`),
      xopen: library.func(`int cb_xaead_open${aead}`),
      blake2s: library.func(
        'void cb_blake2s(_Out_ uint8_t *out, size_t outLength, uint8_t *key, size_t keyLength, uint8_t *data, size_t length)',
      ),
      hmac: library.func(
        'void cb_hmac(_Out_ uint8_t *out, uint8_t *key, size_t keyLength, uint8_t *data, size_t length)',
      ),
    };
  }

  random(out: Uint8Array): void {
    randomFillSync(out);
  }

  x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void {
    requireLength(out, KEY_BYTES, 'the public key');
    requireLength(privateKey, KEY_BYTES, 'the private key');
    this.#call.base(out, privateKey);
  }

  x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    requireLength(out, KEY_BYTES, 'the shared secret');
    requireLength(privateKey, KEY_BYTES, 'the private key');
    requireLength(publicKey, KEY_BYTES, 'the public key');
    return this.#call.x25519(out, privateKey, publicKey) === 1;
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
    const data = textAndTag(buffer, offset, length + 16);
    this.#call.seal(data, length, key, this.#counterNonce(counterLow, counterHigh), ad, ad.length);
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
    const data = textAndTag(buffer, offset, length);
    return (
      this.#call.open(data, length, key, this.#counterNonce(counterLow, counterHigh), ad, ad.length) === 1
    );
  }

  xaeadSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    requireLength(nonce, XNONCE_BYTES, 'the nonce');
    this.#call.xseal(textAndTag(buffer, offset, length + 16), length, key, nonce, ad, ad.length);
  }

  xaeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    requireLength(nonce, XNONCE_BYTES, 'the nonce');
    return this.#call.xopen(textAndTag(buffer, offset, length), length, key, nonce, ad, ad.length) === 1;
  }

  hash(out: Uint8Array, input: Uint8Array): void {
    requireLength(out, HASH_BYTES, 'the hash');
    this.#call.blake2s(out, HASH_BYTES, null, 0, input, input.length);
  }

  mac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    requireLength(out, MAC_BYTES, 'the mac');
    this.#call.blake2s(out, MAC_BYTES, key, key.length, input, input.length);
  }

  hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    requireLength(out, HASH_BYTES, 'the hmac');
    this.#call.hmac(out, key, key.length, input, input.length);
  }

  #counterNonce(low: number, high: number): Uint8Array {
    new DataView(this.#nonce.buffer).setUint32(4, low, true);
    new DataView(this.#nonce.buffer).setUint32(8, high, true);
    return this.#nonce;
  }
}

function textAndTag(buffer: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset < 0 || length < 0 || offset + length > buffer.length) {
    throw new RangeError('the text and its tag do not lie inside the buffer');
  }
  return buffer.subarray(offset, offset + length);
}
