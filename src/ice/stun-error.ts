/** ERROR-CODE (RFC 8489 section 14.8). */

import { ERROR_CODE } from './stun-constants.js';
import type { StunView } from './stun-view.js';
import { printable } from './text-bytes.js';

/** RFC 8489 section 14.8: a reason phrase has fewer than 128 characters; more is cut. */
const REASON_CHARACTERS = 127;

/** The code, 300 to 699; 0 when the attribute is missing or malformed. */
export function errorCodeOf(message: StunView): number {
  if (!message.find(ERROR_CODE) || message.valueLength < 4) return 0;
  const hundreds = message.bytes[message.value + 2] & 7;
  const rest = message.bytes[message.value + 3];
  return hundreds < 3 || hundreds > 6 || rest > 99 ? 0 : hundreds * 100 + rest;
}

/** The server's own words, made safe to print. */
export function errorReasonOf(message: StunView): string {
  if (!message.find(ERROR_CODE) || message.valueLength < 4) return '';
  return printable(message.bytes, message.value + 4, Math.min(message.valueLength - 4, REASON_CHARACTERS));
}
