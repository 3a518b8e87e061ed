/**
 * A tunnel: a gateway's connection on one side, a UDP target or another gateway's tunnel on the other. It moves sealed
 * datagrams and looks at none of them.
 */

import { Bandwidth } from './bandwidth.js';
import type { RelayCounters } from './counters.js';
import type { RelayOptions } from './options.js';
import type { Quotas } from './quotas.js';
import type { Target } from './targets.js';
import type { Identity } from './token-gate.js';

/** The gateway's side. */
export interface Carrier {
  /** False: it did not fit behind what waits, and was dropped. */
  send(datagram: Uint8Array): boolean;
  close(reason: string): void;
}

/** The side of the target. */
export interface Outlet {
  send(datagram: Uint8Array): void;
  close(): void;
}

export class Tunnel {
  readonly identity: Identity;
  readonly target: Target;
  readonly protocol: string;
  readonly openedAt = performance.now();
  /** Called once. */
  onEnd: (reason: string) => void = () => {};
  #carrier: Carrier | undefined;
  #outlet: Outlet | undefined;
  #lastUsed = performance.now();
  readonly #outward: Bandwidth;
  readonly #inward: Bandwidth;
  readonly #options: RelayOptions;
  readonly #counters: RelayCounters;
  readonly #quotas: Quotas;
  #ended = false;

  constructor(
    identity: Identity,
    target: Target,
    protocol: string,
    options: RelayOptions,
    counters: RelayCounters,
    quotas: Quotas,
  ) {
    this.identity = identity;
    this.target = target;
    this.protocol = protocol;
    this.#options = options;
    this.#counters = counters;
    this.#quotas = quotas;
    this.#outward = new Bandwidth(options.bandwidth, performance.now());
    this.#inward = new Bandwidth(options.bandwidth, performance.now());
  }

  get ended(): boolean {
    return this.#ended;
  }

  connect(carrier: Carrier, outlet: Outlet): void {
    this.#carrier = carrier;
    this.#outlet = outlet;
  }

  /** From the gateway. */
  outward(datagram: Uint8Array): void {
    if (this.#pass(datagram, this.#outward)) this.#outlet?.send(datagram);
  }

  /** From the target. */
  inward(datagram: Uint8Array): void {
    if (!this.#pass(datagram, this.#inward)) return;
    if (this.#carrier && !this.#carrier.send(datagram)) this.#counters.droppedBacklog++;
  }

  /** Ends what is over at `now` (performance clock) and `wall` (ms since 1970). */
  check(now: number, wall: number): void {
    const { idle, life } = this.#options;
    if (wall >= this.identity.expires) this.end('the token has expired');
    else if (now - this.openedAt >= life * 1000) this.end('it has lived as long as a tunnel may');
    // Who waits for another gateway may wait long.
    else if (this.target.kind === 'udp' && now - this.#lastUsed >= idle * 1000)
      this.end('nothing was carried');
  }

  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#carrier?.close(reason);
    this.#outlet?.close();
    this.onEnd(reason);
  }

  #pass(datagram: Uint8Array, bandwidth: Bandwidth): boolean {
    if (this.#ended) return false;
    const now = performance.now();
    this.#lastUsed = now;
    const { length } = datagram;
    const counters = this.#counters;
    if (length > this.#options.datagram) counters.droppedSize++;
    else if (!bandwidth.take(length, now)) counters.droppedBandwidth++;
    else if (!this.#quotas.spend(this.identity, length)) counters.droppedQuota++;
    else {
      counters.datagrams++;
      counters.bytes += length;
      return true;
    }
    return false;
  }
}
