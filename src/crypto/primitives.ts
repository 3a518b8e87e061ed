/**
 * The primitives WireGuard is made of. Implementations: `portable.ts` (readable, npm libraries),
 * the Node host's (`host/gateway`), and the boards' C. One set of vectors holds them together.
 *
 * Every method writes into arrays that the caller owns and keeps no reference to any argument.
 * All lengths and offsets are bytes. Comparisons of tags and shared secrets are constant time.
 * `out` may be the same array as any input; its length is exactly the result's. A buffer too small for what is
 * asked, or an array of the wrong size, is a mistake of the caller and throws a RangeError that shows sizes only.
 */
export interface Primitives {
  /** Short name shown in status and benchmarks. */
  readonly name: string;

  /** Fills `out` from the system's generator. Throws when there is none; never falls back to a weak one. */
  random(out: Uint8Array): void;

  /** Public key (32) of a private key (32); RFC 7748 clamping is done inside. */
  x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void;

  /**
   * Shared secret (32). Returns false, with `out` zeroed, when the result is all zero, that is, when the
   * public key is a point of low order (RFC 7748 section 6.1).
   */
  x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean;

  /**
   * ChaCha20-Poly1305 (RFC 8439), in place: encrypts `buffer[offset .. offset + length)` and writes the 16-byte
   * tag behind it. The nonce is four zero bytes and the 64-bit counter, little-endian, given as two uint32.
   */
  aeadSeal(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void;

  /**
   * The reverse, in place: `length` counts ciphertext and tag. Returns false when the tag is wrong; the buffer's
   * contents are then unspecified but never plaintext of a forged message that a caller may use.
   */
  aeadOpen(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean;

  /** XChaCha20-Poly1305 (24-byte nonce), in place like `aeadSeal`. */
  xaeadSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void;

  xaeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean;

  /** BLAKE2s-256 of `input` (RFC 7693), 32 bytes. */
  hash(out: Uint8Array, input: Uint8Array): void;

  /** Keyed BLAKE2s with 16 bytes of output: WireGuard's `Mac`. The key has 1 to 32 bytes. */
  mac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void;

  /** HMAC over BLAKE2s-256 (RFC 2104 construction), 32 bytes. */
  hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void;
}

export const KEY_BYTES = 32;
export const TAG_BYTES = 16;
export const HASH_BYTES = 32;
export const MAC_BYTES = 16;
export const XNONCE_BYTES = 24;
