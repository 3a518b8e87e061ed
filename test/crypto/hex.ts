/** Bytes of hexadecimal text, in an array of their own. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** 0, 1, 2 ... */
export function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i);
}
