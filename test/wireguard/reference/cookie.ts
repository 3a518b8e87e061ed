/**
 * mac1, mac2 and cookie replies: the paper's sections 5.4.4 and 5.4.7.
 */
import { randomBytes } from 'node:crypto';
import { ascii, type Bytes, concat, equal, hash, mac, xaeadOpen, xaeadSeal } from './symmetric.js';

export const COOKIE_REPLY_BYTES = 64;

/** A handshake message with the two macs put behind `body`; `cookie` is the last one received, if any. */
export function withMacs(body: Bytes, responderPublicKey: Bytes, cookie?: Bytes): Bytes {
  const mac1 = mac(hash(ascii('mac1----'), responderPublicKey), body);
  const mac2 = cookie ? mac(cookie, concat(body, mac1)) : new Uint8Array(16);
  return concat(body, mac1, mac2);
}

export function mac1Of(message: Bytes): Bytes {
  return message.slice(message.length - 32, message.length - 16);
}

export function mac2Of(message: Bytes): Bytes {
  return message.slice(message.length - 16);
}

export function mac1IsValid(message: Bytes, ownPublicKey: Bytes): boolean {
  const body = message.slice(0, message.length - 32);
  return equal(mac1Of(message), mac(hash(ascii('mac1----'), ownPublicKey), body));
}

export function mac2IsValid(message: Bytes, cookie: Bytes): boolean {
  return equal(mac2Of(message), mac(cookie, message.slice(0, message.length - 16)));
}

/** The cookie of one source: `source` is its address and port as bytes, `secret` changes every two minutes. */
export function cookieFor(secret: Bytes, source: Bytes): Bytes {
  return mac(secret, source);
}

/** The reply to a handshake message; its receiver index is that message's sender index. */
export function createCookieReply(
  message: Bytes,
  ownPublicKey: Bytes,
  cookie: Bytes,
  nonce: Bytes = new Uint8Array(randomBytes(24)),
): Bytes {
  const key = hash(ascii('cookie--'), ownPublicKey);
  const header = new Uint8Array([3, 0, 0, 0]);
  return concat(header, message.slice(4, 8), nonce, xaeadSeal(key, nonce, cookie, mac1Of(message)));
}

/** The cookie inside a reply to `message`, or `undefined` when the reply does not belong to it. */
export function openCookieReply(reply: Bytes, message: Bytes, remotePublicKey: Bytes): Bytes | undefined {
  if (reply.length !== COOKIE_REPLY_BYTES || !equal(reply.slice(4, 8), message.slice(4, 8))) return undefined;
  const key = hash(ascii('cookie--'), remotePublicKey);
  return xaeadOpen(key, reply.slice(8, 32), reply.slice(32), mac1Of(message));
}
