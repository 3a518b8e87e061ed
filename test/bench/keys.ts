import type { NodePrimitives } from '../../host/gateway/crypto.js';

export interface Keys {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** Different keys for each number, the same in every run. */
export function keysOf(primitives: NodePrimitives, number: number): Keys {
  const privateKey = new Uint8Array(32).fill(0x5a);
  new DataView(privateKey.buffer).setUint32(4, number);
  const publicKey = new Uint8Array(32);
  primitives.x25519PublicKey(publicKey, privateKey);
  return { privateKey, publicKey };
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
