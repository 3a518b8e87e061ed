/** test/crypto/hex.ts without Node's Buffer. */

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i);
}
