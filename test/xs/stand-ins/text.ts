const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let part = 0; part < 4; part++) {
      text += i + part > bytes.length ? '=' : ALPHABET[(word >> (18 - 6 * part)) & 63];
    }
  }
  return text;
}

export function fromBase64(text: string): number[] {
  const bytes: number[] = [];
  let word = 0;
  let bits = 0;
  for (const character of text.replace(/=+$/, '')) {
    word = (word << 6) | ALPHABET.indexOf(character);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((word >> bits) & 0xff);
    word &= (1 << bits) - 1;
  }
  return bytes;
}
