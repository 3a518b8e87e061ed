import { describe, expect, it } from 'vitest';
import { counting, hex, toHex } from '../hex.js';
import blake2sVectors from '../vectors/blake2s.json' with { type: 'json' };
import chachaVectors from '../vectors/chacha20-poly1305.json' with { type: 'json' };
import polyVectors from '../vectors/poly1305.json' with { type: 'json' };
import xchachaVectors from '../vectors/xchacha20-poly1305.json' with { type: 'json' };
import { concat, open, seal } from './aead.js';
import { blake2s } from './blake2s.js';
import { chacha20Block, hchacha20 } from './chacha20.js';
import { poly1305 } from './poly1305.js';

// The parts of the reference that the interface of the primitives does not reach.
describe('the reference', () => {
  it('makes the ChaCha20 block of RFC 8439', () => {
    const { key, counter, nonce, out } = chachaVectors.block;
    expect(toHex(chacha20Block(hex(key), counter, hex(nonce)))).toBe(out);
  });

  it('makes the HChaCha20 key of the draft', () => {
    const { key, nonce, out } = xchachaVectors.hchacha20;
    expect(toHex(hchacha20(hex(key), hex(nonce)))).toBe(out);
  });

  it.each(polyVectors.cases)('makes the Poly1305 tag: $what', ({ r, s, message, tag }) => {
    expect(toHex(poly1305(hex(r + s), hex(message)))).toBe(tag);
  });

  it.each(chachaVectors.cases)('seals and opens $what', ({ key, nonce, ad, plaintext, ciphertext, tag }) => {
    const sealed = seal(hex(key), hex(nonce), hex(plaintext), hex(ad));
    expect(toHex(sealed)).toBe(ciphertext + tag);
    expect(toHex(open(hex(key), hex(nonce), sealed, hex(ad))!)).toBe(plaintext);
  });

  it('makes the keyed BLAKE2s of the authors', () => {
    const key = hex(blake2sVectors.keyed32.key);
    blake2sVectors.keyed32.out.forEach((out, length) => {
      expect(toHex(blake2s(counting(length), 32, key))).toBe(out);
    });
  });

  it('passes the self-test of RFC 7693 appendix E', () => {
    /** selftest_seq */
    const sequence = (length: number, seed: number) => {
      let a = Math.imul(0xdead4bad, seed) >>> 0;
      let b = 1;
      return Uint8Array.from({ length }, () => {
        const t = (a + b) >>> 0;
        a = b;
        b = t;
        return t >>> 24;
      });
    };
    const digests: Uint8Array[] = [];
    for (const outLength of [16, 20, 28, 32]) {
      for (const inLength of [0, 3, 64, 65, 255, 1024]) {
        const input = sequence(inLength, inLength);
        digests.push(blake2s(input, outLength));
        digests.push(blake2s(input, outLength, sequence(outLength, outLength)));
      }
    }
    expect(toHex(blake2s(concat(...digests)))).toBe(blake2sVectors.selfTest);
  });
});
