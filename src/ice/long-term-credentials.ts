/**
 * The long-term credential mechanism (RFC 8489 section 9.2) from the client's side: a server challenges with realm and
 * nonce, and every request after that is signed.
 *
 * User names, realms and passwords are taken as they are: no OpaqueString preparation (RFC 8265), which changes nothing
 * in ASCII. Ours are made by a control plane in ASCII.
 */

import { type Digests, MD5_BYTES, SHA256_BYTES } from '../crypto/digests.js';
import {
  ALGORITHM_MD5,
  ALGORITHM_SHA256,
  NONCE,
  PASSWORD_ALGORITHM,
  PASSWORD_ALGORITHMS,
  REALM,
  USERHASH,
  USERNAME,
} from './stun-constants.js';
import type { StunIntegrity } from './stun-integrity.js';
import type { StunView } from './stun-view.js';
import type { StunWriter } from './stun-writer.js';
import { bytesOfText } from './text-bytes.js';

/** RFC 8489 sections 14.9 and 14.10: below 128 characters, 763 bytes at most. */
const MOST_TEXT_BYTES = 763;
/** RFC 8489 section 9.2: a nonce that begins so tells the server's features in its next four characters. */
const NONCE_COOKIE = 'obMatJos2';
/** RFC 8489 section 18.1 with erratum 6290: bits are numbered from the right. */
const FEATURE_PASSWORD_ALGORITHMS = 1;
const FEATURE_USERNAME_ANONYMITY = 2;

export type ChallengeOutcome =
  | 'accepted'
  /** REALM or NONCE is missing or too long. */
  | 'malformed'
  /** The nonce promises algorithms that the message does not name: somebody removed them (RFC 8489 section 9.2.5). */
  | 'bid-down'
  /** None of the algorithms offered is known here. */
  | 'no-common-algorithm';

export class LongTermCredentials {
  readonly username: string;
  readonly #digests: Digests;
  readonly #password: string;
  #realm: Uint8Array | undefined;
  #nonce: Uint8Array | undefined;
  #offered: Uint8Array | undefined;
  #algorithm = 0;
  #anonymous = false;
  #key: Uint8Array | undefined;

  constructor(digests: Digests, username: string, password: string) {
    this.#digests = digests;
    this.username = username;
    this.#password = password;
  }

  /** Whether a challenge was accepted, so that `sign` can. */
  get ready(): boolean {
    return this.#key !== undefined;
  }

  /** Takes REALM, NONCE and PASSWORD-ALGORITHMS from a 401 or 438. */
  challenge(message: StunView): ChallengeOutcome {
    if (!message.find(NONCE) || message.valueLength > MOST_TEXT_BYTES) return 'malformed';
    const nonce = message.copyValue();
    // A 438 may leave the realm as it was; servers send it all the same.
    let realm = this.#realm;
    if (message.find(REALM)) {
      if (message.valueLength > MOST_TEXT_BYTES) return 'malformed';
      realm = message.copyValue();
    }
    if (realm === undefined) return 'malformed';
    const features = nonceFeatures(nonce);
    let algorithm = 0;
    let offered: Uint8Array | undefined;
    if (message.find(PASSWORD_ALGORITHMS)) {
      offered = message.copyValue();
      algorithm = chooseAlgorithm(offered);
      if (algorithm === 0) return 'no-common-algorithm';
    } else if (features & FEATURE_PASSWORD_ALGORITHMS) return 'bid-down';
    this.#nonce = nonce;
    this.#realm = realm;
    this.#offered = offered;
    this.#algorithm = algorithm;
    this.#anonymous = (features & FEATURE_USERNAME_ANONYMITY) !== 0;
    this.#key?.fill(0);
    this.#key = longTermKey(this.#digests, algorithm, bytesOfText(this.username), realm, this.#password);
    return 'accepted';
  }

  /** Forgets the server's challenge: it is another server's turn. */
  reset(): void {
    this.#key?.fill(0);
    this.#key = this.#realm = this.#nonce = this.#offered = undefined;
  }

  /** Appends everything that authenticates the request, which must have nothing behind it but FINGERPRINT. */
  sign(writer: StunWriter): void {
    if (this.#key === undefined || this.#realm === undefined || this.#nonce === undefined) return;
    const username = bytesOfText(this.username);
    if (this.#anonymous) writer.attribute(USERHASH, this.#hash(SHA256_BYTES, joined(username, this.#realm)));
    else writer.attribute(USERNAME, username);
    writer.attribute(REALM, this.#realm);
    writer.attribute(NONCE, this.#nonce);
    if (this.#offered === undefined) {
      writer.integrity(this.#key);
      return;
    }
    // RFC 8489 section 9.2.5: the list goes back as it came, so that the server sees whether it was changed.
    const at = writer.reserve(PASSWORD_ALGORITHM, 4);
    writer.bytes.fill(0, at, at + 4);
    writer.bytes[at + 1] = this.#algorithm;
    writer.attribute(PASSWORD_ALGORITHMS, this.#offered);
    writer.integritySha256(this.#key);
  }

  /** Whether an answer to a signed request comes from who knows the password. */
  verify(integrity: StunIntegrity, message: StunView): boolean {
    if (this.#key === undefined) return false;
    const result =
      this.#offered === undefined ? integrity.sha1(message, this.#key) : integrity.sha256(message, this.#key);
    return result === 'right';
  }

  #hash(size: number, input: Uint8Array): Uint8Array {
    const out = new Uint8Array(size);
    this.#digests.sha256(out, input);
    return out;
  }
}

/** RFC 8489 sections 9.2.2 and 18.5.1; `algorithm` 0 is that of RFC 5389, MD5. */
export function longTermKey(
  digests: Digests,
  algorithm: number,
  username: Uint8Array,
  realm: Uint8Array,
  password: string,
): Uint8Array {
  const input = joined(username, realm, bytesOfText(password));
  const key = new Uint8Array(algorithm === ALGORITHM_SHA256 ? SHA256_BYTES : MD5_BYTES);
  if (algorithm === ALGORITHM_SHA256) digests.sha256(key, input);
  else digests.md5(key, input);
  input.fill(0);
  return key;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  let length = parts.length - 1;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (at > 0) bytes[at++] = 0x3a; // ":"
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** RFC 8489 section 14.11: the first in the server's order that we know and that has no parameters. */
function chooseAlgorithm(list: Uint8Array): number {
  for (let at = 0; at + 4 <= list.length; ) {
    const algorithm = (list[at] << 8) | list[at + 1];
    const parameters = (list[at + 2] << 8) | list[at + 3];
    if (parameters === 0 && (algorithm === ALGORITHM_MD5 || algorithm === ALGORITHM_SHA256)) return algorithm;
    at += 4 + ((parameters + 3) & ~3);
  }
  return 0;
}

/** The 24 feature bits behind the nonce cookie; 0 when there is none. */
function nonceFeatures(nonce: Uint8Array): number {
  if (nonce.length < NONCE_COOKIE.length + 4) return 0;
  for (let i = 0; i < NONCE_COOKIE.length; i++) if (nonce[i] !== NONCE_COOKIE.charCodeAt(i)) return 0;
  let bits = 0;
  for (let i = 0; i < 4; i++) {
    const value = base64Value(nonce[NONCE_COOKIE.length + i]);
    if (value < 0) return 0;
    bits = (bits << 6) | value;
  }
  return bits;
}

function base64Value(code: number): number {
  if (code >= 65 && code <= 90) return code - 65;
  if (code >= 97 && code <= 122) return code - 71;
  if (code >= 48 && code <= 57) return code + 4;
  return code === 43 ? 62 : code === 47 ? 63 : -1;
}
