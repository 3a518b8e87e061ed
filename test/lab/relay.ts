import type { Bytes } from '../wireguard/reference/symmetric.js';
import type { Namespace } from './namespace.js';
import { type Target, UdpPort } from './udp-port.js';

/** Which way a datagram goes through the relay. */
export type Direction = 'to-left' | 'to-right';

/** What becomes of a datagram: itself, nothing, several, changed ones; each after `delay` ms. */
export type Tamper = (bytes: Bytes, direction: Direction) => readonly { bytes: Bytes; delay: number }[];

export const HONEST: Tamper = (bytes) => [{ bytes, delay: 0 }];

/** Flips one random bit. */
export function flipped(bytes: Bytes, bit = Math.floor(Math.random() * bytes.length * 8)): Bytes {
  const changed = bytes.slice();
  changed[bit >> 3] ^= 1 << (bit & 7);
  return changed;
}

/** A man in the middle: two UDP sockets, each one known to one end as the other end. */
export class Relay {
  /** Everything that came in, by the way it went. */
  readonly passed: Record<Direction, Bytes[]> = { 'to-left': [], 'to-right': [] };
  tamper: Tamper = HONEST;
  readonly #ports: Record<Direction, UdpPort>;
  readonly #targets: Record<Direction, Target>;
  #open = true;

  private constructor(left: UdpPort, right: UdpPort, leftTarget: Target, rightTarget: Target) {
    // What arrives from the right leaves by the port that the left end knows.
    this.#ports = { 'to-left': left, 'to-right': right };
    this.#targets = { 'to-left': leftTarget, 'to-right': rightTarget };
    left.onDatagram = ({ bytes }) => this.#pass(bytes, 'to-right');
    right.onDatagram = ({ bytes }) => this.#pass(bytes, 'to-left');
  }

  /** `left` and `right` are the true ends; the relay takes the two given ports of an address in `space`. */
  static async open(
    space: Namespace,
    address: string,
    ports: { left: number; right: number },
    left: Target,
    right: Target,
  ): Promise<Relay> {
    return new Relay(
      await UdpPort.open(space, { address, port: ports.left }),
      await UdpPort.open(space, { address, port: ports.right }),
      left,
      right,
    );
  }

  #pass(bytes: Bytes, direction: Direction): void {
    this.passed[direction].push(bytes);
    for (const each of this.tamper(bytes, direction)) {
      if (each.delay > 0) setTimeout(() => this.inject(each.bytes, direction), each.delay);
      else this.inject(each.bytes, direction);
    }
  }

  /** Sends a datagram as if it had just come through. */
  inject(bytes: Bytes, direction: Direction): void {
    if (this.#open) this.#ports[direction].flood([bytes], this.#targets[direction]);
  }

  close(): void {
    this.#open = false;
    for (const port of Object.values(this.#ports)) port.close();
  }
}
