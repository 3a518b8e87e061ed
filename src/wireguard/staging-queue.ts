/** Packets that wait for a session: a bounded ring that forgets the oldest first (paper, section 6.4). */
export class StagingQueue {
  readonly #capacity: number;
  // Made on first use: of ten thousand peers few are ever without a session and with traffic at once.
  #packets: (Uint8Array | undefined)[] | undefined;
  #first = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#count;
  }

  /** Copies a packet in. False when the oldest one had to make room. */
  push(bytes: Uint8Array, offset: number, length: number): boolean {
    this.#packets ??= new Array(this.#capacity).fill(undefined);
    const copy = bytes.slice(offset, offset + length);
    const kept = this.#count < this.#capacity;
    if (!kept) this.shift();
    this.#packets[(this.#first + this.#count) % this.#capacity] = copy;
    this.#count++;
    return kept;
  }

  /** Takes the oldest packet; undefined when there is none. */
  shift(): Uint8Array | undefined {
    if (this.#count === 0 || this.#packets === undefined) return undefined;
    const packet = this.#packets[this.#first];
    this.#packets[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#capacity;
    this.#count--;
    return packet;
  }

  /** Drops everything; how many there were. */
  clear(): number {
    const dropped = this.#count;
    this.#packets = undefined;
    this.#first = 0;
    this.#count = 0;
    return dropped;
  }
}
