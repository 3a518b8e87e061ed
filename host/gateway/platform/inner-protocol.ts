/**
 * What the outer and the inner process of rootless mode say to each other, over Node's IPC channel: a socket pair
 * that nobody else can open, so secrets may pass, and sockets with them (SCM_RIGHTS).
 */

import type { ForwardLimits } from './forward-limits.js';
import type { ForwardRule } from './forward-rule.js';
import type { ModeChoice } from './tunnel.js';

/** Set in the inner process's environment, so that it knows what it is. No secret. */
export const INNER_VARIABLE = 'CLOUDBRIDGE_GATEWAY_INNER';

/** Asked by the inner process; each is answered once, under its number. */
export type InnerQuestion =
  /** Answered by `Welcome`. */
  | { readonly kind: 'join' }
  | { readonly kind: 'resolve'; readonly name: string }
  | { readonly kind: 'measure-mtu'; readonly endpoints: readonly string[] }
  /** Answered with the connected socket as the handle. */
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  /** Answered by `BoundUdp` and, as the handle, the IPv4 socket. */
  | { readonly kind: 'bind-udp'; readonly port: number }
  /** The IPv6 socket of the last `bind-udp`: a message carries one handle only. */
  | { readonly kind: 'take-udp6' }
  /** Answered with the listener as the handle. */
  | { readonly kind: 'listen'; readonly rule: ForwardRule }
  /** Comes with the listener as the handle. */
  | { readonly kind: 'serve'; readonly rule: ForwardRule; readonly limits: ForwardLimits };

export interface Welcome {
  readonly choice: ModeChoice;
  readonly payload: unknown;
}

export interface BoundUdp {
  readonly port: number;
  readonly hasIpv6: boolean;
}

export interface Question {
  readonly number: number;
  readonly question: InnerQuestion;
}

export interface Answer {
  readonly number: number;
  readonly value?: unknown;
  /** The question failed: what a `GatewayError` is made of. */
  readonly error?: { readonly exitCode: number; readonly sentence: string };
}
