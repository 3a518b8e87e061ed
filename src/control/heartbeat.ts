/** When a heartbeat is due, which one is unanswered, and whether the control lamp is green: by acknowledgements alone. */

import type { RecordValue } from './shape.js';

/** Heartbeats in a row that may go unanswered before the connection is given up. */
const MISSED_ACKS = 2;

export interface SentHeartbeat {
  readonly id: string;
  readonly sentAt: number;
  readonly facts: RecordValue;
}

export interface HeartbeatTiming {
  /** ms, but for the two shares. */
  readonly heartbeat: number;
  readonly heartbeatJitter: number;
  readonly ackTimeout: number;
  readonly lampIntervals: number;
}

export class Heartbeat {
  /** Monotonic ms of the last acknowledged one. */
  lastAcknowledged = Number.NEGATIVE_INFINITY;
  /** ms between the last one and its acknowledgement. */
  roundTrip: number | undefined;
  /** ms */
  interval: number;
  readonly #timing: HeartbeatTiming;
  readonly #random: () => number;
  #dueAt = Number.POSITIVE_INFINITY;
  #sequence = 0;
  #pending: SentHeartbeat | undefined;
  #missed = 0;

  constructor(timing: HeartbeatTiming, random: () => number) {
    this.#timing = timing;
    this.#random = random;
    this.interval = timing.heartbeat;
  }

  /** The control lamp: acknowledged lately. */
  isHealthy(now: number): boolean {
    return now - this.lastAcknowledged < this.interval * this.#timing.lampIntervals;
  }

  /** A session stands: the first beat is due. */
  begin(now: number): void {
    this.#pending = undefined;
    this.#missed = 0;
    this.#dueAt = now;
  }

  end(): void {
    this.#pending = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** Beats at `at` instead of later. */
  soon(at: number): void {
    this.#dueAt = Math.min(this.#dueAt, at);
  }

  /** One at a time: while one is unanswered the next is not due. Monotonic ms. */
  nextDeadline(): number {
    return this.#pending ? this.#pending.sentAt + this.#timing.ackTimeout : this.#dueAt;
  }

  /** False when too many in a row went unanswered. */
  expire(now: number): boolean {
    if (!this.#pending || now < this.#pending.sentAt + this.#timing.ackTimeout) return true;
    this.#pending = undefined;
    this.#missed++;
    this.#dueAt = now;
    return this.#missed < MISSED_ACKS;
  }

  isDue(now: number): boolean {
    return now >= this.#dueAt && !this.#pending;
  }

  /** The next one, with a time for the one after it; to be given back to `sent` if it left. */
  next(now: number, facts: RecordValue): SentHeartbeat {
    const sequence = ++this.#sequence;
    const jitter = (this.#random() * 2 - 1) * this.#timing.heartbeatJitter;
    this.#dueAt = now + this.interval * (1 + jitter);
    return { id: `h${sequence}`, sentAt: now, facts: { ...facts, seq: sequence } };
  }

  sent(heartbeat: SentHeartbeat): void {
    this.#pending = heartbeat;
  }

  /** The one that was waiting for this acknowledgement; undefined when none was. */
  acknowledged(id: string, now: number): SentHeartbeat | undefined {
    const pending = this.#pending;
    if (pending?.id !== id) return undefined;
    this.#pending = undefined;
    this.#missed = 0;
    this.lastAcknowledged = now;
    this.roundTrip = now - pending.sentAt;
    return pending;
  }
}
