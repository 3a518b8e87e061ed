/** A path as its owner sees it: which transport carries the datagrams, what the others are good for, and why. */

import type { PathReason } from './journal.js';
import type { PeerPath } from './path.js';
import type { TransportKind, TransportReason, TransportState } from './transport.js';

export interface PathView {
  /** `null` during a race. */
  readonly active: TransportKind | null;
  /** Why that one: the decision that chose it. */
  readonly reason: PathReason;
  /** Seconds since then. */
  readonly since: number;
  readonly suspected: boolean;
  /** `null` while nobody knows whether the peer answers probes. */
  readonly probesAnswered: boolean | null;
  readonly network: string;
  /** Datagrams that no transport took. */
  readonly dropped: number;
  /** Bytes of optional probes that may still be spent at once. */
  readonly budget: number;
  readonly transports: readonly TransportView[];
  /** Oldest first. */
  readonly decisions: readonly DecisionView[];
}

export interface TransportView {
  readonly kind: TransportKind;
  readonly name: string;
  readonly state: TransportState;
  readonly reason: TransportReason;
  readonly detail: string;
  readonly role: 'active' | 'companion' | 'other';
  /** In the decision table, from 0. */
  readonly place: number;
  readonly score: number;
  /** ms; `null` while unknown. */
  readonly roundTrip: number | null;
  /** Seconds since something authenticated came; `null`: never. */
  readonly heard: number | null;
  /** Probes answered in a row. */
  readonly answers: number;
  readonly failures: number;
  /** Seconds until it is tried again, 0 when it may be at once. */
  readonly nextTry: number;
  /** Bytes it adds to a datagram, and the largest that it carries. */
  readonly overhead: number;
  readonly mtu: number;
}

export interface DecisionView {
  /** Seconds ago, the last time. */
  readonly ago: number;
  readonly times: number;
  readonly reason: PathReason;
  readonly transport: string;
  readonly numbers: Readonly<Record<string, number>>;
}

/** Decisions that say which transport is active. */
const CHOICES: readonly PathReason[] = Object.freeze([
  'race-started',
  'first-that-works',
  'better-path',
  'active-silent',
  'active-closed',
  'all-silent',
]);

/** `now` is monotonic ms. */
export function pathView(path: PeerPath, now: number): PathView {
  const { active, companion, journal } = path;
  let reason: PathReason = 'race-started';
  for (const decision of journal.decisions) if (CHOICES.includes(decision.reason)) reason = decision.reason;
  return {
    active: active?.transport.kind ?? null,
    reason,
    since: seconds(now - (active ? path.activeSince : (journal.decisions[0]?.at ?? now))),
    suspected: path.suspected,
    probesAnswered: path.probesAnswered ?? null,
    network: path.network,
    dropped: path.dropped,
    budget: Math.round(path.budget.credit),
    transports: path.slots.map((slot) => {
      const { transport } = slot;
      return {
        kind: transport.kind,
        name: transport.name,
        state: transport.state,
        reason: transport.reason,
        detail: transport.detail,
        role: slot === active ? 'active' : slot === companion ? 'companion' : 'other',
        place: slot.place,
        score: Math.round(slot.score),
        roundTrip: slot.roundTrip === undefined ? null : Math.round(slot.roundTrip * 10) / 10,
        heard: slot.lastReceived === -Infinity ? null : seconds(now - slot.lastReceived),
        answers: slot.answers,
        failures: slot.failures,
        nextTry: Math.max(0, seconds(slot.nextTry - now)),
        overhead: transport.overhead,
        mtu: transport.mtu,
      };
    }),
    decisions: journal.decisions.map((decision) => ({
      ago: seconds(now - decision.last),
      times: decision.times,
      reason: decision.reason,
      transport: decision.transport,
      numbers: decision.numbers,
    })),
  };
}

function seconds(ms: number): number {
  return Number.isFinite(ms) ? Math.round(ms / 100) / 10 : 0;
}
