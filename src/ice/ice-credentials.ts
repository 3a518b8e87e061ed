/** ICE's own user fragment and password (RFC 8445 section 5.3, RFC 8839 section 5.4). */

import { isIceText } from './candidate-text.js';

export interface IceCredentials {
  /** 4 to 256 characters. */
  readonly ufrag: string;
  /** 22 to 256 characters; a secret of the two agents and whoever carries their signaling. */
  readonly password: string;
}

/** RFC 8839 section 5.4: `ice-char`. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** RFC 8445 section 5.3 asks for 24 bits and 128 bits of randomness; these have 48 and 144. */
const UFRAG_CHARACTERS = 8;
const PASSWORD_CHARACTERS = 24;

export function makeIceCredentials(random: (out: Uint8Array) => void): IceCredentials {
  const bytes = new Uint8Array(UFRAG_CHARACTERS + PASSWORD_CHARACTERS);
  random(bytes);
  let text = '';
  for (const byte of bytes) text += ALPHABET[byte & 63];
  bytes.fill(0);
  return { ufrag: text.slice(0, UFRAG_CHARACTERS), password: text.slice(UFRAG_CHARACTERS) };
}

export function areIceCredentials(ufrag: string, password: string): boolean {
  return isIceText(ufrag, 4, 256) && isIceText(password, 22, 256);
}
