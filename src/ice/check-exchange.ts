/** Sends checks and consent requests of one agent, and says what became of them (RFC 8445 sections 7.2.4 and 7.2.5). */

import type { Digests } from '../crypto/digests.js';
import { ENDPOINT_BYTES, sameEndpoint } from '../packet/endpoint.js';
import { candidatePriority } from './candidate.js';
import type { CandidatePair } from './candidate-pair.js';
import { CheckMessages } from './check-messages.js';
import type { LocalBases } from './local-base.js';
import { IceRole } from './role.js';
import { readStunAddress } from './stun-address.js';
import { CLASS_ERROR, ERROR_ROLE_CONFLICT, XOR_MAPPED_ADDRESS } from './stun-constants.js';
import { errorCodeOf } from './stun-error.js';
import { StunIntegrity } from './stun-integrity.js';
import type { StunTransaction, StunTransactions, TransactionOwner } from './stun-transactions.js';
import type { StunView } from './stun-view.js';

export const CHECK = 1;
/** A check that nominates. */
export const NOMINATION = 2;
/** RFC 7675 section 5.1: never sent twice. */
export const CONSENT = 3;

export interface CheckResults {
  /** An authenticated success came back the way the request went. */
  succeeded(pair: CandidatePair, kind: number, now: number): void;
  /** The pair is of no use: no answer, a refusal, or an answer from elsewhere. */
  useless(pair: CandidatePair, now: number): void;
  /** 487; `switchRole` when the request was sent in the role we still have. */
  roleConflict(pair: CandidatePair, kind: number, now: number, switchRole: boolean): void;
}

export class CheckExchange implements TransactionOwner {
  readonly messages: CheckMessages;
  readonly #transactions: StunTransactions;
  readonly #bases: LocalBases;
  readonly #role: IceRole;
  readonly #results: CheckResults;
  readonly #integrity: StunIntegrity;
  readonly #mapped = new Uint8Array(ENDPOINT_BYTES);

  constructor(
    digests: Digests,
    transactions: StunTransactions,
    bases: LocalBases,
    role: IceRole,
    results: CheckResults,
  ) {
    this.messages = new CheckMessages(digests);
    this.#integrity = new StunIntegrity(digests);
    this.#transactions = transactions;
    this.#bases = bases;
    this.#role = role;
    this.#results = results;
  }

  /** Undefined when nothing was sent: the peer's credentials are unknown, or too much is in flight. */
  ask(
    pair: CandidatePair,
    kind: number,
    rto: number,
    requests: number,
    now: number,
  ): StunTransaction | undefined {
    const { local, remote, remoteKey } = pair.generation;
    if (remote === undefined || remoteKey === undefined) return undefined;
    const base = this.#bases.bases.find((one) => one.id === pair.local.base);
    this.messages.check(
      this.#transactions.newId(),
      `${remote.ufrag}:${local.ufrag}`,
      remoteKey,
      candidatePriority('prflx', base?.localPreference ?? 0),
      this.#role.controlling,
      this.#role.tieBreaker,
      kind === NOMINATION,
    );
    const { bytes, length } = this.messages.writer;
    return this.#transactions.start(this, kind, pair, bytes, length, now, rto, requests);
  }

  cancel(pair: CandidatePair): void {
    if (pair.transaction !== undefined) this.#transactions.cancel(pair.transaction);
    pair.transaction = undefined;
  }

  cancelAll(): void {
    this.#transactions.cancelAll(this);
  }

  transmit(transaction: StunTransaction): void {
    const pair = transaction.subject as CandidatePair;
    const { request, length, touchedAt } = transaction;
    pair.sent++;
    this.#bases.send(pair.local.base, pair.remote.endpoint, 0, request, 0, length, touchedAt);
  }

  answered(
    transaction: StunTransaction,
    answer: StunView,
    from: Uint8Array,
    fromAt: number,
    path: number,
    now: number,
  ): boolean {
    const pair = transaction.subject as CandidatePair;
    const { kind } = transaction;
    const key = pair.generation.remoteKey;
    if (key === undefined || this.#integrity.sha1(answer, key) !== 'right') return false;
    if (pair.transaction === transaction) pair.transaction = undefined;
    if (answer.class === CLASS_ERROR) {
      if (errorCodeOf(answer) === ERROR_ROLE_CONFLICT) {
        // Section 7.2.5.1. Perhaps the role has been changed since; then the check is only made again.
        const asked = IceRole.controlledBy(transaction.request, transaction.length);
        this.#results.roleConflict(pair, kind, now, asked === this.#role.controlling);
      } else if (kind !== CONSENT) this.#results.useless(pair, now);
      return true;
    }
    // Section 7.2.5.2.1: the answer takes the way of the request, or the pair is of no use.
    const symmetric = path === pair.local.base && sameEndpoint(from, fromAt, pair.remote.endpoint, 0);
    if (!symmetric || !this.#readMapped(answer)) {
      if (kind !== CONSENT) this.#results.useless(pair, now);
      return true;
    }
    pair.answered++;
    pair.lastAnswer = now;
    if (transaction.sent === 1) pair.roundTrip = now - transaction.startedAt;
    this.#results.succeeded(pair, kind, now);
    return true;
  }

  expired(transaction: StunTransaction, now: number): void {
    const pair = transaction.subject as CandidatePair;
    if (pair.transaction === transaction) pair.transaction = undefined;
    // Consent has an end of its own, a check that was replaced by a triggered one (section 7.3.1.4) none.
    if (transaction.kind === CONSENT) return;
    const replaced = pair.transaction !== undefined || pair.state !== 'in-progress';
    if (transaction.retransmit || !replaced) this.#results.useless(pair, now);
  }

  #readMapped(answer: StunView): boolean {
    return (
      answer.find(XOR_MAPPED_ADDRESS) &&
      readStunAddress(this.#mapped, 0, answer.bytes, answer.value, answer.valueLength, answer.offset)
    );
  }
}
