/** What a TURN allocation's state is and why: one list for status, console and log. */

import {
  ERROR_ALLOCATION_MISMATCH,
  ERROR_ALLOCATION_QUOTA,
  ERROR_FAMILY_NOT_SUPPORTED,
  ERROR_FORBIDDEN,
  ERROR_INSUFFICIENT_CAPACITY,
  ERROR_UNAUTHENTICATED,
  ERROR_UNSUPPORTED_TRANSPORT,
  ERROR_WRONG_CREDENTIALS,
} from './stun-constants.js';

export type TurnState =
  | 'stopped'
  /** A stream to the server is being opened. */
  | 'connecting'
  | 'allocating'
  | 'allocated'
  /** It will be tried again at a time of its own, or when something changes. */
  | 'failed';

export type TurnReason =
  | 'not-started'
  | 'asked-server'
  | 'allocated'
  /** The server sent us to another one. */
  | 'redirected'
  | 'no-response'
  | 'connection-failed'
  | 'connection-lost'
  /** 401 or 441 to a signed request. */
  | 'wrong-credentials'
  /** 403. */
  | 'forbidden'
  /** 437: the server has an allocation of ours from before, or has lost the one we had. */
  | 'allocation-mismatch'
  /** 440. */
  | 'family-not-supported'
  /** 442. */
  | 'transport-not-supported'
  /** 486. */
  | 'quota-reached'
  /** 508. */
  | 'no-capacity'
  /** 438 again and again. */
  | 'nonce-never-fresh'
  | 'too-many-redirects'
  | 'bid-down'
  | 'no-common-algorithm'
  | 'malformed-answer'
  /** Any other error code; `serverSaid` has it. */
  | 'refused';

export function turnReasonOf(code: number): TurnReason {
  switch (code) {
    case ERROR_UNAUTHENTICATED:
    case ERROR_WRONG_CREDENTIALS:
      return 'wrong-credentials';
    case ERROR_FORBIDDEN:
      return 'forbidden';
    case ERROR_ALLOCATION_MISMATCH:
      return 'allocation-mismatch';
    case ERROR_FAMILY_NOT_SUPPORTED:
      return 'family-not-supported';
    case ERROR_UNSUPPORTED_TRANSPORT:
      return 'transport-not-supported';
    case ERROR_ALLOCATION_QUOTA:
      return 'quota-reached';
    case ERROR_INSUFFICIENT_CAPACITY:
      return 'no-capacity';
    default:
      return 'refused';
  }
}

/** Nothing but new settings, here or at the server, can mend these; they are tried again rarely. */
export function isFinal(reason: TurnReason): boolean {
  return (
    reason === 'wrong-credentials' ||
    reason === 'family-not-supported' ||
    reason === 'transport-not-supported' ||
    reason === 'bid-down' ||
    reason === 'no-common-algorithm'
  );
}

/** RFC 8656 section 7.4: after these the client waits a minute at least. */
export function isCrowded(reason: TurnReason): boolean {
  return reason === 'quota-reached' || reason === 'no-capacity';
}
