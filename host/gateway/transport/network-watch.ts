/** Names the network that this host is in, and tells when it is another one: addresses came or went, or the way out did. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/** How often it looks, in ms. */
const INTERVAL = 1_000;
const NAME_CHARACTERS = 12;

export class NetworkWatch {
  readonly #own: string;
  readonly #changed: (network: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #last = '';

  /** `own`: the tunnel's interface, which says nothing about the network. */
  constructor(own: string, changed: (network: string) => void) {
    this.#own = own;
    this.#changed = changed;
  }

  start(): void {
    this.#look();
    this.#timer = setInterval(() => this.#look(), INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const facts = this.#facts();
    if (facts === this.#last) return;
    this.#last = facts;
    // Addresses say where somebody is; their digest only says whether it is the same place.
    this.#changed(createHash('sha256').update(facts).digest('hex').slice(0, NAME_CHARACTERS));
  }

  #facts(): string {
    const lines: string[] = [];
    for (const [name, list] of Object.entries(networkInterfaces())) {
      if (name === this.#own) continue;
      for (const { address, internal } of list ?? []) if (!internal) lines.push(`${name} ${address}`);
    }
    return [...lines.sort(), defaultRoute(this.#own)].join('\n');
  }
}

/** Interface and gateway of the IPv4 default route, as far as the kernel tells. */
function defaultRoute(own: string): string {
  try {
    return readFileSync('/proc/net/route', 'utf8')
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([name, destination]) => destination === '00000000' && name !== own)
      .map(([name, , gateway]) => `default ${name} ${gateway}`)
      .join('\n');
  } catch {
    return '';
  }
}
