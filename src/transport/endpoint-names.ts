/**
 * Peer endpoints given by host name. A name is looked up when the device asks: at first use, after unanswered
 * handshakes, and when a handshake was given up. Of several addresses the one after the address that failed is
 * tried next, so a host that answers on one family only is found in the end.
 */

import { parseAddress } from '../packet/address.js';
import { ENDPOINT_BYTES, endpointFamily, sameEndpoint, writeEndpoint } from '../packet/endpoint.js';
import type { Clock, Log, Resolver } from '../ports.js';
import type { Peer } from '../wireguard/peer.js';

/** Least time between two look-ups for one peer, ms. */
export const RESOLVE_INTERVAL = 5_000;

interface LookUp {
  pending: boolean;
  /** Monotonic ms. */
  last: number;
  /** Why the last look-up brought nothing; undefined after a good one. */
  error: string | undefined;
}

export interface EndpointNamesOptions {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log?: Log;
  /** ms; `RESOLVE_INTERVAL` when absent. */
  readonly interval?: number;
  /** Families the host can send to; both when absent. */
  readonly families?: { readonly ipv4: boolean; readonly ipv6: boolean };
}

export class EndpointNames {
  readonly #options: EndpointNamesOptions;
  readonly #interval: number;
  readonly #lookUps = new WeakMap<Peer, LookUp>();

  constructor(options: EndpointNamesOptions) {
    this.#options = options;
    this.#interval = options.interval ?? RESOLVE_INTERVAL;
  }

  /** Why the peer's name has no address: the resolver's words, or undefined. */
  error(peer: Peer): string | undefined {
    return this.#lookUps.get(peer)?.error;
  }

  /** Looks the peer's name up unless that was done a moment ago, and sets its endpoint. */
  resolve(peer: Peer): void {
    const name = peer.endpointName;
    if (!name) return;
    const { clock, resolver } = this.#options;
    const now = clock.monotonic();
    let lookUp = this.#lookUps.get(peer);
    if (lookUp && (lookUp.pending || now - lookUp.last < this.#interval)) return;
    lookUp ??= { pending: false, last: now, error: undefined };
    lookUp.pending = true;
    lookUp.last = now;
    this.#lookUps.set(peer, lookUp);
    const entry = lookUp;
    resolver.resolve(name.host, (addresses, error) => {
      entry.pending = false;
      // The configuration may have changed meanwhile.
      if (peer.endpointName !== name) return;
      const endpoint = this.#choose(peer, addresses, name.port);
      entry.error = endpoint ? undefined : (error ?? 'no address of a family this host can reach');
      if (endpoint) this.#apply(peer, endpoint, name.host);
      else
        this.#options.log?.write('warn', 'endpoint-not-resolved', { host: name.host, reason: entry.error });
    });
  }

  #apply(peer: Peer, endpoint: Uint8Array, host: string): void {
    if (sameEndpoint(peer.endpoint, 0, endpoint, 0)) return;
    this.#options.log?.write('info', 'endpoint-resolved', { host });
    peer.setEndpoint(endpoint, 0);
  }

  /** The address behind the one in use, or the first. */
  #choose(peer: Peer, addresses: readonly string[], port: number): Uint8Array | undefined {
    const { families } = this.#options;
    const records: Uint8Array[] = [];
    for (const text of addresses) {
      const address = parseAddress(text);
      if (!address) continue;
      if (families && !(address.length === 4 ? families.ipv4 : families.ipv6)) continue;
      const record = new Uint8Array(ENDPOINT_BYTES);
      writeEndpoint(record, 0, address, port);
      records.push(record);
    }
    if (records.length === 0) return undefined;
    if (endpointFamily(peer.endpoint, 0) === 0) return records[0];
    const current = records.findIndex((record) => sameEndpoint(record, 0, peer.endpoint, 0));
    return records[(current + 1) % records.length];
  }
}
