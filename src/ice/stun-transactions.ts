/**
 * STUN client transactions (RFC 8489 section 6.2): requests in flight, their retransmission over datagrams, and the
 * match of answers to them. Whether an answer is authentic is for its owner to say.
 */

import { DeadlineHeap, type Scheduled } from '../wireguard/deadline-heap.js';
import { TRANSACTION_ID_BYTES } from './stun-constants.js';
import type { StunView } from './stun-view.js';

export interface StunTiming {
  /** ms until the first retransmission, then doubled each time (RFC 8489 section 6.2.1: RTO, 500 ms at least). */
  readonly rto: number;
  /** Requests sent before giving up: Rc. */
  readonly requests: number;
  /** The last wait is this many times the first RTO: Rm. */
  readonly lastWait: number;
  /** ms to wait for an answer over TCP and TLS (RFC 8489 section 6.2.2: Ti). */
  readonly streamTimeout: number;
}

/** RFC 8489 section 6.2.1 and 6.2.2. */
export const STUN_TIMING: StunTiming = Object.freeze({
  rto: 500,
  requests: 7,
  lastWait: 16,
  streamTimeout: 39_500,
});

export interface TransactionOwner {
  /** Sends the request once, at first and at each retransmission. */
  transmit(transaction: StunTransaction): void;
  /**
   * An answer with the right transaction id; `path` tells which way it came, as given to `receive`. True ends the transaction, which is free for other use when this returns;
   * false: the answer is not authentic, and counts as never received (RFC 8489 section 9.1.4).
   */
  answered(
    transaction: StunTransaction,
    answer: StunView,
    from: Uint8Array,
    fromAt: number,
    path: number,
    now: number,
  ): boolean;
  /** No answer came. */
  expired(transaction: StunTransaction, now: number): void;
}

export class StunTransaction implements Scheduled {
  filedAt = 0;
  heapIndex = -1;
  /** The whole request; `length` bytes are used. */
  request: Uint8Array;
  length = 0;
  /** Whatever its owner put there to know it by. */
  subject: unknown;
  /** What the request is for; the owner's own number. */
  kind = 0;
  /** Monotonic ms of the first sending. */
  startedAt = 0;
  /** Monotonic ms of the last sending. */
  touchedAt = 0;
  /** Times sent so far. */
  sent = 0;
  /** Whose it is; undefined when it is free. */
  owner: TransactionOwner | undefined;
  rto = 0;
  /** How often it is sent at most. */
  requests = 1;
  /** The first four bytes of the id: its place in the table. */
  tag = 0;
  /** False: it is still waited for, but no longer sent (RFC 8445 section 7.2.5.1, a cancelled check). */
  retransmit = true;

  constructor(size: number) {
    this.request = new Uint8Array(size);
  }
}

export class StunTransactions {
  readonly #random: (out: Uint8Array) => void;
  readonly #timing: StunTiming;
  readonly #reliable: boolean;
  readonly #most: number;
  readonly #heap = new DeadlineHeap<StunTransaction>();
  readonly #pending = new Map<number, StunTransaction>();
  readonly #free: StunTransaction[] = [];
  readonly #id = new Uint8Array(TRANSACTION_ID_BYTES);

  /** `most` requests may be in flight; over a stream (`reliable`) nothing is sent twice. */
  constructor(
    random: (out: Uint8Array) => void,
    options: { timing?: StunTiming; reliable?: boolean; most?: number } = {},
  ) {
    this.#random = random;
    this.#timing = options.timing ?? STUN_TIMING;
    this.#reliable = options.reliable ?? false;
    this.#most = options.most ?? 256;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Monotonic ms when `advance` is due; Infinity when nothing is in flight. */
  get deadline(): number {
    return this.#heap.earliest;
  }

  /** A fresh id in memory that the next call overwrites: 96 random bits (RFC 8489 section 5). */
  newId(): Uint8Array {
    do this.#random(this.#id);
    while (this.#pending.has(tagOf(this.#id, 0)));
    return this.#id;
  }

  /**
   * Sends a request that was written with an id of `newId`. `rto` is the first wait in ms where the caller knows better
   * than the timing, `requests` how often it is sent. Undefined, with nothing sent, when too many are in flight.
   */
  start(
    owner: TransactionOwner,
    kind: number,
    subject: unknown,
    request: Uint8Array,
    length: number,
    now: number,
    rto = this.#timing.rto,
    requests = this.#timing.requests,
  ): StunTransaction | undefined {
    if (this.#pending.size >= this.#most) return undefined;
    const transaction = this.#free.pop() ?? new StunTransaction(Math.max(length, 192));
    if (transaction.request.length < length) transaction.request = new Uint8Array(length);
    for (let i = 0; i < length; i++) transaction.request[i] = request[i];
    transaction.length = length;
    transaction.owner = owner;
    transaction.kind = kind;
    transaction.subject = subject;
    transaction.startedAt = transaction.touchedAt = now;
    transaction.rto = rto;
    transaction.requests = requests;
    transaction.sent = 1;
    transaction.retransmit = true;
    transaction.tag = tagOf(transaction.request, 8);
    this.#pending.set(transaction.tag, transaction);
    this.#heap.schedule(transaction, now + (this.#reliable ? this.#timing.streamTimeout : rto));
    owner.transmit(transaction);
    return transaction;
  }

  /** Hands an answer to the request's owner. False when nobody asked, or when the owner did not believe it. */
  receive(answer: StunView, from: Uint8Array, fromAt: number, path: number, now: number): boolean {
    const at = answer.transactionId;
    const transaction = this.#pending.get(tagOf(answer.bytes, at));
    if (transaction === undefined) return false;
    for (let i = 4; i < TRANSACTION_ID_BYTES; i++) {
      if (transaction.request[8 + i] !== answer.bytes[at + i]) return false;
    }
    const { tag } = transaction;
    if (!transaction.owner!.answered(transaction, answer, from, fromAt, path, now)) return false;
    this.#end(transaction, tag);
    return true;
  }

  /** Forgets a request; its owner hears no more of it. */
  cancel(transaction: StunTransaction): void {
    if (transaction.owner === undefined) return;
    transaction.owner = undefined;
    transaction.subject = undefined;
    this.#pending.delete(transaction.tag);
    this.#heap.remove(transaction);
    this.#free.push(transaction);
  }

  /** Forgets all requests of an owner. */
  cancelAll(owner: TransactionOwner): void {
    for (const transaction of [...this.#pending.values()]) {
      if (transaction.owner === owner) this.cancel(transaction);
    }
  }

  /** Sends again what is due, and tells owners what was never answered. */
  advance(now: number): void {
    for (let due = this.#heap.popDue(now); due !== undefined; due = this.#heap.popDue(now)) {
      if (this.#reliable || due.sent >= due.requests) {
        const { tag } = due;
        due.owner!.expired(due, now);
        this.#end(due, tag);
        continue;
      }
      due.sent++;
      due.touchedAt = now;
      // RFC 8489 section 6.2.1: waits double; the one after the last request is Rm times the first.
      const wait =
        due.sent === due.requests ? due.rto * this.#timing.lastWait : due.rto * 2 ** (due.sent - 1);
      this.#heap.schedule(due, now + wait);
      if (due.retransmit) due.owner!.transmit(due);
    }
  }

  /** Unless its owner has ended it meanwhile, and perhaps begun another in its memory. */
  #end(transaction: StunTransaction, tag: number): void {
    if (transaction.owner !== undefined && transaction.tag === tag) this.cancel(transaction);
  }
}

function tagOf(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
