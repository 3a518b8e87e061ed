/** What could not be opened in a network, so that it is not tried again and again there. */

interface Entry {
  until: number;
  /** ms of the next refusal to try. */
  next: number;
}

/** Networks and transports remembered; who was not asked for longest is forgotten first. */
const MOST_ENTRIES = 256;

export class NegativeCache {
  readonly #first: number;
  readonly #most: number;
  readonly #entries = new Map<string, Entry>();

  /** The first time in ms and the longest; it doubles with every failure. */
  constructor(first: number, most: number) {
    this.#first = first;
    this.#most = most;
  }

  /** Monotonic ms until which the transport is not worth trying in this network; 0 when it is. */
  until(network: string, transport: string, now: number): number {
    const entry = this.#entries.get(key(network, transport));
    return entry && entry.until > now ? entry.until : 0;
  }

  failed(network: string, transport: string, now: number): void {
    const name = key(network, transport);
    const entry = this.#entries.get(name) ?? { until: 0, next: this.#first };
    entry.until = now + entry.next;
    entry.next = Math.min(this.#most, entry.next * 2);
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (this.#entries.size > MOST_ENTRIES) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
  }

  worked(network: string, transport: string): void {
    this.#entries.delete(key(network, transport));
  }
}

function key(network: string, transport: string): string {
  return `${network}\n${transport}`;
}
