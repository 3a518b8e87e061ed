/** A network that loses, doubles, delays and so reorders; every choice from a seed. */

import type { Datagram, Seed } from '../virtual/world.js';

export interface Weather {
  /** Probabilities from 0 to 1. */
  readonly loss: number;
  readonly duplication: number;
  /** One way, ms; drawn anew for each datagram, so a wide range reorders. */
  readonly delay: readonly [least: number, most: number];
}

export const FAIR: Weather = { loss: 0, duplication: 0, delay: [5, 40] };
export const UNTIDY: Weather = { loss: 0, duplication: 0.1, delay: [1, 900] };
export const STORMY: Weather = { loss: 0.3, duplication: 0.2, delay: [1, 1_500] };
export const CUT: Weather = { loss: 1, duplication: 0, delay: [0, 0] };

interface Travelling {
  readonly at: number;
  readonly datagram: Datagram;
}

export class Network {
  weather: Weather = FAIR;
  lost = 0;
  readonly #seed: Seed;
  /** Sorted, latest first. */
  readonly #travelling: Travelling[] = [];

  constructor(seed: Seed) {
    this.#seed = seed;
  }

  /** Virtual ms at which the next datagram arrives. */
  get next(): number {
    return this.#travelling.at(-1)?.at ?? Infinity;
  }

  send(datagram: Datagram): void {
    const { loss, duplication } = this.weather;
    let copies = 1;
    while (copies < 4 && this.#seed.next() < duplication) copies++;
    for (let i = 0; i < copies; i++) {
      if (this.#seed.next() < loss) this.lost++;
      else this.#travel(datagram);
    }
  }

  /** Takes a datagram that has arrived. */
  arrived(now: number): Datagram | undefined {
    return this.next <= now ? this.#travelling.pop()!.datagram : undefined;
  }

  #travel(datagram: Datagram): void {
    const [least, most] = this.weather.delay;
    const at = datagram.at + least + this.#seed.next() * (most - least);
    let low = 0;
    let high = this.#travelling.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#travelling[middle].at > at) low = middle + 1;
      else high = middle;
    }
    this.#travelling.splice(low, 0, { at, datagram });
  }
}
