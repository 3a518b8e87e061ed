/**
 * Receiver indices of handshakes and key pairs: uint32 to object, open addressing with linear probing.
 * A `Map` would box keys above 2^30 on every packet; the indices are random, so their low bits are the hash.
 */

import type { Primitives } from '../crypto/primitives.js';
import { readU32 } from './messages.js';

const LEAST_CAPACITY = 16;

export class IndexTable<T> {
  readonly #primitives: Primitives;
  readonly #random = new Uint8Array(4);
  #keys = new Uint32Array(LEAST_CAPACITY);
  /** One less than the capacity. An interpreter is slow at asking a typed array for its length. */
  #mask = LEAST_CAPACITY - 1;
  #values: (T | undefined)[] = new Array(LEAST_CAPACITY).fill(undefined);
  #size = 0;

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
  }

  get size(): number {
    return this.#size;
  }

  /** A random index that is not in use. */
  fresh(): number {
    for (;;) {
      this.#primitives.random(this.#random);
      const index = readU32(this.#random, 0);
      if (this.get(index) === undefined) return index;
    }
  }

  /** Stores `value` under an index, in place of what was there. */
  set(index: number, value: T): void {
    const at = this.#find(index);
    if (at >= 0) {
      this.#values[at] = value;
      return;
    }
    if ((this.#size + 1) * 2 > this.#keys.length) this.#resize(this.#keys.length * 2);
    this.#insert(index, value);
    this.#size++;
  }

  get(index: number): T | undefined {
    const mask = this.#mask;
    for (let at = index & mask; ; at = (at + 1) & mask) {
      const value = this.#values[at];
      if (value === undefined) return undefined;
      if (this.#keys[at] === index) return value;
    }
  }

  /** Removes the index if it is `value`'s; an index may by then have been given to another. */
  delete(index: number, value: T): void {
    const mask = this.#mask;
    let hole = this.#find(index);
    if (hole < 0 || this.#values[hole] !== value) return;
    this.#size--;
    // Close the gap: pull back every later entry of the run whose home is not between hole and itself.
    for (let at = (hole + 1) & mask; this.#values[at] !== undefined; at = (at + 1) & mask) {
      const home = this.#keys[at] & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        this.#keys[hole] = this.#keys[at];
        this.#values[hole] = this.#values[at];
        hole = at;
      }
    }
    this.#values[hole] = undefined;
  }

  #find(index: number): number {
    const mask = this.#mask;
    for (let at = index & mask; this.#values[at] !== undefined; at = (at + 1) & mask) {
      if (this.#keys[at] === index) return at;
    }
    return -1;
  }

  #insert(index: number, value: T): void {
    const mask = this.#mask;
    let at = index & mask;
    while (this.#values[at] !== undefined) at = (at + 1) & mask;
    this.#keys[at] = index;
    this.#values[at] = value;
  }

  #resize(capacity: number): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Uint32Array(capacity);
    this.#mask = capacity - 1;
    this.#values = new Array(capacity).fill(undefined);
    for (let i = 0; i < keys.length; i++) {
      const value = values[i];
      if (value !== undefined) this.#insert(keys[i], value);
    }
  }
}
