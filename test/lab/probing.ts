import type { Bytes } from '../wireguard/reference/symmetric.js';

/** How long a test listens for an answer that must not come, in ms; answers on a lab's cable take a few. */
export const SILENCE = 150;
/** How long it waits for an answer that must come. */
export const PATIENCE = 2000;

/** A copy of a message with one byte set to `value`. */
export function changed(message: Bytes, at: number, value: number): Bytes {
  const copy = message.slice();
  copy[at] = value;
  return copy;
}
