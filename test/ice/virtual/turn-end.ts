/** A TURN client of `src/ice` on the virtual network. */

import { PortableDigests } from '../../../src/crypto/portable-digests.js';
import { TurnClient } from '../../../src/ice/turn-client.js';
import type { TurnLimits } from '../../../src/ice/turn-limits.js';
import { formatEndpoint } from '../../../src/packet/endpoint-text.js';
import { record } from './gateway.js';
import type { VirtualNetwork } from './network.js';

export class VirtualTurnEnd {
  readonly client: TurnClient;
  readonly received: string[] = [];
  readonly story: string[] = [];
  /** Every message sent to a server, by its first two bytes. */
  readonly sent: number[] = [];
  readonly #network: VirtualNetwork;

  constructor(
    network: VirtualNetwork,
    socket: string,
    server: string,
    username: string,
    password: string,
    limits?: Partial<TurnLimits>,
  ) {
    this.#network = network;
    this.client = new TurnClient({
      digests: new PortableDigests(),
      random: (out) => {
        for (let i = 0; i < out.length; i++) out[i] = network.random.next();
      },
      server: record(server),
      username,
      password,
      limits,
      handlers: {
        send: (to, bytes, offset, length) => {
          this.sent.push((bytes[offset] << 8) | bytes[offset + 1]);
          network.send(socket, formatEndpoint(to, 0), bytes.subarray(offset, offset + length));
        },
        data: (peer, at, bytes, offset, length) => {
          const text = Buffer.from(bytes.subarray(offset, offset + length)).toString();
          this.received.push(`${formatEndpoint(peer, at)} ${text}`);
        },
        changed: (client) => this.story.push(`${client.state} ${client.reason}`),
      },
    });
    network.attach(socket.split(':')[0], (_from, to, bytes) => {
      if (to === socket) this.client.receive(bytes, 0, bytes.length, network.now);
    });
  }

  get deadline(): number {
    return this.client.deadline;
  }

  advance(now: number): void {
    this.client.advance(now);
  }

  get relayed(): string {
    return formatEndpoint(this.client.relayed, 0);
  }

  send(peer: string, text: string): boolean {
    const bytes = Buffer.from(text);
    return this.client.send(record(peer), 0, bytes, 0, bytes.length, this.#network.now);
  }
}
