/** The client's opening handshake of WebSocket (RFC 6455 section 4). */

import { sha1 } from '../../crypto/sha1.js';
import { utf8Bytes } from './utf8.js';
import type { WebAddress } from './web-address.js';

/** Random bytes of a key (section 4.1, point 7). */
export const NONCE_BYTES = 16;
/** Section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** `key` is that of {@link base64} over fresh random bytes. The token must be of the characters of RFC 6750. */
export function upgradeRequest({ path, authority }: WebAddress, key: string, token: string): Uint8Array {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${authority}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    `Authorization: Bearer ${token}`,
  ];
  return utf8Bytes(`${lines.join('\r\n')}\r\n\r\n`);
}

/** Undefined when the headers of a 101 answer this key, otherwise why not (section 4.1, "If the response lacks"). */
export function upgradeFault(headers: ReadonlyMap<string, string>, key: string): string | undefined {
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return 'the server switched to no WebSocket';
  const connection = headers.get('connection')?.toLowerCase().split(',') ?? [];
  if (!connection.some((option) => option.trim() === 'upgrade')) return 'the server did not upgrade';
  if (headers.get('sec-websocket-accept') !== acceptFor(key)) return 'the server’s WebSocket key is wrong';
  // None were offered.
  if (headers.has('sec-websocket-extensions') || headers.has('sec-websocket-protocol')) {
    return 'the server uses what was not offered';
  }
  return undefined;
}

/** Section 4.2.2, point 5.4. */
export function acceptFor(key: string): string {
  return base64(sha1(utf8Bytes(key + GUID)));
}

/** RFC 4648 section 4. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let i = 0; i < 4; i++) {
      text += at + i > bytes.length ? '=' : ALPHABET[(group >>> (18 - 6 * i)) & 63];
    }
  }
  return text;
}
