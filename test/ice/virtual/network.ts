/** A network in virtual time: hosts, NATs of each kind between them, delay, loss; seeded. Addresses are text. */

import { Random } from '../../fuzz/random.js';

export type NatKind = 'none' | 'full' | 'address' | 'port' | 'symmetric' | 'blocked';

type Receiver = (from: string, to: string, bytes: Uint8Array) => void;

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class VirtualNetwork {
  now = 1_000;
  readonly random = new Random();
  /** Of 1000 datagrams that cross the open network, so many are lost. */
  lossPerMille = 0;
  /** ms one way, and as much again at random. */
  delay = 10;
  /** Datagrams that crossed the open network, and their bytes. */
  sent = 0;
  bytes = 0;
  readonly #receivers = new Map<string, Receiver>();
  readonly #nats = new Map<string, Nat>();
  readonly #routes = new Map<string, Nat>();
  readonly #waiting: Waiting[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random.reseed(seed, 0);
  }

  /** A socket: all datagrams to `address` (`a.b.c.d`), whatever the port. */
  attach(address: string, receiver: Receiver): void {
    this.#receivers.set(address, receiver);
  }

  /** Puts hosts behind a NAT with the outer address. */
  nat(kind: NatKind, outer: string, inside: readonly string[]): Nat {
    const nat = new Nat(this, kind, outer);
    this.#nats.set(outer, nat);
    for (const address of inside) this.#routes.set(address, nat);
    return nat;
  }

  send(from: string, to: string, bytes: Uint8Array): void {
    const copy = bytes.slice();
    const source = this.#routes.get(hostOf(from));
    const target = this.#routes.get(hostOf(to));
    if (source === undefined) {
      // Private addresses exist behind their own NAT only.
      if (target === undefined) this.#cross(from, to, copy);
    } else if (source === target) this.after(1, () => this.deliver(from, to, copy));
    else if (target === undefined) {
      const outer = source.outgoing(from, to);
      if (outer !== undefined) this.#cross(outer, to, copy);
    }
  }

  deliver(from: string, to: string, bytes: Uint8Array): void {
    this.#receivers.get(hostOf(to))?.(from, to, bytes);
  }

  after(delay: number, run: () => void): void {
    this.#waiting.push({ at: this.now + delay, order: this.#order++, run });
  }

  /** Runs until `until`, calling `advance` of every participant at its deadline. */
  run(
    until: number,
    participants: readonly { deadline: number; advance(now: number): void }[],
    done: () => boolean = () => false,
  ): void {
    while (!done()) {
      let next = until;
      for (const { deadline } of participants) next = Math.min(next, deadline);
      let first: Waiting | undefined;
      for (const one of this.#waiting) {
        if (first === undefined || one.at < first.at || (one.at === first.at && one.order < first.order))
          first = one;
      }
      if (first !== undefined && first.at <= next) {
        this.#waiting.splice(this.#waiting.indexOf(first), 1);
        this.now = Math.max(this.now, first.at);
        first.run();
        continue;
      }
      this.now = Math.max(this.now, next);
      if (next >= until) return;
      for (const participant of participants)
        if (participant.deadline <= this.now) participant.advance(this.now);
    }
  }

  #cross(from: string, to: string, bytes: Uint8Array): void {
    this.sent++;
    this.bytes += bytes.length + 28;
    if (this.random.below(1000) < this.lossPerMille) return;
    this.after(this.delay + this.random.below(this.delay), () => {
      const nat = this.#nats.get(hostOf(to));
      const inner = nat === undefined ? to : nat.incoming(from, to);
      if (inner !== undefined) this.deliver(from, inner, bytes);
    });
  }
}

/** RFC 4787: how mappings are made, and what they let in. */
export class Nat {
  kind: NatKind;
  readonly outer: string;
  readonly #network: VirtualNetwork;
  /** Inner endpoint, with the destination where the mapping depends on it, to outer port. */
  readonly #ports = new Map<string, number>();
  readonly #inner = new Map<number, string>();
  /** Outer port to whom something was sent from it: addresses and endpoints. */
  readonly #contacted = new Map<number, Set<string>>();

  constructor(network: VirtualNetwork, kind: NatKind, outer: string) {
    this.#network = network;
    this.kind = kind;
    this.outer = outer;
  }

  /** Forgets all mappings, as a NAT does that was switched off and on. */
  reboot(): void {
    this.#ports.clear();
    this.#inner.clear();
    this.#contacted.clear();
  }

  outgoing(from: string, to: string): string | undefined {
    if (this.kind === 'blocked') return undefined;
    const key = this.kind === 'symmetric' ? `${from} ${to}` : from;
    let port = this.#ports.get(key);
    if (port === undefined) {
      do port = 1024 + this.#network.random.below(64_000);
      while (this.#inner.has(port));
      this.#ports.set(key, port);
      this.#inner.set(port, from);
      this.#contacted.set(port, new Set());
    }
    this.#contacted.get(port)?.add(to).add(hostOf(to));
    return `${this.outer}:${port}`;
  }

  incoming(from: string, to: string): string | undefined {
    const port = Number(to.slice(to.lastIndexOf(':') + 1));
    const inner = this.#inner.get(port);
    if (inner === undefined || this.kind === 'blocked') return undefined;
    const contacted = this.#contacted.get(port)!;
    if (this.kind === 'address' && !contacted.has(hostOf(from))) return undefined;
    if ((this.kind === 'port' || this.kind === 'symmetric') && !contacted.has(from)) return undefined;
    return inner;
  }
}

export function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(':'));
}
