import { randomBytes } from 'node:crypto';
import type { Bytes } from './symmetric.js';
import { publicKeyOf } from './x25519.js';

export interface KeyPair {
  readonly privateKey: Bytes;
  readonly publicKey: Bytes;
}

/** A key pair from 32 given bytes, or from random ones. */
export function keyPair(privateKey: Bytes = new Uint8Array(randomBytes(32))): KeyPair {
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
