/** A message with foreign bytes around it, so that a read beyond either end gives another result. */
export function surround(message: Uint8Array, filler: number, before: number, after: number): Uint8Array {
  const bytes = new Uint8Array(before + message.length + after).fill(filler);
  bytes.set(message, before);
  return bytes;
}
