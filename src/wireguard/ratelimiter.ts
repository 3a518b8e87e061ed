/**
 * Token bucket per source: one IPv4 address, or one IPv6 /64. Asked only under load and only about sources
 * that have proved, by a cookie, that they receive at their address (paper, section 5.3). Fixed size: a new
 * source takes the place of the one silent for longest among its neighbours.
 */

import type { Primitives } from '../crypto/primitives.js';
import { endpointAddressOffset, endpointFamily, FAMILY_IPV4 } from '../packet/endpoint.js';
import type { Limits } from './limits.js';
import { readU32 } from './messages.js';

/** Neighbours looked at for a source's entry. */
const PROBES = 8;

export class RateLimiter {
  readonly #mask: number;
  readonly #seed: number;
  /** ms of credit one message costs, and the most a source can save up. */
  readonly #cost: number;
  readonly #most: number;
  readonly #keys: Uint32Array;
  readonly #credit: Float64Array;
  readonly #seen: Float64Array;

  constructor(primitives: Primitives, limits: Limits) {
    let capacity = PROBES;
    while (capacity < limits.rateLimiterEntries) capacity *= 2;
    this.#mask = capacity - 1;
    this.#cost = 1000 / limits.handshakesPerSecond;
    this.#most = this.#cost * limits.handshakeBurst;
    this.#keys = new Uint32Array(capacity * 2);
    this.#credit = new Float64Array(capacity);
    this.#seen = new Float64Array(capacity).fill(-1);
    const seed = new Uint8Array(4);
    primitives.random(seed);
    this.#seed = readU32(seed, 0);
  }

  /** True when the source of the endpoint record at `at` may have one more message at `now` (monotonic ms). */
  allow(endpoints: Uint8Array, at: number, now: number): boolean {
    const address = endpointAddressOffset(at);
    const high = readU32(endpoints, address);
    const low = endpointFamily(endpoints, at) === FAMILY_IPV4 ? 0xffff_ffff : readU32(endpoints, address + 4);
    const entry = this.#entry(high, low);
    if (this.#seen[entry] < 0 || this.#keys[entry * 2] !== high || this.#keys[entry * 2 + 1] !== low) {
      this.#keys[entry * 2] = high;
      this.#keys[entry * 2 + 1] = low;
      this.#credit[entry] = this.#most;
    } else {
      this.#credit[entry] = Math.min(this.#most, this.#credit[entry] + (now - this.#seen[entry]));
    }
    this.#seen[entry] = now;
    if (this.#credit[entry] < this.#cost) return false;
    this.#credit[entry] -= this.#cost;
    return true;
  }

  #entry(high: number, low: number): number {
    const home = this.#hash(high, low);
    let oldest = home & this.#mask;
    for (let i = 0; i < PROBES; i++) {
      const at = (home + i) & this.#mask;
      if (this.#seen[at] >= 0 && this.#keys[at * 2] === high && this.#keys[at * 2 + 1] === low) return at;
      if (this.#seen[at] < this.#seen[oldest]) oldest = at;
    }
    return oldest;
  }

  /** Seeded, so that nobody outside can aim at one neighbourhood. */
  #hash(high: number, low: number): number {
    let h = Math.imul(high ^ this.#seed, 0x9e37_79b1);
    h = Math.imul(h ^ (h >>> 15) ^ low, 0x85eb_ca77);
    h = Math.imul(h ^ (h >>> 13) ^ this.#seed, 0xc2b2_ae3d);
    return (h ^ (h >>> 16)) >>> 0;
  }
}
