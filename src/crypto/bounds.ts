/**
 * Throws when `bytes` bytes from `offset` do not lie inside `buffer`. Typed arrays clamp a view that is too
 * long instead of refusing it, which would silently seal or authenticate fewer bytes than the caller named.
 */
export function requireBytes(buffer: Uint8Array, offset: number, bytes: number): void {
  if (!(offset >= 0 && bytes >= 0 && offset + bytes <= buffer.length)) {
    throw new RangeError(`${bytes} bytes at ${offset} do not fit a buffer of ${buffer.length}`);
  }
}

/** Throws when `array` has not exactly `bytes` bytes. `what` names the argument; its content is never shown. */
export function requireLength(array: Uint8Array, bytes: number, what: string): void {
  if (array.length !== bytes) throw new RangeError(`${what} has ${array.length} bytes instead of ${bytes}`);
}
