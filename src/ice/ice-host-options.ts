/** What the ICE of a gateway is made with, and what it needs done. */

import type { Digests } from '../crypto/digests.js';
import type { StreamOpener } from './gather-options.js';
import type { GatherLimits, IceLimits } from './ice-limits.js';
import type { TurnClient } from './turn-client.js';
import type { TurnLimits } from './turn-limits.js';

export interface IceHostHandlers extends StreamOpener {
  /** Sends a datagram from the socket that is shared with WireGuard. */
  send(to: Uint8Array, toAt: number, bytes: Uint8Array, offset: number, length: number): void;
  /** A datagram that is none of STUN's came through a relay; `base` is the relay's. */
  relayed(
    base: number,
    from: Uint8Array,
    fromAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): void;
  /** A relay's state or reason has changed. */
  relayChanged?(relay: number, client: TurnClient, now: number): void;
}

export interface IceHostOptions {
  readonly digests: Digests;
  readonly random: (out: Uint8Array) => void;
  readonly handlers: IceHostHandlers;
  readonly limits?: Partial<IceLimits>;
  readonly gather?: Partial<GatherLimits>;
  readonly turn?: Partial<TurnLimits>;
}
