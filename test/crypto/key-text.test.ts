import { describe, expect, it } from 'vitest';
import { bytesFromHex, bytesToHex, keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import { counting } from './hex.js';
import { Seeded } from './seeded.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

describe('a key in base64', () => {
  const random = new Seeded(41);
  const keys = [new Uint8Array(32), new Uint8Array(32).fill(255), counting(32)];
  for (let i = 0; i < 500; i++) keys.push(random.bytes(32));

  it('is written and read as everybody else does', () => {
    for (const key of keys) {
      const text = Buffer.from(key).toString('base64');
      expect(keyToBase64(key)).toBe(text);
      expect(keyFromBase64(text)).toEqual(key);
    }
  });

  it('uses every character at every place', () => {
    for (let place = 0; place < 42; place++) {
      for (const character of ALPHABET) {
        const text = `${'A'.repeat(place)}${character}${'A'.repeat(42 - place)}=`;
        expect(keyFromBase64(text)).toEqual(Uint8Array.from(Buffer.from(text, 'base64')));
      }
    }
  });

  it('has one spelling: leftover bits must be zero', () => {
    const canonical = [...ALPHABET].filter(
      (character) => keyFromBase64(`${'A'.repeat(42)}${character}=`) !== undefined,
    );
    expect(canonical.join('')).toBe('AEIMQUYcgkosw048');
  });

  it('is refused with any character outside the alphabet at any place', () => {
    const text = keyToBase64(counting(32));
    for (let place = 0; place < 44; place++) {
      for (let code = 0; code < 256; code++) {
        const character = String.fromCharCode(code);
        if (place < 43 ? ALPHABET.includes(character) : character === '=') continue;
        const bad = text.slice(0, place) + character + text.slice(place + 1);
        expect(keyFromBase64(bad), `code ${code} at ${place}`).toBeUndefined();
      }
      for (const character of ['\u0141', '\u2003', '\uff21', '\u012b']) {
        expect(keyFromBase64(text.slice(0, place) + character + text.slice(place + 1))).toBeUndefined();
      }
    }
  });

  it.each([
    ['nothing', ''],
    ['a missing pad', keyToBase64(counting(32)).slice(0, 43)],
    ['two pads', `${'A'.repeat(42)}==`],
    ['31 bytes', Buffer.from(counting(31)).toString('base64')],
    ['33 bytes', Buffer.from(counting(33)).toString('base64')],
    ['a space before', ` ${keyToBase64(counting(32))}`],
    ['a line end', `${keyToBase64(counting(32))}\n`],
    ['only pads', '='.repeat(44)],
  ])('is refused: %s', (_, text) => {
    expect(keyFromBase64(text)).toBeUndefined();
  });

  it('throws for a key of another size, without showing it', () => {
    expect(() => keyToBase64(counting(31))).toThrow('31');
  });
});

describe('bytes in hexadecimal', () => {
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);

  it('are written in lower case and read in either', () => {
    const text = Buffer.from(every).toString('hex');
    expect(bytesToHex(every)).toBe(text);
    expect(bytesFromHex(text, 256)).toEqual(every);
    expect(bytesFromHex(text.toUpperCase(), 256)).toEqual(every);
    expect(bytesToHex(new Uint8Array(0))).toBe('');
    expect(bytesFromHex('', 0)).toEqual(new Uint8Array(0));
  });

  it('are refused in any other length', () => {
    const text = bytesToHex(counting(32));
    expect(bytesFromHex(text.slice(1), 32)).toBeUndefined();
    expect(bytesFromHex(`${text}0`, 32)).toBeUndefined();
    expect(bytesFromHex(`${text}00`, 32)).toBeUndefined();
    expect(bytesFromHex(text, 31)).toBeUndefined();
  });

  it('are refused with any other character at any place', () => {
    const text = bytesToHex(counting(32));
    for (let place = 0; place < 64; place++) {
      for (let code = 0; code < 300; code++) {
        const character = String.fromCharCode(code);
        if (/[0-9a-fA-F]/.test(character)) continue;
        expect(bytesFromHex(text.slice(0, place) + character + text.slice(place + 1), 32)).toBeUndefined();
      }
    }
  });
});
