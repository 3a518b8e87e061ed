/**
 * Where a peer is, by what it proves and by what is said of it. An endpoint that carries a living session stays in
 * use when the control plane names another one; that one is asked by a probe, and the first authenticated answer
 * from there moves the peer. Where the session is dead, what is said is all there is. So an endpoint told in error,
 * or a lie, costs a living tunnel nothing.
 */

import { ENDPOINT_BYTES, sameEndpoint } from '../packet/endpoint.js';
import { formatEndpoint } from '../packet/endpoint-text.js';
import type { Peer } from '../wireguard/peer.js';
import { PROBE_ASKS } from '../wireguard/probe.js';

/** A session heard of within this time, ms, is alive: longer than a keepalive of ours. */
const ALIVE = 35_000;
/** Between two questions at the endpoint that was told, ms: twice as long each time. */
const FIRST_PAUSE = 1_000;
const LAST_PAUSE = 300_000;

export class ToldEndpoint {
  readonly #peer: Peer;
  readonly #record = new Uint8Array(ENDPOINT_BYTES);
  #waiting = false;
  #askAt = 0;
  #pause = FIRST_PAUSE;
  #asked = 0;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** The control plane says that the peer is at this endpoint record. `now` is monotonic ms. */
  told(record: Uint8Array, now: number): void {
    this.#record.set(record);
    this.#waiting = true;
    this.#pause = FIRST_PAUSE;
    this.#askAt = now;
    this.review(now);
  }

  /** Nothing is said any more: the peer stays where it is. */
  forget(): void {
    this.#waiting = false;
  }

  /** Asks again, or gives in: call once in a while. */
  review(now: number): void {
    if (!this.#waiting) return;
    const peer = this.#peer;
    if (sameEndpoint(peer.endpoint, 0, this.#record, 0)) this.#waiting = false;
    // Where a peer has several ways, its path proves each of them itself.
    else if (peer.roaming || !isAlive(peer, now)) {
      this.#waiting = false;
      peer.setEndpoint(this.#record, 0);
    } else if (now >= this.#askAt) {
      peer.sendProbe(PROBE_ASKS, ++this.#asked, this.#record, 0);
      this.#askAt = now + this.#pause;
      this.#pause = Math.min(LAST_PAUSE, this.#pause * 2);
    }
  }

  /** For the owner, while what is said and what is proven differ. */
  get reason(): string | undefined {
    if (!this.#waiting) return undefined;
    return `the control plane names ${formatEndpoint(this.#record, 0)}, where it does not answer; the proven endpoint is kept`;
  }
}

function isAlive(peer: Peer, now: number): boolean {
  const { reason } = peer;
  return now - peer.lastReceived < ALIVE && reason !== 'peer-silent' && reason !== 'no-response';
}
