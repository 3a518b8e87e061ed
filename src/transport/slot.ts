/** One transport of a path and all that was measured of it. Times are monotonic ms. */

import { ENDPOINT_BYTES, writeVirtualEndpoint } from '../packet/endpoint.js';
import type { PathOptions } from './path-options.js';
import { score } from './score.js';
import type { Transport } from './transport.js';

/** Weight of a new round trip in the smoothed one (RFC 6298 section 2.3, alpha). */
const SMOOTHING = 1 / 8;

export class Slot {
  readonly transport: Transport;
  readonly index: number;
  /** In the row of the decision table that is in use, from 0; several transports may share one. */
  readonly place: number;
  /** Names this transport to whoever sends on the path. */
  readonly record = new Uint8Array(ENDPOINT_BYTES);
  /** The last authenticated message that came through it. */
  lastReceived = -Infinity;
  /** ms, smoothed; undefined before the first answer. */
  roundTrip: number | undefined;
  /** The probe under way; 0 when there is none. */
  probe = 0;
  probeSent = -Infinity;
  /** Answers since one was missing, and when they began. */
  answers = 0;
  answersSince = Infinity;
  /** Takes part in the race under way. */
  racing = false;
  failures = 0;
  lastFailure = -Infinity;
  /** When it may next be opened, or probed while it does not answer. */
  nextTry = -Infinity;
  #pause: number;
  readonly #options: PathOptions;

  constructor(transport: Transport, index: number, place: number, path: number, options: PathOptions) {
    this.transport = transport;
    this.index = index;
    this.place = place;
    this.#options = options;
    this.#pause = options.returnFirst;
    writeVirtualEndpoint(this.record, 0, path, index);
  }

  get open(): boolean {
    return this.transport.state === 'open';
  }

  get score(): number {
    return score(this.place, this.roundTrip);
  }

  /** Where a message for this transport alone is addressed to. */
  get address(): Uint8Array {
    return this.transport.endpoint ?? this.record;
  }

  /** Answered often enough, without a gap. */
  get proven(): boolean {
    return this.answers >= this.#options.proofs;
  }

  /** For how long it must have answered without a gap: nothing for one that never failed. */
  get stability(): number {
    if (this.failures === 0) return 0;
    return Math.min(this.#options.stabilityMost, this.#options.stability * 2 ** (this.failures - 1));
  }

  /** How long an answer may take before it counts as missing. */
  get patience(): number {
    return Math.max(this.#options.patience, 2 * (this.roundTrip ?? 0) + 50);
  }

  asked(id: number, now: number): void {
    this.probe = id;
    this.probeSent = now;
  }

  answered(now: number): void {
    const time = now - this.probeSent;
    this.roundTrip =
      this.roundTrip === undefined ? time : this.roundTrip + SMOOTHING * (time - this.roundTrip);
    this.probe = 0;
    if (this.answers++ === 0) this.answersSince = now;
    this.#pause = this.#options.returnFirst;
    if (this.failures > 0 && now - this.lastFailure > this.#options.forgiveAfter) this.failures = 0;
  }

  /** True when an answer is overdue; the row of answers then ends. */
  overdue(now: number): boolean {
    if (this.probe === 0 || now - this.probeSent < this.patience) return false;
    this.probe = 0;
    this.answers = 0;
    this.answersSince = Infinity;
    return true;
  }

  /** It was in use, and ended or fell silent. */
  failed(now: number): void {
    this.failures++;
    this.lastFailure = now;
    this.probe = 0;
    this.answers = 0;
    this.answersSince = Infinity;
    this.#pause = this.#options.returnFirst;
    this.postpone(now);
  }

  /** The next try comes after a pause that doubles. */
  postpone(now: number): void {
    this.nextTry = now + this.#pause;
    this.#pause = Math.min(this.#options.returnMost, this.#pause * 2);
  }

  /** Another network, another try. */
  forgive(now: number): void {
    this.failures = 0;
    this.answers = 0;
    this.answersSince = Infinity;
    this.probe = 0;
    this.nextTry = now;
    this.#pause = this.#options.returnFirst;
  }
}
