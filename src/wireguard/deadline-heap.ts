/**
 * Earliest deadline first. An entry moved later is left where it is and found too early once; an entry moved
 * earlier is sifted up. So the packet path, which only ever postpones, costs nothing here.
 */

export interface Scheduled {
  /** Monotonic ms under which the entry is filed; kept by the heap. */
  filedAt: number;
  /** Place in the heap, -1 when absent; kept by the heap. */
  heapIndex: number;
}

export class DeadlineHeap<T extends Scheduled> {
  readonly #entries: T[] = [];

  /** When the first entry should be looked at; Infinity when there is none. */
  get earliest(): number {
    return this.#entries.length === 0 ? Infinity : this.#entries[0].filedAt;
  }

  /** Files the entry under `at` unless it is already filed earlier. True when the earliest deadline moved nearer. */
  schedule(entry: T, at: number): boolean {
    if (entry.heapIndex >= 0) {
      if (entry.filedAt <= at) return false;
      entry.filedAt = at;
    } else {
      entry.filedAt = at;
      entry.heapIndex = this.#entries.length;
      this.#entries.push(entry);
    }
    this.#siftUp(entry);
    return entry.heapIndex === 0;
  }

  /** Removes and returns an entry that is due, or undefined. */
  popDue(now: number): T | undefined {
    const first = this.#entries[0];
    if (first === undefined || first.filedAt > now) return undefined;
    this.remove(first);
    return first;
  }

  remove(entry: T): void {
    const at = entry.heapIndex;
    if (at < 0) return;
    entry.heapIndex = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#put(last, at);
    this.#siftUp(last);
    this.#siftDown(last);
  }

  #siftUp(entry: T): void {
    let at = entry.heapIndex;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#entries[parent].filedAt <= entry.filedAt) break;
      this.#put(this.#entries[parent], at);
      at = parent;
    }
    this.#put(entry, at);
  }

  #siftDown(entry: T): void {
    let at = entry.heapIndex;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= this.#entries.length) break;
      if (child + 1 < this.#entries.length && this.#entries[child + 1].filedAt < this.#entries[child].filedAt)
        child++;
      if (this.#entries[child].filedAt >= entry.filedAt) break;
      this.#put(this.#entries[child], at);
      at = child;
    }
    this.#put(entry, at);
  }

  #put(entry: T, at: number): void {
    this.#entries[at] = entry;
    entry.heapIndex = at;
  }
}
