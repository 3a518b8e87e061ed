/**
 * Keys as text, as `wg` writes them: base64 of 32 bytes in configuration files (44 characters, RFC 4648 section 4),
 * hexadecimal in the userspace API.
 *
 * Secret keys pass through here, so neither direction looks anything up in a table or branches on a key's
 * content: every character is made or read by arithmetic in the same number of steps. Bad text gives
 * `undefined`; no error ever repeats it, because a mistyped secret is still nearly the secret.
 */

import { KEY_BYTES } from './primitives.js';

const KEY_BASE64_CHARACTERS = 44;

/** A 32-byte key as 44 characters of base64. Throws when the key has another size. */
export function keyToBase64(key: Uint8Array): string {
  if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${key.length}`);
  let text = '';
  for (let i = 0; i < KEY_BYTES - 2; i += 3) {
    const group = (key[i]! << 16) | (key[i + 1]! << 8) | key[i + 2]!;
    text += String.fromCharCode(
      base64Character(group >> 18),
      base64Character((group >> 12) & 63),
      base64Character((group >> 6) & 63),
      base64Character(group & 63),
    );
  }
  // 32 = 10 * 3 + 2: the last two bytes make three characters and one pad.
  const rest = (key[KEY_BYTES - 2]! << 10) | (key[KEY_BYTES - 1]! << 2);
  text += String.fromCharCode(
    base64Character(rest >> 12),
    base64Character((rest >> 6) & 63),
    base64Character(rest & 63),
  );
  return `${text}=`;
}

/**
 * The 32 bytes of a key written in base64, or `undefined`: exactly 44 characters with one `=` at the end, no
 * spaces, and the two bits left over in the last character zero, so that every key has one spelling.
 */
export function keyFromBase64(text: string): Uint8Array | undefined {
  if (text.length !== KEY_BASE64_CHARACTERS || !text.endsWith('=')) return undefined;
  const key = new Uint8Array(KEY_BYTES);
  let bits = 0;
  let bad = 0;
  for (let i = 0, at = 0; i < KEY_BASE64_CHARACTERS - 1; i++) {
    const value = base64Value(text.charCodeAt(i));
    bad |= value; // negative once any character was none of the alphabet
    bits = ((bits << 6) | (value & 63)) & 0xfff;
    // Four characters make three bytes: a byte is complete at the second, third and fourth.
    if (i % 4 !== 0) key[at++] = bits >> (6 - 2 * (i % 4));
  }
  bad |= -(bits & 3);
  if (bad >= 0) return key;
  key.fill(0);
  return undefined;
}

/** Bytes as lower-case hexadecimal. */
export function bytesToHex(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    text += String.fromCharCode(hexCharacter(bytes[i]! >> 4), hexCharacter(bytes[i]! & 15));
  }
  return text;
}

/** `count` bytes written as exactly twice as many hexadecimal digits of either case, or `undefined`. */
export function bytesFromHex(text: string, count: number): Uint8Array | undefined {
  if (text.length !== 2 * count) return undefined;
  const bytes = new Uint8Array(count);
  let bad = 0;
  for (let i = 0; i < count; i++) {
    const high = hexValue(text.charCodeAt(2 * i));
    const low = hexValue(text.charCodeAt(2 * i + 1));
    bad |= high | low;
    bytes[i] = (high << 4) | (low & 15);
  }
  if (bad >= 0) return bytes;
  bytes.fill(0);
  return undefined;
}

/** All ones when `from <= value <= to`, otherwise zero, without a branch. */
function within(value: number, from: number, to: number): number {
  return ((from - 1 - value) & (value - to - 1)) >> 31;
}

function base64Character(value: number): number {
  return (
    (within(value, 0, 25) & (value + 65)) | // A..Z
    (within(value, 26, 51) & (value + 71)) | // a..z
    (within(value, 52, 61) & (value - 4)) | // 0..9
    (within(value, 62, 62) & 43) | // +
    (within(value, 63, 63) & 47) // /
  );
}

/** 0..63, or a negative number for a character outside the alphabet. */
function base64Value(character: number): number {
  const upper = within(character, 65, 90);
  const lower = within(character, 97, 122);
  const digit = within(character, 48, 57);
  const plus = within(character, 43, 43);
  const slash = within(character, 47, 47);
  return (
    (upper & (character - 65)) |
    (lower & (character - 71)) |
    (digit & (character + 4)) |
    (plus & 62) |
    (slash & 63) |
    ~(upper | lower | digit | plus | slash)
  );
}

function hexCharacter(value: number): number {
  return (within(value, 0, 9) & (value + 48)) | (within(value, 10, 15) & (value + 87));
}

/** 0..15, or a negative number for anything but a hexadecimal digit. */
function hexValue(character: number): number {
  const digit = within(character, 48, 57);
  const upper = within(character, 65, 70);
  const lower = within(character, 97, 102);
  return (
    (digit & (character - 48)) |
    (upper & (character - 55)) |
    (lower & (character - 87)) |
    ~(digit | upper | lower)
  );
}
