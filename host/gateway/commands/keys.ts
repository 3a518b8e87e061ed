import { fstatSync, readFileSync } from 'node:fs';
import { keyFromBase64, keyToBase64 } from '../../../src/crypto/key-text.js';
import { KEY_BYTES } from '../../../src/crypto/primitives.js';
import { NodePrimitives } from '../crypto.js';
import { EXIT, GatewayError } from '../errors.js';

const STDIN = 0;
const STDOUT = 1;

/** A private key, clamped as RFC 7748 section 5 says, which is how `wg genkey` prints it. */
export function genkey(): void {
  const key = new Uint8Array(KEY_BYTES);
  new NodePrimitives().random(key);
  key[0] &= 248;
  key[31] = (key[31] & 127) | 64;
  printSecret(key);
}

export function genpsk(): void {
  const key = new Uint8Array(KEY_BYTES);
  new NodePrimitives().random(key);
  printSecret(key);
}

/** Reads a private key from standard input, prints its public key. */
export function pubkey(): void {
  const privateKey = keyFromBase64(readFileSync(STDIN, 'utf8').trim());
  if (privateKey === undefined) {
    const sentence = 'what came in is no private key; give 44 characters of base64, as genkey prints them';
    throw new GatewayError(EXIT.failure, sentence);
  }
  const publicKey = new Uint8Array(KEY_BYTES);
  new NodePrimitives().x25519PublicKey(publicKey, privateKey);
  privateKey.fill(0);
  process.stdout.write(`${keyToBase64(publicKey)}\n`);
}

function printSecret(key: Uint8Array): void {
  const out = fstatSync(STDOUT);
  if (out.isFile() && (out.mode & 0o007) !== 0) {
    process.stderr.write(
      'warning: every user may read the file this key goes to; set "umask 077" and make a new key\n',
    );
  }
  process.stdout.write(`${keyToBase64(key)}\n`);
  key.fill(0);
}
