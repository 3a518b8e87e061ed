/**
 * Proof that a device has its identity key, without a signature algorithm on the chip: the server sends a challenge
 * and an ephemeral X25519 key; who can compute the shared secret has the private key. The proof is bound to the
 * server's name and to the gateway, so that it is of no use elsewhere.
 */

import { Kdf } from '../crypto/kdf.js';
import { HASH_BYTES, KEY_BYTES, type Primitives } from '../crypto/primitives.js';

export const CHALLENGE_BYTES = 32;
export const PROOF_BYTES = HASH_BYTES;

const LABEL = 'cloudbridge login v1';

export interface ProofInput {
  /** 32 random bytes of the server's. */
  readonly challenge: Uint8Array;
  /** The server's ephemeral public key. */
  readonly serverKey: Uint8Array;
  /** The device's identity public key. */
  readonly identityKey: Uint8Array;
  /** Name of the server the device means to talk to: `host` or `host:port` of its URL. */
  readonly audience: string;
  readonly gateway: string;
}

/**
 * The proof (32 bytes). `privateKey` is the identity's on the device and the ephemeral one on the server, whose
 * `peerKey` are each other's public keys. Undefined when the shared secret is zero: no honest key gives that.
 */
export function prove(
  primitives: Primitives,
  privateKey: Uint8Array,
  peerKey: Uint8Array,
  input: ProofInput,
): Uint8Array | undefined {
  const shared = new Uint8Array(KEY_BYTES);
  if (!primitives.x25519(shared, privateKey, peerKey)) return undefined;
  const key = new Uint8Array(HASH_BYTES);
  new Kdf(primitives).derive1(key, bytesOfText(LABEL), shared);
  const proof = new Uint8Array(PROOF_BYTES);
  primitives.hmac(proof, key, transcript(input));
  shared.fill(0);
  key.fill(0);
  return proof;
}

/** Every part with its length before it, so that no two inputs give the same bytes. */
function transcript(input: ProofInput): Uint8Array {
  const parts = [
    input.challenge,
    input.serverKey,
    input.identityKey,
    bytesOfText(input.audience),
    bytesOfText(input.gateway),
  ];
  const bytes = new Uint8Array(parts.reduce((total, part) => total + 2 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes[at] = part.length >>> 8;
    bytes[at + 1] = part.length;
    bytes.set(part, at + 2);
    at += 2 + part.length;
  }
  return bytes;
}

/** Names here are ASCII; any other character becomes three bytes of which the first is marked. */
export function bytesOfText(value: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else bytes.push(0x80 | (code >>> 16), code >>> 8, code);
  }
  return new Uint8Array(bytes);
}
