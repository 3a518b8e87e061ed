/** A seeded generator (xorshift128 of Marsaglia, 2003) that can jump to any case of any campaign. */
export class Random {
  #a = 1;
  #b = 0;
  #c = 0;
  #d = 0;

  /** All that follows depends on these two numbers only. */
  reseed(seed: number, index: number): void {
    this.#a = scramble(seed ^ 0x9e3779b9);
    this.#b = scramble(this.#a + index);
    this.#c = scramble(this.#b + 0x3c6ef372);
    this.#d = scramble(this.#c ^ index) | 1;
  }

  /** 32 bits. */
  next(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8);
    return this.#d >>> 0;
  }

  /** 0 to `n` - 1. */
  below(n: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * n);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
}

/** The finalizer of MurmurHash3. */
function scramble(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
