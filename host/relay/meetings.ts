/**
 * Gateways of one tenant that ask for each other meet here: what one sends, the other gets. Both are named by their
 * tokens, so nobody can stand in for anybody, and tenants never meet.
 */

import type { RelayCounters } from './counters.js';
import type { Outlet, Tunnel } from './tunnel.js';

export class Meetings {
  readonly #counters: RelayCounters;
  /** By tenant, own name, name of the other, and protocol. */
  readonly #waiting = new Map<string, Tunnel>();

  constructor(counters: RelayCounters) {
    this.#counters = counters;
  }

  /** A gateway that comes again by the same protocol takes the place of its older tunnel, which ends. */
  join(tunnel: Tunnel, other: string): Outlet {
    const { tenant, gateway } = tunnel.identity;
    const kind = tunnel.protocol === 'websocket' ? 'websocket' : 'masque';
    const own = key(tenant, gateway, other, kind);
    // A gateway may hold one of each: the like of this one is asked for first.
    const theirs = key(tenant, other, gateway, kind);
    const otherwise = key(tenant, other, gateway, kind === 'masque' ? 'websocket' : 'masque');
    const before = this.#waiting.get(own);
    this.#waiting.set(own, tunnel);
    before?.end('the gateway has come again');
    return {
      send: (datagram) => {
        const there = this.#waiting.get(theirs) ?? this.#waiting.get(otherwise);
        if (there) there.inward(datagram);
        else this.#counters.droppedAbsent++;
      },
      close: () => {
        if (this.#waiting.get(own) === tunnel) this.#waiting.delete(own);
      },
    };
  }
}

function key(...parts: readonly string[]): string {
  return parts.join('\n');
}
