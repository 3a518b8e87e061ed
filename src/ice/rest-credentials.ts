/**
 * Time-limited TURN credentials (draft-uberti-behave-turn-rest; coturn's `use-auth-secret`): the user name tells when
 * they end, the password is its HMAC under a secret that control plane and TURN server share. A gateway only ever sees
 * the result.
 */

import { type Digests, SHA1_BYTES } from '../crypto/digests.js';
import { bytesOfText } from './text-bytes.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export interface RestCredentials {
  readonly username: string;
  readonly password: string;
}

/** `expires` is in seconds since 1970; `id` names the user in the server's log and quotas. */
export function makeRestCredentials(
  digests: Digests,
  secret: string,
  id: string,
  expires: number,
): RestCredentials {
  const username = `${Math.floor(expires)}:${id}`;
  const mac = new Uint8Array(SHA1_BYTES);
  const input = bytesOfText(username);
  digests.hmacSha1(mac, bytesOfText(secret), input, 0, input.length);
  return { username, password: base64(mac) };
}

/** When the credentials end, in ms since 1970; Infinity for a user name that does not say. */
export function restExpiry(username: string): number {
  const match = /^([0-9]{1,12})(:|$)/.exec(username);
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]) * 1000;
}

/** RFC 4648 section 4. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
    text += ALPHABET[group >>> 18] + ALPHABET[(group >>> 12) & 63];
    text += left > 1 ? ALPHABET[(group >>> 6) & 63] : '=';
    text += left > 2 ? ALPHABET[group & 63] : '=';
  }
  return text;
}
