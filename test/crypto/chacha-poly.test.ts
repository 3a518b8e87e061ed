import { chacha20 } from '@noble/ciphers/chacha.js';
import { describe, expect, it } from 'vitest';
import { ChaChaPoly } from '../../src/crypto/chacha-poly.js';
import { hex, toHex } from './hex.js';
import { open, seal } from './reference/aead.js';
import { Seeded } from './seeded.js';
import vectors from './vectors/chacha20-poly1305.json' with { type: 'json' };

// With any nonce, also those that WireGuard's counter cannot express.
describe('the construction of RFC 8439 section 2.8', () => {
  const aead = new ChaChaPoly(chacha20);

  it.each(vectors.cases)('seals and opens $what', ({ key, nonce, ad, plaintext, ciphertext, tag }) => {
    const buffer = hex(plaintext + '00'.repeat(16));
    aead.seal(hex(key), hex(nonce), buffer, 0, plaintext.length / 2, hex(ad));
    expect(toHex(buffer)).toBe(ciphertext + tag);
    expect(aead.open(hex(key), hex(nonce), buffer, 0, buffer.length, hex(ad))).toBe(true);
    expect(toHex(buffer.subarray(0, -16))).toBe(plaintext);
  });

  it('agrees with the reference on random nonces, in both directions', () => {
    const random = new Seeded(71);
    for (let length = 0; length < 200; length += 7) {
      const [key, nonce, plaintext, ad] = [
        random.bytes(32),
        random.bytes(12),
        random.bytes(length),
        random.bytes(length % 33),
      ];
      const buffer = new Uint8Array(length + 16);
      buffer.set(plaintext);
      aead.seal(key, nonce, buffer, 0, length, ad);
      expect(toHex(buffer)).toBe(toHex(seal(key, nonce, plaintext, ad)));
      expect(toHex(open(key, nonce, buffer, ad)!)).toBe(toHex(plaintext));
    }
  });
});
