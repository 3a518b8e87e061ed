/**
 * What the WireGuard paper fixes ("WireGuard: Next Generation Kernel Network Tunnel", Donenfeld, sections 5 and 6).
 * Our own choices are in `limits.ts`.
 */

/** Intervals in ms. Replaceable so that tests can live through days; a product keeps the defaults. */
export interface Timing {
  readonly rekeyAfterTime: number;
  readonly rejectAfterTime: number;
  readonly rekeyAttemptTime: number;
  readonly rekeyTimeout: number;
  readonly keepaliveTimeout: number;
  /** A cookie secret, and a cookie received, live this long. */
  readonly cookieSecretMaxAge: number;
}

/** Paper, section 6.1, table of constants. */
export const TIMING: Timing = Object.freeze({
  rekeyAfterTime: 120_000,
  rejectAfterTime: 180_000,
  rekeyAttemptTime: 90_000,
  rekeyTimeout: 5_000,
  keepaliveTimeout: 10_000,
  cookieSecretMaxAge: 120_000,
});

/** Rekey-After-Messages is 2^60: as two uint32, high half first. */
export const REKEY_AFTER_MESSAGES_HIGH = 0x1000_0000;

/** Reject-After-Messages is 2^64 - 2^13 - 1: counters from this value on are never used. */
export const REJECT_AFTER_MESSAGES_HIGH = 0xffff_ffff;
export const REJECT_AFTER_MESSAGES_LOW = 0xffff_dfff;

/** Plaintext is padded with zeros to a multiple of this (section 5.4.6). */
export const PADDING_MULTIPLE = 16;
