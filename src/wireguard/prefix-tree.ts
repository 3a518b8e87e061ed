/**
 * Longest-prefix match: a path-compressed binary tree flattened into one Int32Array, so that ten thousand
 * prefixes are one allocation, a lookup makes no object, and the array can be handed to another data plane.
 *
 * A node is `STRIDE` words: prefix length, two children, value (-1: none), next and previous prefix of the same
 * value, then the key (1 word for IPv4, 4 for IPv6, big-endian order). Node 0 means "no node".
 */

const LENGTH = 0;
const CHILD = 1;
const VALUE = 3;
const NEXT = 4;
const PREVIOUS = 5;
const KEY = 6;

const NO_VALUE = -1;

export class PrefixTree {
  /** 1 (IPv4) or 4 (IPv6). */
  readonly words: number;
  readonly #stride: number;
  #nodes: Int32Array;
  #used = 1;
  #free = 0;
  #freed = 0;
  #root = 0;
  #prefixes = 0;
  /** First node of each value's list of prefixes. */
  #heads: Int32Array = new Int32Array(16);

  constructor(words: 1 | 4) {
    this.words = words;
    this.#stride = KEY + words;
    this.#nodes = new Int32Array(this.#stride * 16);
  }

  /** Prefixes stored. */
  get size(): number {
    return this.#prefixes;
  }

  /** Nodes in use, forks included: fewer than twice the prefixes. */
  get nodeCount(): number {
    return this.#used - 1 - this.#freed;
  }

  /** The nodes in use and the place of the first (0: none), for a data plane with a copy. Read only. */
  get nodes(): Int32Array {
    return this.#nodes.subarray(0, this.#used * this.#stride);
  }

  get root(): number {
    return this.#root;
  }

  /** Value of the longest prefix containing the key, or -1. `key` holds `words` int32. */
  lookup(key: Int32Array): number {
    const nodes = this.#nodes;
    let best = NO_VALUE;
    let node = this.#root;
    while (node !== 0 && this.#commonBits(node, key, nodes[node + LENGTH]) === nodes[node + LENGTH]) {
      if (nodes[node + VALUE] >= 0) best = nodes[node + VALUE];
      const length = nodes[node + LENGTH];
      if (length === this.words * 32) break;
      node = nodes[node + CHILD + bitOf(key, length)];
    }
    return best;
  }

  /** Sets the value (a small integer of 0 or more) of a prefix; host bits of `key` must be zero. Returns the value before, or -1. */
  insert(key: Int32Array, length: number, value: number): number {
    let link = -1;
    let node = this.#root;
    for (;;) {
      if (node === 0) {
        this.#link(link, this.#leaf(key, length, value));
        return NO_VALUE;
      }
      const nodeLength = this.#nodes[node + LENGTH];
      const common = this.#commonBits(node, key, Math.min(nodeLength, length));
      if (common < nodeLength) {
        this.#branch(link, node, common, key, length, value);
        return NO_VALUE;
      }
      if (nodeLength === length) return this.#replace(node, value);
      link = node + CHILD + bitOf(key, nodeLength);
      node = this.#nodes[link];
    }
  }

  /** Removes a prefix if it has this value. */
  remove(key: Int32Array, length: number, value: number): boolean {
    const node = this.#find(key, length);
    if (node === 0 || this.#nodes[node + VALUE] !== value) return false;
    this.#unlist(node);
    this.#prune(key, length);
    return true;
  }

  removeAll(value: number): void {
    const key = new Int32Array(this.words);
    for (let node = this.#head(value); node !== 0; node = this.#head(value)) {
      this.#keyOf(node, key);
      this.remove(key, this.#nodes[node + LENGTH], value);
    }
  }

  /** Calls `each` for every prefix of a value; `key` is reused between calls. */
  forEach(value: number, each: (key: Int32Array, length: number) => void): void {
    const key = new Int32Array(this.words);
    for (let node = this.#head(value); node !== 0; node = this.#nodes[node + NEXT]) {
      this.#keyOf(node, key);
      each(key, this.#nodes[node + LENGTH]);
    }
  }

  /** Number of leading bits (at most `limit`) that the node's key and `key` share. */
  #commonBits(node: number, key: Int32Array, limit: number): number {
    for (let word = 0, bits = 0; bits < limit; word++, bits += 32) {
      const difference = this.#nodes[node + KEY + word] ^ key[word];
      if (difference !== 0) return Math.min(limit, bits + Math.clz32(difference));
    }
    return limit;
  }

  #find(key: Int32Array, length: number): number {
    let node = this.#root;
    while (node !== 0) {
      const nodeLength = this.#nodes[node + LENGTH];
      if (nodeLength > length || this.#commonBits(node, key, nodeLength) < nodeLength) return 0;
      if (nodeLength === length) return node;
      node = this.#nodes[node + CHILD + bitOf(key, nodeLength)];
    }
    return 0;
  }

  /** Puts the new prefix above `node`, or beside it under a new fork of `common` bits. */
  #branch(link: number, node: number, common: number, key: Int32Array, length: number, value: number): void {
    if (common === length) {
      const parent = this.#leaf(key, length, value);
      this.#nodes[parent + CHILD + this.#bitOfNode(node, common)] = node;
      this.#link(link, parent);
      return;
    }
    const fork = this.#allocate(key, common);
    const leaf = this.#leaf(key, length, value);
    this.#nodes[fork + CHILD + this.#bitOfNode(node, common)] = node;
    this.#nodes[fork + CHILD + bitOf(key, common)] = leaf;
    this.#link(link, fork);
  }

  /** Walks to a prefix that has lost its value and takes out what no longer forks, from below upwards. */
  #prune(key: Int32Array, length: number): void {
    let parentLink = -1;
    let parent = 0;
    let link = -1;
    let node = this.#root;
    while (this.#nodes[node + LENGTH] !== length) {
      parentLink = link;
      parent = node;
      link = node + CHILD + bitOf(key, this.#nodes[node + LENGTH]);
      node = this.#nodes[link];
    }
    if (this.#splice(link, node) && parent !== 0) this.#splice(parentLink, parent);
  }

  /** Removes a valueless node with at most one child; true when it did. */
  #splice(link: number, node: number): boolean {
    const nodes = this.#nodes;
    const left = nodes[node + CHILD];
    const right = nodes[node + CHILD + 1];
    if (nodes[node + VALUE] >= 0 || (left !== 0 && right !== 0)) return false;
    this.#link(link, left !== 0 ? left : right);
    nodes[node + NEXT] = this.#free;
    this.#free = node;
    this.#freed++;
    return true;
  }

  #link(link: number, node: number): void {
    if (link < 0) this.#root = node;
    else this.#nodes[link] = node;
  }

  #replace(node: number, value: number): number {
    const before = this.#nodes[node + VALUE];
    if (before === value) return before;
    if (before >= 0) this.#unlist(node);
    this.#list(node, value);
    return before;
  }

  #leaf(key: Int32Array, length: number, value: number): number {
    const node = this.#allocate(key, length);
    this.#list(node, value);
    return node;
  }

  #allocate(key: Int32Array, length: number): number {
    let node = this.#free;
    if (node !== 0) {
      this.#free = this.#nodes[node + NEXT];
      this.#freed--;
    } else {
      node = this.#used * this.#stride;
      this.#used++;
      if (node + this.#stride > this.#nodes.length) this.#nodes = grown(this.#nodes, this.#nodes.length * 2);
    }
    const nodes = this.#nodes;
    nodes[node + LENGTH] = length;
    nodes[node + CHILD] = 0;
    nodes[node + CHILD + 1] = 0;
    nodes[node + VALUE] = NO_VALUE;
    nodes[node + NEXT] = 0;
    nodes[node + PREVIOUS] = 0;
    for (let i = 0; i < this.words; i++) nodes[node + KEY + i] = key[i] & mask(length - i * 32);
    return node;
  }

  #list(node: number, value: number): void {
    if (value >= this.#heads.length)
      this.#heads = grown(this.#heads, Math.max(value + 1, this.#heads.length * 2));
    const next = this.#heads[value];
    this.#nodes[node + VALUE] = value;
    this.#nodes[node + PREVIOUS] = 0;
    this.#nodes[node + NEXT] = next;
    if (next !== 0) this.#nodes[next + PREVIOUS] = node;
    this.#heads[value] = node;
    this.#prefixes++;
  }

  #unlist(node: number): void {
    const nodes = this.#nodes;
    const next = nodes[node + NEXT];
    const previous = nodes[node + PREVIOUS];
    if (previous !== 0) nodes[previous + NEXT] = next;
    else this.#heads[nodes[node + VALUE]] = next;
    if (next !== 0) nodes[next + PREVIOUS] = previous;
    nodes[node + VALUE] = NO_VALUE;
    this.#prefixes--;
  }

  #head(value: number): number {
    return value < this.#heads.length ? this.#heads[value] : 0;
  }

  #keyOf(node: number, key: Int32Array): void {
    for (let i = 0; i < this.words; i++) key[i] = this.#nodes[node + KEY + i];
  }

  #bitOfNode(node: number, bit: number): number {
    return (this.#nodes[node + KEY + (bit >>> 5)] >>> (31 - (bit & 31))) & 1;
  }
}

function bitOf(key: Int32Array, bit: number): number {
  return (key[bit >>> 5] >>> (31 - (bit & 31))) & 1;
}

/** The leading `bits` bits of a word; any `bits` at or below 0 gives none, at or above 32 all. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

function grown(array: Int32Array, length: number): Int32Array {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
