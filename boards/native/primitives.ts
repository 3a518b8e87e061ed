import type { Primitives } from '../../src/crypto/primitives.js';

/** The primitives in C, for every board. Sizes are checked on the C side; random bytes are the board's own. */
export class NativePrimitives implements Primitives {
  readonly name: string = 'native';

  random(out: Uint8Array): void {
    native('xs_primitives_random').call(this, out);
  }

  x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void {
    native('xs_primitives_x25519_public_key').call(this, out, privateKey);
  }

  x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    return native('xs_primitives_x25519').call(this, out, privateKey, publicKey);
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
    native('xs_primitives_aead_seal').call(this, key, counterLow, counterHigh, buffer, offset, length, ad);
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
    return native('xs_primitives_aead_open').call(
      this,
      key,
      counterLow,
      counterHigh,
      buffer,
      offset,
      length,
      ad,
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
    native('xs_primitives_xaead_seal').call(this, key, nonce, buffer, offset, length, ad);
  }

  xaeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    return native('xs_primitives_xaead_open').call(this, key, nonce, buffer, offset, length, ad);
  }

  hash(out: Uint8Array, input: Uint8Array): void {
    native('xs_primitives_hash').call(this, out, input);
  }

  mac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    native('xs_primitives_mac').call(this, out, key, input);
  }

  hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    native('xs_primitives_hmac').call(this, out, key, input);
  }
}
