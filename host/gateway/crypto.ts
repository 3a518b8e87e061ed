/**
 * The primitives over Node's OpenSSL, where that is really faster than the portable ones it inherits.
 *
 * Measured (microseconds, Node 20.20 / 24.21, one busy core; the ratios are what matters):
 *
 *   X25519, imported keys       58 / 54      tweetnacl 1044 / 732
 *   import a private key        JWK 42 / 88, PKCS#8 453 / 98, raw - / 58
 *   import a public key         JWK 9 / 46, SPKI 108 / 58, raw - / 26
 *   seal 1420 bytes             12 / 12 with a KeyObject, 12 / 27 with bytes; noble 28
 *   seal 32 bytes               9 / 9 with a KeyObject, 9 / 38 with bytes; noble 11 / 7
 *   refuse a forged 32 bytes    17 / 35; noble 7 / 5
 *   HMAC                        two crypto.hash calls 5 / 4, createHmac 5 / 26, noble 23 / 31
 *
 * Keyed BLAKE2s and XChaCha20 are not in Node and stay portable.
 */

import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hash,
  type JsonWebKeyInput,
  type KeyObject,
  randomFillSync,
} from 'node:crypto';
import { requireBytes, requireLength } from '../../src/crypto/bounds.js';
import { isZero } from '../../src/crypto/constant-time.js';
import { PortablePrimitives } from '../../src/crypto/portable.js';
import { HASH_BYTES, KEY_BYTES, TAG_BYTES } from '../../src/crypto/primitives.js';
import { KeyObjectCache } from './key-object-cache.js';

/** From this many bytes of plaintext a cipher of OpenSSL repays what it costs to set up. */
const NATIVE_AEAD_BYTES = 128;

const BLAKE2S = 'blake2s256';
const BLAKE2S_BLOCK_BYTES = 64;

export class NodePrimitives extends PortablePrimitives {
  override readonly name: string = 'node';

  // A responder's handshake uses two private keys (static, ephemeral) and two public ones, each twice.
  readonly #privateKeys: KeyObjectCache;
  readonly #publicKeys: KeyObjectCache;
  readonly #cipherKeys = new KeyObjectCache(4, createSecretKey);

  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  readonly #pad = new Uint8Array(BLAKE2S_BLOCK_BYTES);
  readonly #outer = new Uint8Array(BLAKE2S_BLOCK_BYTES + HASH_BYTES);
  #inner = new Uint8Array(BLAKE2S_BLOCK_BYTES + 256);

  constructor() {
    super((out) => void randomFillSync(out));
    const raw = importsRawKeys();
    this.#privateKeys = new KeyObjectCache(4, raw ? privateKeyFromRaw : privateKeyFromJwk);
    this.#publicKeys = new KeyObjectCache(4, raw ? publicKeyFromRaw : publicKeyFromJwk);
  }

  override x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void {
    requireLength(out, KEY_BYTES, 'the public key');
    requireLength(privateKey, KEY_BYTES, 'the private key');
    const { x } = createPublicKey(this.#privateKeys.get(privateKey)).export({ format: 'jwk' });
    out.set(Buffer.from(x!, 'base64url'));
  }

  override x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    requireLength(out, KEY_BYTES, 'the shared secret');
    requireLength(privateKey, KEY_BYTES, 'the private key');
    requireLength(publicKey, KEY_BYTES, 'the public key');
    const keys = {
      privateKey: this.#privateKeys.get(privateKey),
      publicKey: this.#publicKeys.get(publicKey),
    };
    let secret: Buffer;
    try {
      secret = diffieHellman(keys);
    } catch (error) {
      // OpenSSL refuses an all-zero result by failing; with two well-formed keys it fails for nothing else.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_OSSL_FAILED_DURING_DERIVATION') throw error;
      out.fill(0);
      return false;
    }
    out.set(secret);
    secret.fill(0);
    return !isZero(out);
  }

  override aeadSeal(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    if (length < NATIVE_AEAD_BYTES) {
      super.aeadSeal(key, counterLow, counterHigh, buffer, offset, length, ad);
      return;
    }
    requireBytes(buffer, offset, length + TAG_BYTES);
    requireLength(key, KEY_BYTES, 'the key');
    const nonce = this.#setNonce(counterLow, counterHigh);
    const cipher = createCipheriv('chacha20-poly1305', this.#cipherKeys.get(key), nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(ad, { plaintextLength: length });
    buffer.set(cipher.update(buffer.subarray(offset, offset + length)), offset);
    cipher.final(); // a stream cipher keeps nothing back
    buffer.set(cipher.getAuthTag(), offset + length);
  }

  override aeadOpen(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    const textLength = length - TAG_BYTES;
    if (textLength < NATIVE_AEAD_BYTES) {
      return super.aeadOpen(key, counterLow, counterHigh, buffer, offset, length, ad);
    }
    requireBytes(buffer, offset, length);
    requireLength(key, KEY_BYTES, 'the key');
    const nonce = this.#setNonce(counterLow, counterHigh);
    const decipher = createDecipheriv('chacha20-poly1305', this.#cipherKeys.get(key), nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(ad, { plaintextLength: textLength });
    decipher.setAuthTag(buffer.subarray(offset + textLength, offset + length));
    const text = decipher.update(buffer.subarray(offset, offset + textLength));
    try {
      decipher.final();
    } catch {
      return false; // all arguments were checked above; only the tag is left to be wrong
    }
    buffer.set(text, offset);
    return true;
  }

  override hash(out: Uint8Array, input: Uint8Array): void {
    requireLength(out, HASH_BYTES, 'the hash');
    moveInto(out, hash(BLAKE2S, input, 'buffer'));
  }

  /** RFC 2104 section 2 by hand: `createHmac` is five times dearer on Node 24. */
  override hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    requireLength(out, HASH_BYTES, 'the hmac');
    const pad = this.#pad;
    if (key.length > BLAKE2S_BLOCK_BYTES) moveInto(pad.subarray(0, HASH_BYTES), hash(BLAKE2S, key, 'buffer'));
    else pad.set(key);

    const innerLength = BLAKE2S_BLOCK_BYTES + input.length;
    if (this.#inner.length < innerLength) this.#inner = new Uint8Array(innerLength);
    const inner = this.#inner;
    const outer = this.#outer;
    for (let i = 0; i < BLAKE2S_BLOCK_BYTES; i++) {
      inner[i] = pad[i]! ^ 0x36;
      outer[i] = pad[i]! ^ 0x5c;
    }
    inner.set(input, BLAKE2S_BLOCK_BYTES);
    const innerHash = hash(BLAKE2S, inner.subarray(0, innerLength), 'buffer');
    outer.set(innerHash, BLAKE2S_BLOCK_BYTES);
    innerHash.fill(0);
    moveInto(out, hash(BLAKE2S, outer, 'buffer'));
    pad.fill(0);
    inner.fill(0, 0, innerLength);
    outer.fill(0);
  }

  /** Drops the imported keys now instead of within `KeyObjectCache.RETENTION_MS`. */
  forgetKeys(): void {
    this.#privateKeys.clear();
    this.#publicKeys.clear();
    this.#cipherKeys.clear();
  }

  #setNonce(counterLow: number, counterHigh: number): Uint8Array {
    this.#nonceView.setUint32(4, counterLow, true);
    this.#nonceView.setUint32(8, counterHigh, true);
    return this.#nonce;
  }
}

function moveInto(out: Uint8Array, result: Buffer): void {
  out.set(result);
  result.fill(0);
}

/** Newer Node takes an X25519 key as its 32 bytes; the types of Node 20 do not know that yet. */
function rawKey(key: Uint8Array, format: 'raw-private' | 'raw-public'): JsonWebKeyInput {
  return { key, format, asymmetricKeyType: 'x25519' } as unknown as JsonWebKeyInput;
}

function importsRawKeys(): boolean {
  try {
    privateKeyFromRaw(new Uint8Array(KEY_BYTES).fill(1));
    return true;
  } catch {
    return false;
  }
}

function privateKeyFromRaw(key: Uint8Array): KeyObject {
  return createPrivateKey(rawKey(key, 'raw-private'));
}

function publicKeyFromRaw(key: Uint8Array): KeyObject {
  return createPublicKey(rawKey(key, 'raw-public'));
}

/**
 * Ten times cheaper than PKCS#8 on Node 20, at a price: the key exists for a while as a string, which only the
 * garbage collector can remove. `x` must be there but is not read: OpenSSL computes the public key itself.
 */
function privateKeyFromJwk(key: Uint8Array): KeyObject {
  return createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', d: base64url(key), x: '' }, format: 'jwk' });
}

function publicKeyFromJwk(key: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: base64url(key) }, format: 'jwk' });
}

function base64url(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64url');
}
