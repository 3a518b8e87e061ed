import type { Kernel } from '../wasm/kernel.js';

const LEAST_CAPACITY = 256;
/** Of the entries at most one in so many is taken, so that a search is short. */
const ROOM = 2;
const WORDS = 2;

/**
 * The table of receiver indices in the kernel's memory (`wasm/assembly/indices.ts`), which receiving threads search
 * while it is changed. A table that has become too full is replaced by another; the old one is used again later, when
 * nobody can still be searching it.
 */
export class SharedIndices {
  readonly #kernel: Kernel;
  readonly #slots = new Map<number, number>();
  /** Of the current table. */
  #address = 0;
  #capacity = 0;
  /** Entries that are or were in use since the table was made. */
  #used = 0;
  /** The table before. */
  #spare: { readonly address: number; readonly capacity: number } | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#rebuild();
  }

  set(index: number, slot: number): void {
    this.#slots.set(index, slot);
    if ((this.#used + 1) * ROOM > this.#capacity) this.#rebuild();
    else this.#insert(index, slot);
  }

  delete(index: number): void {
    if (!this.#slots.delete(index)) return;
    const { words } = this.#kernel;
    const removed = this.#kernel.constant('INDEX_REMOVED') | 0;
    for (let place = index & (this.#capacity - 1); ; place = (place + 1) & (this.#capacity - 1)) {
      const entry = this.#entry(place);
      const slot = Atomics.load(words, entry + 1);
      if (slot === 0) return;
      if (slot !== removed && words[entry] >>> 0 === index) {
        Atomics.store(words, entry + 1, removed);
        return;
      }
    }
  }

  #entry(place: number): number {
    return ((this.#address + this.#kernel.constant('INDEX_ENTRIES')) >> 2) + place * WORDS;
  }

  #insert(index: number, slot: number): void {
    const { words } = this.#kernel;
    const removed = this.#kernel.constant('INDEX_REMOVED') | 0;
    let place = index & (this.#capacity - 1);
    let found = Atomics.load(words, this.#entry(place) + 1);
    while (found !== 0 && found !== removed) {
      place = (place + 1) & (this.#capacity - 1);
      found = Atomics.load(words, this.#entry(place) + 1);
    }
    if (found === 0) this.#used++;
    const entry = this.#entry(place);
    words[entry] = index;
    Atomics.store(words, entry + 1, slot);
  }

  #rebuild(): void {
    const kernel = this.#kernel;
    let capacity = LEAST_CAPACITY;
    while (capacity < this.#slots.size * ROOM * 2) capacity *= 2;
    const before = { address: this.#address, capacity: this.#capacity };
    const entries = kernel.constant('INDEX_ENTRIES');
    const bytes = entries + capacity * WORDS * 4;
    if (this.#spare?.capacity === capacity) {
      this.#address = this.#spare.address;
      kernel.all.fill(0, this.#address, this.#address + bytes);
    } else this.#address = kernel.allocate(bytes);
    this.#spare = before.address === 0 ? undefined : before;
    this.#capacity = capacity;
    this.#used = 0;
    kernel.words[(this.#address + kernel.constant('INDEX_MASK')) >> 2] = capacity - 1;
    for (const [index, slot] of this.#slots) this.#insert(index, slot);
    Atomics.store(kernel.words, kernel.constant('INDEX_TABLE') >> 2, this.#address);
  }
}
