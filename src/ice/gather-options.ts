/** What the gatherer is told, and what it tells. */

import type { Digests } from '../crypto/digests.js';
import { sameEndpoint } from '../packet/endpoint.js';
import type { LocalCandidate } from './candidate.js';
import type { GatherLimits } from './ice-limits.js';
import type { StunTransactions } from './stun-transactions.js';
import type { TurnClient } from './turn-client.js';
import type { TurnLimits } from './turn-limits.js';

export interface TurnServer {
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** Endpoint record. */
  readonly endpoint: Uint8Array;
  /** The name in its certificate, for TLS. */
  readonly name: string;
  readonly username: string;
  readonly password: string;
  /** Family of the relayed address: 4 (default) or 6. */
  readonly family?: number;
}

export interface GathererHandlers {
  send(to: Uint8Array, bytes: Uint8Array, offset: number, length: number): void;
  /** A new candidate. */
  candidate(candidate: LocalCandidate, now: number): void;
  gathered(now: number): void;
  /** Whether any agent still makes use of mappings that no traffic keeps. */
  searching(): boolean;
  /** A base and its candidates are gone. */
  gone(base: number, now: number): void;
  /** A datagram came through the relay that is this base. */
  relayed(
    base: number,
    from: Uint8Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): void;
  relayChanged(relay: number, client: TurnClient, now: number): void;
}

/** Streams to TURN servers (TCP, TLS), by the number of the relay; the host tells `streamOpened` and so on. */
export interface StreamOpener {
  /** Opens one in place of the relay's one before. */
  openStream?(relay: number, server: TurnServer, endpoint: Uint8Array): void;
  /** Writes a whole message; one that is `data` may be dropped, others must arrive. */
  writeStream?(relay: number, bytes: Uint8Array, offset: number, length: number, data: boolean): void;
  closeStream?(relay: number): void;
}

export interface GathererOptions {
  readonly digests: Digests;
  readonly random: (out: Uint8Array) => void;
  readonly transactions: StunTransactions;
  readonly limits: GatherLimits;
  readonly turn: Partial<TurnLimits> | undefined;
  readonly loopback: boolean;
  readonly streams: StreamOpener;
  readonly handlers: GathererHandlers;
}

/** Whether two settings name one server; credentials may differ. */
export function isSameServer(a: TurnServer, b: TurnServer): boolean {
  return (
    a.transport === b.transport &&
    a.name === b.name &&
    a.family === b.family &&
    sameEndpoint(a.endpoint, 0, b.endpoint, 0)
  );
}
