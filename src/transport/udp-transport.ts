/** Plain UDP from the gateway's own socket: where the peer was configured to be, or was last heard. */

import {
  copyEndpoint,
  ENDPOINT_BYTES,
  endpointFamily,
  FAMILY_IPV4,
  FAMILY_IPV6,
  FAMILY_NONE,
} from '../packet/endpoint.js';
import type { Transport, TransportEvents, TransportReason, TransportState } from './transport.js';

/** What Ethernet carries less the headers of IPv6 and UDP. */
const USUAL_MTU = 1500 - 40 - 8;

export class UdpTransport implements Transport {
  readonly kind = 'udp';
  readonly name = 'udp';
  readonly overhead = 0;
  readonly mtu = USUAL_MTU;
  readonly detail = '';
  readonly retryAfter = 0;
  events: TransportEvents | undefined;
  readonly #configured = new Uint8Array(ENDPOINT_BYTES);
  readonly #current = new Uint8Array(ENDPOINT_BYTES);

  get state(): TransportState {
    return endpointFamily(this.#current, 0) === FAMILY_NONE ? 'failed' : 'open';
  }

  get reason(): TransportReason {
    return this.state === 'open' ? 'ready' : 'no-endpoint';
  }

  get endpoint(): Uint8Array | undefined {
    return this.state === 'open' ? this.#current : undefined;
  }

  /** Where the peer was said to be: an endpoint record, or undefined. */
  get configured(): Uint8Array | undefined {
    return endpointFamily(this.#configured, 0) === FAMILY_NONE ? undefined : this.#configured;
  }

  /** The owner, or a look-up, said where the peer is. */
  configure(endpoints: Uint8Array, at: number): void {
    copyEndpoint(this.#configured, 0, endpoints, at);
    copyEndpoint(this.#current, 0, endpoints, at);
    this.events?.changed();
  }

  /** The peer was heard from there. */
  follow(endpoints: Uint8Array, at: number): void {
    copyEndpoint(this.#current, 0, endpoints, at);
  }

  /** Where it was last heard is silent: back to where it was said to be. */
  forget(): void {
    if (endpointFamily(this.#configured, 0) !== FAMILY_NONE)
      copyEndpoint(this.#current, 0, this.#configured, 0);
  }

  owns(endpoints: Uint8Array, at: number): boolean {
    const family = endpointFamily(endpoints, at);
    return family === FAMILY_IPV4 || family === FAMILY_IPV6;
  }

  open(): void {}
  close(): void {}
  /** Never called: the pump sends to `endpoint` by itself. */
  send(): boolean {
    return false;
  }
  flush(): void {}
  advance(): void {}
  nextDeadline(): number {
    return Infinity;
  }
}
