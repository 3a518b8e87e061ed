/**
 * Puts the vectors of Project Wycheproof (https://github.com/C2SP/wycheproof, Apache-2.0, not part of this
 * repository) to every implementation. Wants the folder they are in:
 *
 *   npm run wycheproof -- ../wycheproof/testvectors_v1
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chacha20 } from '@noble/ciphers/chacha.js';
import { ChaChaPoly } from '../../src/crypto/chacha-poly.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { hex, toHex } from './hex.js';
import { all } from './implementations.js';

interface X25519Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly public: string;
  readonly private: string;
  readonly shared: string;
}

interface AeadVector {
  readonly tcId: number;
  readonly comment: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
  readonly result: 'valid' | 'invalid';
}

/** `undefined` when the subject cannot express the vector (a nonce of another size, or not a counter). */
type Check<S, V> = (subject: S, vector: V) => boolean | undefined;

const x25519: Check<Primitives, X25519Vector> = (primitives, vector) => {
  const out = new Uint8Array(32);
  const good = primitives.x25519(out, hex(vector.private), hex(vector.public));
  return toHex(out) === vector.shared && good === /[^0]/.test(vector.shared);
};

const aead: Check<Primitives, AeadVector> = (primitives, vector) => {
  const nonce = hex(vector.iv);
  if (nonce.length !== 12 || nonce.subarray(0, 4).some((byte) => byte !== 0)) return undefined;
  const view = new DataView(nonce.buffer);
  const [low, high] = [view.getUint32(4, true), view.getUint32(8, true)];
  const [key, ad] = [hex(vector.key), hex(vector.aad)];
  return sealsAndOpens(
    vector,
    (buffer, length) => primitives.aeadSeal(key, low, high, buffer, 0, length, ad),
    (buffer) => primitives.aeadOpen(key, low, high, buffer, 0, buffer.length, ad),
  );
};

/** The portable construction takes nonces that are no counter, which most of these vectors have. */
const construction: Check<ChaChaPoly, AeadVector> = (chachaPoly, vector) => {
  const nonce = hex(vector.iv);
  if (nonce.length !== 12) return undefined;
  const [key, ad] = [hex(vector.key), hex(vector.aad)];
  return sealsAndOpens(
    vector,
    (buffer, length) => chachaPoly.seal(key, nonce, buffer, 0, length, ad),
    (buffer) => chachaPoly.open(key, nonce, buffer, 0, buffer.length, ad),
  );
};

const xaead: Check<Primitives, AeadVector> = (primitives, vector) => {
  const nonce = hex(vector.iv);
  if (nonce.length !== 24) return undefined;
  const [key, ad] = [hex(vector.key), hex(vector.aad)];
  return sealsAndOpens(
    vector,
    (buffer, length) => primitives.xaeadSeal(key, nonce, buffer, 0, length, ad),
    (buffer) => primitives.xaeadOpen(key, nonce, buffer, 0, buffer.length, ad),
  );
};

function sealsAndOpens(
  vector: AeadVector,
  seal: (buffer: Uint8Array, length: number) => void,
  open: (buffer: Uint8Array) => boolean,
): boolean {
  const sealed = vector.ct + vector.tag;
  const buffer = hex(sealed);
  if (vector.result === 'invalid') return !open(buffer);
  if (!open(buffer) || toHex(buffer.subarray(0, -16)) !== vector.msg) return false;
  seal(buffer, buffer.length - 16);
  return toHex(buffer) === sealed;
}

interface Subject<S> {
  readonly name: string;
  make(): S;
}

function put<S, V extends { tcId: number; comment: string }>(
  folder: string,
  file: string,
  check: Check<S, V>,
  subjects: readonly Subject<S>[],
): void {
  const { testGroups } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
    testGroups: { tests: V[] }[];
  };
  const vectors = testGroups.flatMap(({ tests }) => tests);
  for (const { name, make } of subjects) {
    const subject = make();
    const results = vectors.map((vector) => check(subject, vector));
    const wrong = vectors.filter((_, i) => results[i] === false);
    const right = results.filter((result) => result === true).length;
    const left = results.filter((result) => result === undefined).length;
    console.log(`${file}, ${name}: ${right} right, ${wrong.length} wrong, ${left} not expressible`);
    for (const { tcId, comment } of wrong) console.log(`  wrong: ${tcId} ${comment}`);
    if (wrong.length > 0 || right === 0) process.exitCode = 1;
  }
}

const folder = process.argv[2];
if (folder === undefined) {
  console.error("name the folder of Wycheproof's testvectors_v1");
  process.exitCode = 2;
} else {
  put(folder, 'x25519_test.json', x25519, all);
  put(folder, 'chacha20_poly1305_test.json', aead, all);
  put(folder, 'chacha20_poly1305_test.json', construction, [
    { name: 'the portable construction', make: () => new ChaChaPoly(chacha20) },
  ]);
  put(folder, 'xchacha20_poly1305_test.json', xaead, all);
}
