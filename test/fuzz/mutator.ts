import type { Random } from './random.js';

/** Longer than any datagram of a tunnel, so that lengths beyond the usual occur. */
export const LONGEST_MESSAGE = 2048;

/** Where counters, lengths and signs turn over. */
const EDGES = [
  0x00, 0x01, 0x02, 0x04, 0x07, 0x08, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff,
];

/** Makes messages from samples, always in the same memory. */
export class Mutator {
  readonly #random: Random;
  readonly #bytes = new Uint8Array(LONGEST_MESSAGE);
  #length = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The result is valid until the next call. */
  make(samples: readonly Uint8Array[], words: readonly Uint8Array[]): Uint8Array {
    const random = this.#random;
    const kind = random.below(64);
    if (kind === 0) {
      this.#length = random.below(256);
      for (let i = 0; i < this.#length; i++) this.#bytes[i] = random.next();
    } else {
      const sample = samples[random.below(samples.length)];
      this.#length = Math.min(sample.length, LONGEST_MESSAGE);
      this.#bytes.set(sample.subarray(0, this.#length));
      // Few changes go deep, many find what nobody thought of; sometimes there is none.
      const changes = kind === 1 ? 0 : kind < 8 ? 1 + random.below(32) : 1 + random.below(3);
      for (let i = 0; i < changes; i++) this.#change(samples, words);
    }
    return this.#bytes.subarray(0, this.#length);
  }

  #change(samples: readonly Uint8Array[], words: readonly Uint8Array[]): void {
    const random = this.#random;
    const bytes = this.#bytes;
    const at = random.below(this.#length + 1);
    const last = at < this.#length;
    switch (random.below(words.length > 0 ? 14 : 11)) {
      case 0:
      case 1:
        if (last) bytes[at] ^= 1 << random.below(8);
        break;
      case 2:
        if (last) bytes[at] = random.next();
        break;
      case 3:
        if (last) bytes[at] = EDGES[random.below(EDGES.length)];
        break;
      case 4:
        if (last) bytes[at] += random.below(17) - 8;
        break;
      case 5:
        // A length field: big-endian, near the message's own length or at an edge.
        if (at + 1 < this.#length) {
          const value = random.once(2) ? this.#length + random.below(65) - 32 : random.next();
          bytes[at] = value >>> 8;
          bytes[at + 1] = value;
        }
        break;
      case 6:
        this.#length = at;
        break;
      case 7:
        this.#remove(at, 1 + random.below(16));
        break;
      case 8:
        this.#insert(at, 1 + random.below(16));
        break;
      case 9: {
        const other = samples[random.below(samples.length)];
        const from = random.below(other.length + 1);
        this.#write(at, other.subarray(from, from + 1 + random.below(other.length)));
        break;
      }
      case 10: {
        const from = random.below(this.#length + 1);
        this.#insertCopy(at, from, Math.min(this.#length - from, 1 + random.below(64)));
        break;
      }
      case 11:
        this.#write(at, words[random.below(words.length)]);
        break;
      default: {
        const word = words[random.below(words.length)];
        this.#insert(at, word.length);
        this.#write(at, word);
      }
    }
  }

  #remove(at: number, count: number): void {
    const from = Math.min(at + count, this.#length);
    this.#bytes.copyWithin(at, from, this.#length);
    this.#length -= from - at;
  }

  #insert(at: number, count: number): void {
    if (this.#length + count > LONGEST_MESSAGE) return;
    this.#bytes.copyWithin(at + count, at, this.#length);
    this.#length += count;
    const value = this.#random.next();
    for (let i = 0; i < count; i++) this.#bytes[at + i] = value >>> ((i & 3) << 3);
  }

  #insertCopy(at: number, from: number, count: number): void {
    if (this.#length + count > LONGEST_MESSAGE) return;
    const copy = this.#bytes.slice(from, from + count);
    this.#insert(at, count);
    this.#bytes.set(copy, at);
  }

  /** Overwrites, and lengthens the message when the piece stands over. */
  #write(at: number, piece: Uint8Array): void {
    const fits = piece.subarray(0, LONGEST_MESSAGE - at);
    this.#bytes.set(fits, at);
    this.#length = Math.max(this.#length, at + fits.length);
  }
}
