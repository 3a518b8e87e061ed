import { describe, expect, it } from 'vitest';
import { PrefixTree } from '../../src/wireguard/prefix-tree.js';
import { Seed } from './virtual/world.js';

interface Prefix {
  readonly bits: string;
  readonly value: number;
}

/** The slow twin: a list of bit strings, searched from end to end. */
class PrefixList {
  #prefixes: Prefix[] = [];

  get size(): number {
    return this.#prefixes.length;
  }

  lookup(bits: string): number {
    let best: Prefix | undefined;
    for (const prefix of this.#prefixes) {
      if (bits.startsWith(prefix.bits) && (!best || prefix.bits.length > best.bits.length)) best = prefix;
    }
    return best?.value ?? -1;
  }

  insert(bits: string, value: number): number {
    const before = this.#prefixes.find((prefix) => prefix.bits === bits)?.value ?? -1;
    this.#prefixes = this.#prefixes.filter((prefix) => prefix.bits !== bits);
    this.#prefixes.push({ bits, value });
    return before;
  }

  remove(bits: string, value: number): boolean {
    const { size } = this;
    this.#prefixes = this.#prefixes.filter((prefix) => prefix.bits !== bits || prefix.value !== value);
    return this.size < size;
  }

  removeAll(value: number): void {
    this.#prefixes = this.#prefixes.filter((prefix) => prefix.value !== value);
  }

  of(value: number): string[] {
    return this.#prefixes.filter((prefix) => prefix.value === value).map((prefix) => prefix.bits);
  }
}

function toKey(bits: string, words: number): Int32Array {
  const key = new Int32Array(words);
  for (let i = 0; i < bits.length; i++) if (bits[i] === '1') key[i >> 5] |= 1 << (31 - (i & 31));
  return key;
}

function toBits(key: Int32Array, length: number): string {
  let bits = '';
  for (let i = 0; i < length; i++) bits += (key[i >> 5] >>> (31 - (i & 31))) & 1;
  return bits;
}

/** Bit strings that share beginnings: one fresh bit string in four, otherwise a known one changed near its end. */
class Prefixes {
  readonly #known: string[] = [''];
  readonly seed: Seed;
  readonly width: number;

  constructor(seed: Seed, width: number) {
    this.seed = seed;
    this.width = width;
  }

  next(): string {
    const from = this.#known[this.seed.below(this.#known.length)];
    const length = this.seed.below(5) === 0 ? this.width : this.seed.below(this.width + 1);
    let bits = this.seed.below(4) === 0 ? '' : from.slice(0, this.seed.below(from.length + 1));
    while (bits.length < length) bits += this.seed.below(2);
    if (this.#known.length < 400) this.#known.push(bits);
    return bits.slice(0, length);
  }

  address(): string {
    let bits = this.next();
    while (bits.length < this.width) bits += this.seed.below(2);
    return bits;
  }
}

describe.each([
  ['IPv4', 1],
  ['IPv6', 4],
] as const)('the prefix tree for %s', (_family, words) => {
  const width = words * 32;

  it('agrees with a list through random inserts, moves and removals', () => {
    for (let value = 1; value <= 12; value++) {
      const seed = new Seed(value);
      const prefixes = new Prefixes(seed, width);
      const tree = new PrefixTree(words);
      const list = new PrefixList();
      for (let i = 0; i < 600; i++) {
        const message = `seed ${value}, try ${i}`;
        const bits = prefixes.next();
        const key = toKey(bits, words);
        const owner = seed.below(24);
        const kind = seed.below(20);
        if (kind < 12) expect(tree.insert(key, bits.length, owner), message).toBe(list.insert(bits, owner));
        else if (kind < 19) {
          const [known] = list.of(owner);
          const gone = seed.below(2) === 0 && known !== undefined ? known : bits;
          const removed = tree.remove(toKey(gone, words), gone.length, owner);
          expect(removed, message).toBe(list.remove(gone, owner));
        } else {
          tree.removeAll(owner);
          list.removeAll(owner);
        }
        expect(tree.size, message).toBe(list.size);
        // Every node holds a prefix or forks.
        expect(tree.nodeCount, message).toBeLessThanOrEqual(Math.max(0, 2 * list.size - 1));
        for (let look = 0; look < 4; look++) {
          const address = prefixes.address();
          expect(tree.lookup(toKey(address, words)), `${message}, ${address}`).toBe(list.lookup(address));
        }
      }
      for (let owner = 0; owner < 24; owner++) {
        const found: string[] = [];
        tree.forEach(owner, (key, length) => void found.push(toBits(key, length)));
        expect(found.sort(), `seed ${value}, owner ${owner}`).toEqual(list.of(owner).sort());
      }
      for (let owner = 0; owner < 24; owner++) tree.removeAll(owner);
      expect(tree.size).toBe(0);
      expect(tree.lookup(toKey(prefixes.address(), words))).toBe(-1);
    }
  });

  it('holds the whole address space, single addresses and both halves apart', () => {
    const tree = new PrefixTree(words);
    const first = ''.padEnd(width, '0');
    const last = ''.padEnd(width, '1');
    expect(tree.lookup(toKey(first, words))).toBe(-1);
    tree.insert(toKey('', words), 0, 0);
    expect([first, last].map((bits) => tree.lookup(toKey(bits, words)))).toEqual([0, 0]);
    tree.insert(toKey('0', words), 1, 1);
    tree.insert(toKey('1', words), 1, 2);
    tree.insert(toKey(last, words), width, 3);
    expect([first, `1${first.slice(1)}`, last].map((bits) => tree.lookup(toKey(bits, words)))).toEqual([
      1, 2, 3,
    ]);
    expect(tree.remove(toKey('0', words), 1, 2)).toBe(false);
    expect(tree.remove(toKey('0', words), 1, 1)).toBe(true);
    expect(tree.lookup(toKey(first, words))).toBe(0);
  });

  it('gives back every node, in whatever order prefixes go', () => {
    const tree = new PrefixTree(words);
    const seed = new Seed(7);
    const round = (): void => {
      const prefixes = new Prefixes(seed, width);
      for (let i = 0; i < 200; i++) {
        const bits = prefixes.next();
        tree.insert(toKey(bits, words), bits.length, i % 5);
      }
      for (let owner = 0; owner < 5; owner++) tree.removeAll(owner);
      expect(tree.size).toBe(0);
      expect(tree.nodeCount).toBe(0);
    };
    for (let i = 0; i < 50; i++) round();
  });
});
