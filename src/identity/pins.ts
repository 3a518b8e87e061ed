/** Pins of the control plane's key: SHA-256 of a SubjectPublicKeyInfo, base64 (as in RFC 7469), a spare one's besides. */

import { keyFromBase64 } from '../crypto/key-text.js';

export type Pins = readonly string[];

export const PIN_BYTES = 32;
const PIN = /^(?:sha256\/)?([A-Za-z0-9+/]{43}=)$/;

/** Undefined when the text is no pin. */
export function parsePin(text: string): string | undefined {
  return PIN.exec(text)?.[1];
}

/** The hashes, one after another. */
export function pinBytes(pins: Pins): Uint8Array {
  const bytes = new Uint8Array(pins.length * PIN_BYTES);
  for (let i = 0; i < pins.length; i++) {
    const hash = keyFromBase64(pins[i]);
    if (!hash) throw new RangeError('a pin is no hash');
    bytes.set(hash, i * PIN_BYTES);
  }
  return bytes;
}
