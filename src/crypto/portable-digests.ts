/** The digests of STUN over `@noble/hashes`: the readable twin of what boards do in C. */

import { hmac } from '@noble/hashes/hmac.js';
import { md5, sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { requireBytes, requireLength } from './bounds.js';
import { type Digests, MD5_BYTES, SHA1_BYTES, SHA256_BYTES } from './digests.js';

export class PortableDigests implements Digests {
  md5(out: Uint8Array, input: Uint8Array): void {
    requireLength(out, MD5_BYTES, 'the digest');
    out.set(md5(input));
  }

  sha256(out: Uint8Array, input: Uint8Array): void {
    requireLength(out, SHA256_BYTES, 'the digest');
    out.set(sha256(input));
  }

  hmacSha1(out: Uint8Array, key: Uint8Array, bytes: Uint8Array, offset: number, length: number): void {
    requireLength(out, SHA1_BYTES, 'the hmac');
    requireBytes(bytes, offset, length);
    out.set(hmac(sha1, key, bytes.subarray(offset, offset + length)));
  }

  hmacSha256(out: Uint8Array, key: Uint8Array, bytes: Uint8Array, offset: number, length: number): void {
    requireLength(out, SHA256_BYTES, 'the hmac');
    requireBytes(bytes, offset, length);
    out.set(hmac(sha256, key, bytes.subarray(offset, offset + length)));
  }
}
