/** The STUN messages of connectivity checks (RFC 8445 section 7). */

import type { Digests } from '../crypto/digests.js';
import {
  CLASS_ERROR,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  ERROR_CODE,
  ERROR_ROLE_CONFLICT,
  ERROR_UNKNOWN_ATTRIBUTE,
  FINGERPRINT,
  ICE_CONTROLLED,
  ICE_CONTROLLING,
  MESSAGE_INTEGRITY,
  METHOD_BINDING,
  PRIORITY,
  UNKNOWN_ATTRIBUTES,
  USE_CANDIDATE,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from './stun-constants.js';
import type { StunView } from './stun-view.js';
import { StunWriter } from './stun-writer.js';

/** Two user fragments of 256 characters and everything else. */
const CHECK_BYTES = 640;

/** What a check may contain that has to be understood. */
export const CHECK_ATTRIBUTES: readonly number[] = Object.freeze([
  USERNAME,
  MESSAGE_INTEGRITY,
  PRIORITY,
  USE_CANDIDATE,
  ICE_CONTROLLED,
  ICE_CONTROLLING,
  FINGERPRINT,
]);

export class CheckMessages {
  readonly writer: StunWriter;

  constructor(digests: Digests) {
    this.writer = new StunWriter(digests, CHECK_BYTES);
  }

  /**
   * A check. `username` is `theirs:ours`, `key` the peer's password (RFC 8445 section 7.2.2); `priority` that of the
   * peer-reflexive candidate which the peer may learn from it (section 7.1.1).
   */
  check(
    id: Uint8Array,
    username: string,
    key: Uint8Array,
    priority: number,
    controlling: boolean,
    tieBreaker: Uint8Array,
    nominate: boolean,
  ): void {
    const { writer } = this;
    writer.begin(CLASS_REQUEST, METHOD_BINDING, id, 0);
    writer.text(USERNAME, username);
    writer.u32(PRIORITY, priority);
    writer.attribute(controlling ? ICE_CONTROLLING : ICE_CONTROLLED, tieBreaker);
    if (nominate) writer.reserve(USE_CANDIDATE, 0);
    this.#finish(key);
  }

  /** Section 7.3.1.2; also the plain answer of a STUN server, when there is no key. */
  success(request: StunView, from: Uint8Array, fromAt: number, key: Uint8Array | undefined): void {
    const { writer } = this;
    writer.begin(CLASS_SUCCESS, METHOD_BINDING, request.bytes, request.transactionId);
    writer.address(XOR_MAPPED_ADDRESS, from, fromAt);
    this.#finish(key);
  }

  /** Section 7.3.1.1. */
  roleConflict(request: StunView, key: Uint8Array): void {
    this.writer.begin(CLASS_ERROR, METHOD_BINDING, request.bytes, request.transactionId);
    this.writer.error(ERROR_CODE, ERROR_ROLE_CONFLICT, 'Role Conflict');
    this.#finish(key);
  }

  /** RFC 8489 section 6.3.1.1. */
  unknownAttribute(request: StunView, type: number, key: Uint8Array): void {
    const { writer } = this;
    writer.begin(CLASS_ERROR, METHOD_BINDING, request.bytes, request.transactionId);
    writer.error(ERROR_CODE, ERROR_UNKNOWN_ATTRIBUTE, 'Unknown Attribute');
    const at = writer.reserve(UNKNOWN_ATTRIBUTES, 2);
    writer.bytes[at] = type >>> 8;
    writer.bytes[at + 1] = type;
    this.#finish(key);
  }

  #finish(key: Uint8Array | undefined): void {
    if (key !== undefined) this.writer.integrity(key);
    this.writer.fingerprint();
  }
}

/** Negative, 0 or positive as the tie-breaker in the attribute found last is below, at or above `ours`. */
export function compareTieBreaker(message: StunView, ours: Uint8Array): number {
  for (let i = 0; i < 8; i++) {
    const difference = message.bytes[message.value + i] - ours[i];
    if (difference !== 0) return difference;
  }
  return 0;
}
