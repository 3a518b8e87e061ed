/** What a TURN client is made with, and what it tells. */

import type { Digests } from '../crypto/digests.js';
import type { StunTransactions } from './stun-transactions.js';
import type { TurnClient } from './turn-client.js';
import type { TurnLimits } from './turn-limits.js';

export interface TurnHandlers {
  /**
   * Sends a whole message to the server. `data`: it carries a datagram and may be dropped rather than queued; over a
   * stream everything else must arrive.
   */
  send(server: Uint8Array, bytes: Uint8Array, offset: number, length: number, data: boolean): void;
  /** Over a stream: opens a connection to this server in place of the one before, then `opened` or `closed`. */
  connect?(server: Uint8Array): void;
  /** A datagram from a peer, in memory that is only valid now. */
  data(
    peer: Uint8Array,
    peerAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): void;
  /** State, reason or relayed address have changed. */
  changed(client: TurnClient, now: number): void;
}

export interface TurnOptions {
  readonly digests: Digests;
  /** Fills an array with random bytes. */
  readonly random: (out: Uint8Array) => void;
  readonly handlers: TurnHandlers;
  /** Endpoint record of the server. */
  readonly server: Uint8Array;
  readonly username: string;
  readonly password: string;
  /** Family of the relayed address: 4 (default) or 6. */
  readonly family?: number;
  /** Over TCP or TLS. */
  readonly stream?: boolean;
  /** Those of a socket that is shared with others; over a stream the client has its own. */
  readonly transactions?: StunTransactions;
  readonly limits?: Partial<TurnLimits>;
}
