/** ChaCha20 as RFC 8439 section 2.3 and 2.4 say it, and HChaCha20 of draft-irtf-cfrg-xchacha-03 section 2.2. */

function words(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function bytesOf(state: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * state.length);
  const view = new DataView(bytes.buffer);
  state.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return bytes;
}

/** "expand 32-byte k" */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

function quarterRound(s: number[], a: number, b: number, c: number, d: number): void {
  const step = (x: number, y: number, z: number, bits: number) => {
    s[x] = (s[x]! + s[y]!) >>> 0;
    const v = s[z]! ^ s[x]!;
    s[z] = ((v << bits) | (v >>> (32 - bits))) >>> 0;
  };
  step(a, b, d, 16);
  step(c, d, b, 12);
  step(a, b, d, 8);
  step(c, d, b, 7);
}

function twentyRounds(state: readonly number[]): number[] {
  const s = [...state];
  for (let i = 0; i < 10; i++) {
    quarterRound(s, 0, 4, 8, 12);
    quarterRound(s, 1, 5, 9, 13);
    quarterRound(s, 2, 6, 10, 14);
    quarterRound(s, 3, 7, 11, 15);
    quarterRound(s, 0, 5, 10, 15);
    quarterRound(s, 1, 6, 11, 12);
    quarterRound(s, 2, 7, 8, 13);
    quarterRound(s, 3, 4, 9, 14);
  }
  return s;
}

export function chacha20Block(key: Uint8Array, counter: number, nonce: Uint8Array): Uint8Array {
  const state = [...CONSTANTS, ...words(key), counter, ...words(nonce)];
  return bytesOf(twentyRounds(state).map((word, i) => (word + state[i]!) >>> 0));
}

export function chacha20(key: Uint8Array, counter: number, nonce: Uint8Array, text: Uint8Array): Uint8Array {
  const out = Uint8Array.from(text);
  for (let at = 0; at < text.length; at += 64) {
    const stream = chacha20Block(key, counter + at / 64, nonce);
    for (let i = 0; i < 64 && at + i < text.length; i++) out[at + i]! ^= stream[i]!;
  }
  return out;
}

export function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const s = twentyRounds([...CONSTANTS, ...words(key), ...words(nonce)]);
  return bytesOf([...s.slice(0, 4), ...s.slice(12)]);
}
