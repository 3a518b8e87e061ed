import { randomBytes } from 'node:crypto';
import type { Bytes } from './symmetric.js';
import { publicKeyOf } from './x25519.js';

export interface KeyPair {
  readonly privateKey: Bytes;
  readonly publicKey: Bytes;
}

/** A new private key, clamped as `wg genkey` does (RFC 7748 section 5). */
function newPrivateKey(): Bytes {
  const key = new Uint8Array(randomBytes(32));
  key[0] &= 248;
  key[31] = (key[31] & 127) | 64;
  return key;
}

/** A key pair from 32 given bytes, or from random ones. */
export function keyPair(privateKey: Bytes = newPrivateKey()): KeyPair {
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

export function base64(bytes: Bytes): string {
  return Buffer.from(bytes).toString('base64');
}

export function hex(bytes: Bytes): string {
  return Buffer.from(bytes).toString('hex');
}

export function fromHex(text: string): Bytes {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
