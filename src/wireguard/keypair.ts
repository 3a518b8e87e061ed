/** Transport keys of one session, and those a peer may hold at a time (paper, sections 5.4.5 and 6). */

import {
  REJECT_AFTER_MESSAGES_HIGH,
  REJECT_AFTER_MESSAGES_LOW,
  REKEY_AFTER_MESSAGES_HIGH,
  type Timing,
} from './constants.js';
import type { Limits } from './limits.js';
import type { Peer } from './peer.js';
import { ReplayFilter } from './replay.js';

export class Keypair {
  readonly peer: Peer;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly isInitiator: boolean;
  /** Monotonic ms. */
  readonly createdAt: number;
  readonly sendKey = new Uint8Array(32);
  readonly receiveKey = new Uint8Array(32);
  readonly replay: ReplayFilter;
  /** Next counter to send with. */
  sendLow = 0;
  sendHigh = 0;
  /** First counter of the last `takeCounters`. */
  takenLow = 0;
  takenHigh = 0;
  /** Messages accepted, and the greatest of their counters plus one (exact below 2^53). 0 where nobody counts them. */
  heard = 0;
  heardUpTo = 0;
  /** For a data plane that keeps keys elsewhere: where; -1 nowhere. */
  slot = -1;
  /** Where the send counter is when several threads seal under this pair; `sendLow` and `sendHigh` then follow it. */
  counters: SendCounters | undefined;
  erased = false;

  constructor(
    peer: Peer,
    localIndex: number,
    remoteIndex: number,
    isInitiator: boolean,
    createdAt: number,
    limits: Limits,
  ) {
    this.peer = peer;
    this.localIndex = localIndex;
    this.remoteIndex = remoteIndex;
    this.isInitiator = isInitiator;
    this.createdAt = createdAt;
    this.replay = new ReplayFilter(limits.replayWindow);
  }

  /**
   * Reserves `count` consecutive send counters, the first of which is then in `takenLow`/`takenHigh`. False, and
   * nothing reserved, when one of them would reach Reject-After-Messages: a counter is never used twice.
   */
  takeCounters(count: number): boolean {
    if (this.counters) return this.counters.take(this, count);
    let low = this.sendLow + count;
    let high = this.sendHigh;
    if (low > 0xffff_ffff) {
      low -= 0x1_0000_0000;
      high++;
      if (high > 0xffff_ffff) return false;
    }
    // `high:low` is the counter after the last one taken.
    if (high === REJECT_AFTER_MESSAGES_HIGH && low > REJECT_AFTER_MESSAGES_LOW) return false;
    this.takenLow = this.sendLow;
    this.takenHigh = this.sendHigh;
    this.sendLow = low;
    this.sendHigh = high;
    return true;
  }

  /** A message with this counter was accepted. */
  hear(low: number, high: number): void {
    this.heard++;
    const upTo = high * 0x1_0000_0000 + low + 1;
    if (upTo > this.heardUpTo) this.heardUpTo = upTo;
  }

  get sendExhausted(): boolean {
    return this.sendHigh === REJECT_AFTER_MESSAGES_HIGH && this.sendLow >= REJECT_AFTER_MESSAGES_LOW;
  }

  /** True once a new handshake should follow the next packet sent (section 6.2). */
  wantsRekeyOnSend(now: number, timing: Timing): boolean {
    return (
      this.sendHigh >= REKEY_AFTER_MESSAGES_HIGH ||
      (this.isInitiator && now - this.createdAt > timing.rekeyAfterTime)
    );
  }

  /** Likewise for the next packet received: early enough that the session does not die of one-way traffic. */
  wantsRekeyOnReceive(now: number, timing: Timing): boolean {
    const age = timing.rejectAfterTime - timing.keepaliveTimeout - timing.rekeyTimeout;
    return this.isInitiator && now - this.createdAt > age;
  }

  expired(now: number, timing: Timing): boolean {
    return this.erased || now - this.createdAt > timing.rejectAfterTime;
  }

  erase(): void {
    this.erased = true;
    this.sendKey.fill(0);
    this.receiveKey.fill(0);
  }
}

/** A send counter that a data plane shares among threads. */
export interface SendCounters {
  /** As {@link Keypair.takeCounters}; sets `takenLow`, `takenHigh`, `sendLow` and `sendHigh` of the pair. */
  take(keypair: Keypair, count: number): boolean;
}

/** Told when keys come and go; a data plane in other memory copies and wipes them at these moments. */
export interface KeypairObserver {
  keypairInstalled(keypair: Keypair): void;
  keypairErased(keypair: Keypair): void;
  /** The peer's endpoint is another. */
  endpointChanged?(peer: Peer): void;
  /** The pair to send with may be another, or none. */
  currentChanged?(peer: Peer): void;
}

/**
 * The key pairs of a peer: the paper's previous, current and next, and one more retired pair. When two initiations
 * cross, each end sends under the pair it made itself, which at the other end has been retired already; the second
 * place keeps what is then under way from being lost to the handshake after. Pairs that fall out are given to `drop`.
 */
export class KeypairRing {
  older: Keypair | undefined;
  previous: Keypair | undefined;
  current: Keypair | undefined;
  next: Keypair | undefined;
  readonly #drop: (keypair: Keypair) => void;

  constructor(drop: (keypair: Keypair) => void) {
    this.#drop = drop;
  }

  /**
   * A pair we initiated may be used at once. One we answered waits as `next`, unused for sending, until the
   * initiator's first packet under it proves that the keys are shared.
   */
  install(keypair: Keypair): void {
    const { next } = this;
    if (!keypair.isInitiator) {
      this.next = keypair;
      // Never confirmed: the initiator gave up on it.
      if (next) this.#drop(next);
      return;
    }
    this.next = undefined;
    this.#retire(this.current);
    // The waiting pair is younger than the current one: the other end may be about to use it.
    this.#retire(next);
    this.current = keypair;
  }

  /** Called for each authenticated message: moves `next` up on its first use. True when it did. */
  confirm(keypair: Keypair): boolean {
    if (keypair !== this.next) return false;
    this.next = undefined;
    this.#retire(this.current);
    this.current = keypair;
    return true;
  }

  clear(): void {
    const { older, previous, current, next } = this;
    this.older = this.previous = this.current = this.next = undefined;
    for (const keypair of [older, previous, current, next]) if (keypair) this.#drop(keypair);
  }

  /** Still opens what is under way, is never sent with again. */
  #retire(keypair: Keypair | undefined): void {
    if (!keypair) return;
    const { older } = this;
    this.older = this.previous;
    this.previous = keypair;
    if (older) this.#drop(older);
  }
}
