/**
 * What lies between the two ends: a router whose kernel flips bits in datagrams, at the speed of the wire, and the ways
 * in which the left end moves about.
 */

import { Lab } from '../lab/lab.js';
import type { Namespace } from '../lab/namespace.js';

const SIDES = { left: '10.71.1', right: '10.71.2' } as const;
const ROUTER = 254;
export const RIGHT = { address: `${SIDES.right}.1`, port: 51822 };
/** The left end's first port, and its last address byte. */
export const LEFT = { port: 51821, host: 1 };

/**
 * Where bits are flipped, in bytes of the datagram: type, reserved bytes, receiver, both halves of the counter; of the
 * packet inside its first byte, total length, protocol and checksum; TCP's sequence number and checksum; payload; and
 * the last two inside the second and the third datagram of a merged buffer.
 */
const PLACES = [0, 2, 5, 8, 14, 16, 19, 25, 27, 41, 53, 300, 1452 + 4, 1452 + 90, 2 * 1452 + 500];
const UDP_HEADER = 8;

export class Wire {
  readonly lab = new Lab();
  readonly left: Namespace;
  readonly right: Namespace;
  readonly #router: Namespace;
  readonly #leftLink: string;
  #host = LEFT.host;

  constructor() {
    this.left = this.lab.namespace('soakleft');
    this.right = this.lab.namespace('soakright');
    this.#router = this.lab.namespace('soakwire');
    const side = (space: Namespace, prefix: string, host: number) => ({
      space,
      addresses: [`${prefix}.${host}/24`],
    });
    [this.#leftLink] = this.lab.link(
      side(this.left, SIDES.left, LEFT.host),
      side(this.#router, SIDES.left, ROUTER),
    );
    this.lab.link(side(this.right, SIDES.right, 1), side(this.#router, SIDES.right, ROUTER));
    this.left.ip(`route add default via ${SIDES.left}.${ROUTER}`);
    this.right.ip(`route add default via ${SIDES.right}.${ROUTER}`);
    this.#router.sysctl({ 'net.ipv4.ip_forward': '1' });
    // Otherwise the old address takes the new one with it.
    this.left.sysctl({ 'net.ipv4.conf.all.promote_secondaries': '1' });
  }

  get leftAddress(): string {
    return `${SIDES.left}.${this.#host}`;
  }

  /** The left end's network gives it another address; the old one is gone. */
  moveLeft(): void {
    const old = this.leftAddress;
    this.#host = this.#host === 200 ? LEFT.host : this.#host + 1;
    this.left.ip(`address add ${this.leftAddress}/24 dev ${this.#leftLink}`);
    this.left.ip(`address del ${old}/24 dev ${this.#leftLink}`);
  }

  /** From now on one bit in one of `oneIn` buffers that pass is flipped; a buffer is one datagram or several of one flow. */
  flip(oneIn: number): void {
    const each = oneIn * PLACES.length;
    const rules = PLACES.map((place, i) => {
      const at = `@th,${8 * (UDP_HEADER + place)},8`;
      // The counter comes last: a packet too short for the place is left alone and not counted.
      return `ip protocol udp numgen random mod ${each} == ${i} ${at} set ${at} ^ ${1 << (i % 8)} counter`;
    });
    this.#router.nft(
      `table ip wire {\n  chain pass {\n    type filter hook forward priority 0\n    ${rules.join('\n    ')}\n  }\n}\n`,
    );
  }

  /** Bits flipped so far. */
  async flips(): Promise<number> {
    const text = await this.#router.get(['nft', 'list', 'ruleset']);
    return [...text.matchAll(/counter packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  close(): void {
    this.lab.close();
  }
}
