/** Our own address as one STUN server sees it (RFC 8445 section 5.1.1.2, RFC 8489 Binding). */

import type { Digests } from '../crypto/digests.js';
import { copyEndpoint, ENDPOINT_BYTES, FAMILY_NONE, sameEndpoint } from '../packet/endpoint.js';
import { readStunAddress } from './stun-address.js';
import { CLASS_REQUEST, CLASS_SUCCESS, METHOD_BINDING, XOR_MAPPED_ADDRESS } from './stun-constants.js';
import type { StunTransaction, StunTransactions, TransactionOwner } from './stun-transactions.js';
import type { StunView } from './stun-view.js';
import { StunWriter } from './stun-writer.js';

/** A header and a fingerprint. */
const REQUEST_BYTES = 32;

export type BindingState = 'idle' | 'asked' | 'answered' | 'silent';

export interface BindingHandlers {
  send(server: Uint8Array, bytes: Uint8Array, offset: number, length: number): void;
  /** Whether the mapping is still of use to anybody. */
  wanted(): boolean;
  /** The state or the mapped address has changed. */
  changed(binding: StunBinding, now: number): void;
}

export class StunBinding implements TransactionOwner {
  /** Endpoint record of the server. */
  readonly server = new Uint8Array(ENDPOINT_BYTES);
  /** Endpoint record; family 0 while unknown. */
  readonly mapped = new Uint8Array(ENDPOINT_BYTES);
  state: BindingState = 'idle';
  /** ms between request and answer, undefined before the first. */
  roundTrip: number | undefined;
  readonly #transactions: StunTransactions;
  readonly #handlers: BindingHandlers;
  readonly #writer: StunWriter;
  readonly #refresh: number;
  readonly #record = new Uint8Array(ENDPOINT_BYTES);
  #askAt = Number.POSITIVE_INFINITY;

  /** `refresh` is the time between requests in ms; 0 asks once. */
  constructor(
    digests: Digests,
    transactions: StunTransactions,
    server: Uint8Array,
    refresh: number,
    handlers: BindingHandlers,
  ) {
    this.#transactions = transactions;
    this.#handlers = handlers;
    this.#refresh = refresh;
    this.#writer = new StunWriter(digests, REQUEST_BYTES);
    copyEndpoint(this.server, 0, server, 0);
  }

  get deadline(): number {
    return this.#askAt;
  }

  /** Asks, unless it is being asked. */
  ask(now: number): void {
    this.#askAt = Number.POSITIVE_INFINITY;
    if (this.state === 'asked') return;
    const writer = this.#writer;
    writer.begin(CLASS_REQUEST, METHOD_BINDING, this.#transactions.newId(), 0);
    writer.fingerprint();
    if (this.state !== 'answered') this.state = 'asked';
    this.#transactions.start(this, 0, undefined, writer.bytes, writer.length, now);
  }

  stop(): void {
    this.#transactions.cancelAll(this);
    this.#askAt = Number.POSITIVE_INFINITY;
    this.state = 'idle';
    this.mapped[0] = FAMILY_NONE;
  }

  advance(now: number): void {
    if (this.#askAt > now) return;
    if (this.#handlers.wanted()) this.ask(now);
    else this.#askAt = now + this.#refresh;
  }

  transmit(transaction: StunTransaction): void {
    this.#handlers.send(this.server, transaction.request, 0, transaction.length);
  }

  answered(
    transaction: StunTransaction,
    answer: StunView,
    from: Uint8Array,
    fromAt: number,
    _path: number,
    now: number,
  ): boolean {
    if (!sameEndpoint(from, fromAt, this.server, 0)) return false;
    if (answer.class !== CLASS_SUCCESS || !answer.find(XOR_MAPPED_ADDRESS)) {
      this.expired(transaction, now);
      return true;
    }
    const { bytes, value, valueLength, offset } = answer;
    if (!readStunAddress(this.#record, 0, bytes, value, valueLength, offset)) return false;
    if (transaction.sent === 1) this.roundTrip = now - transaction.startedAt;
    if (this.#refresh > 0) this.#askAt = now + this.#refresh;
    const changed = this.state !== 'answered' || !sameEndpoint(this.mapped, 0, this.#record, 0);
    this.state = 'answered';
    copyEndpoint(this.mapped, 0, this.#record, 0);
    if (changed) this.#handlers.changed(this, now);
    return true;
  }

  expired(_transaction: StunTransaction, now: number): void {
    this.state = 'silent';
    this.mapped[0] = FAMILY_NONE;
    if (this.#refresh > 0) this.#askAt = now + this.#refresh;
    this.#handlers.changed(this, now);
  }
}
