/**
 * The hash functions that STUN and TURN are bound to by their specifications (RFC 8489 sections 14.5, 14.6 and
 * 18.5). WireGuard uses none of them. Implementations: `portable-digests.ts`, and the boards' C.
 *
 * Results are written into `out`, whose length is exactly the result's; no argument is kept.
 */
export interface Digests {
  /** MD5 (RFC 1321), 16 bytes. Only for the long-term key that RFC 8489 section 9.2.2 defines so. */
  md5(out: Uint8Array, input: Uint8Array): void;

  /** SHA-256 (FIPS 180-4), 32 bytes. */
  sha256(out: Uint8Array, input: Uint8Array): void;

  /** HMAC-SHA1 (RFC 2104), 20 bytes, over `bytes[offset .. offset + length)`. The key may have any length. */
  hmacSha1(out: Uint8Array, key: Uint8Array, bytes: Uint8Array, offset: number, length: number): void;

  /** HMAC-SHA256, 32 bytes, likewise. */
  hmacSha256(out: Uint8Array, key: Uint8Array, bytes: Uint8Array, offset: number, length: number): void;
}

export const MD5_BYTES = 16;
export const SHA1_BYTES = 20;
export const SHA256_BYTES = 32;
