/**
 * The keys a device makes for itself. The identity key says who it is and never changes while it is enrolled; the
 * tunnel key is WireGuard's and is rotated. Private keys are made here and stay here.
 */

import { keyToBase64 } from '../crypto/key-text.js';
import { KEY_BYTES, type Primitives } from '../crypto/primitives.js';
import type { Store } from '../ports.js';

const IDENTITY = 'identity.key';
const TUNNEL = 'tunnel.key';

export interface KeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

export function generate(primitives: Primitives): KeyPair {
  const privateKey = new Uint8Array(KEY_BYTES);
  primitives.random(privateKey);
  // Clamped as X25519 will (RFC 7748 section 5), so that the stored key equals what other tools print.
  privateKey[0] &= 248;
  privateKey[31] = (privateKey[31] & 127) | 64;
  return pairOf(primitives, privateKey);
}

export function pairOf(primitives: Primitives, privateKey: Uint8Array): KeyPair {
  const publicKey = new Uint8Array(KEY_BYTES);
  primitives.x25519PublicKey(publicKey, privateKey);
  return { privateKey, publicKey };
}

/** Reads the device's keys, making those that are missing. They are stored before they are used. */
export class DeviceKeys {
  readonly identity: KeyPair;
  #tunnel: KeyPair;
  readonly #store: Store;

  constructor(primitives: Primitives, store: Store) {
    this.#store = store;
    this.identity = load(primitives, store, IDENTITY);
    this.#tunnel = load(primitives, store, TUNNEL);
  }

  get tunnel(): KeyPair {
    return this.#tunnel;
  }

  /** base64 */
  get tunnelPublic(): string {
    return keyToBase64(this.#tunnel.publicKey);
  }

  /** The new key replaces the old one for good. */
  replaceTunnel(pair: KeyPair): void {
    this.#store.set(TUNNEL, pair.privateKey);
    this.#tunnel = pair;
  }
}

function load(primitives: Primitives, store: Store, name: string): KeyPair {
  const stored = store.get(name);
  if (stored?.length === KEY_BYTES) return pairOf(primitives, stored);
  const pair = generate(primitives);
  store.set(name, pair.privateKey);
  return pair;
}
