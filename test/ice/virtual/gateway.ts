/** A gateway's ICE on the virtual network: one socket, one agent, signaling to another such gateway with delay. */

import { PortableDigests } from '../../../src/crypto/portable-digests.js';
import { formatCandidate } from '../../../src/ice/candidate-text.js';
import type { TurnServer } from '../../../src/ice/gather-options.js';
import type { IceAgent } from '../../../src/ice/ice-agent.js';
import { IceHost } from '../../../src/ice/ice-host.js';
import type { IceLimits } from '../../../src/ice/ice-limits.js';
import { formatEndpoint, parseEndpoint } from '../../../src/packet/endpoint-text.js';
import type { VirtualNetwork } from './network.js';

const digests = new PortableDigests();

export interface GatewayOptions {
  /** `address:port` of its socket. */
  readonly socket: string;
  readonly stun?: readonly string[];
  readonly turn?: readonly { endpoint: string; username: string; password: string }[];
  readonly controlling: boolean;
  readonly limits?: Partial<IceLimits>;
}

export class VirtualGateway {
  readonly host: IceHost;
  agent!: IceAgent;
  readonly network: VirtualNetwork;
  socket: string;
  /** Datagrams of the tunnel that arrived, as text. */
  readonly received: string[] = [];
  /** When the first one did, and each pair that was selected, with its time. */
  firstReceived = Number.POSITIVE_INFINITY;
  readonly selections: { at: number; way: string }[] = [];
  readonly #controlling: boolean;
  #peer: VirtualGateway | undefined;

  constructor(network: VirtualNetwork, options: GatewayOptions) {
    this.network = network;
    this.socket = options.socket;
    this.#controlling = options.controlling;
    this.host = new IceHost({
      digests,
      random: (out) => {
        for (let i = 0; i < out.length; i++) out[i] = network.random.next();
      },
      limits: options.limits,
      handlers: {
        send: (to, toAt, bytes, offset, length) =>
          network.send(this.socket, formatEndpoint(to, toAt), bytes.subarray(offset, offset + length)),
        relayed: (_base, _from, _fromAt, bytes, offset, length) => this.#tunnel(bytes, offset, length),
      },
    });
    this.plug();
    const turn: TurnServer[] = (options.turn ?? []).map(({ endpoint, username, password }) => ({
      transport: 'udp',
      endpoint: record(endpoint),
      name: '',
      username,
      password,
    }));
    this.host.gatherer.setServers((options.stun ?? []).map(record), turn, network.now);
    this.host.gatherer.setAddresses([record(this.socket)], network.now);
  }

  /** Listens on `socket`. */
  plug(): void {
    const [address] = this.socket.split(':');
    this.network.attach(address, (from, to, bytes) => {
      if (to !== this.socket) return;
      const kind = this.host.receive(record(from), 0, bytes, 0, bytes.length, this.network.now);
      if (kind === 1) this.#tunnel(bytes, 0, bytes.length);
    });
  }

  get deadline(): number {
    return this.host.deadline;
  }

  advance(now: number): void {
    this.host.advance(now);
  }

  /** How traffic goes: `host`, `srflx`, `prflx`, `relay` of both ends; empty for not at all. */
  get way(): string {
    const pair = this.agent.selected;
    return pair === undefined ? '' : `${pair.local.type}-${pair.remote.type}`;
  }

  /** Starts the agent; what it has to tell goes to `peer` after a round trip by the control plane. */
  meet(peer: VirtualGateway): void {
    this.#peer = peer;
    this.agent = this.host.addAgent(
      this.#controlling,
      {
        described: (agent) => {
          const { ufrag, password } = agent.local;
          const lines = this.host.candidates.map((one) => formatCandidate(one, ufrag));
          const { gathered } = this.host;
          this.signal((other) => {
            other.agent.setRemote(ufrag, password, this.network.now);
            for (const line of lines) other.agent.addRemoteCandidate(line, this.network.now);
            if (gathered) other.agent.endOfRemoteCandidates(this.network.now);
          });
        },
        candidate: (candidate, agent) => {
          const line = formatCandidate(candidate, agent.local.ufrag);
          this.signal((other) => other.agent.addRemoteCandidate(line, this.network.now));
        },
        gathered: () => this.signal((other) => other.agent.endOfRemoteCandidates(this.network.now)),
        selected: (_pair, _agent, now) => this.selections.push({ at: now, way: this.way }),
        changed: () => {},
      },
      this.network.now,
    );
  }

  signal(tell: (other: VirtualGateway) => void): void {
    this.network.after(30, () => {
      if (this.#peer?.agent !== undefined) tell(this.#peer);
    });
  }

  /** Sends a datagram of the tunnel by the selected pair. */
  send(text: string): boolean {
    const pair = this.agent.selected;
    if (pair === undefined) return false;
    const bytes = new Uint8Array(48);
    bytes[0] = 4;
    bytes.set(Buffer.from(text.padEnd(44)), 4);
    return this.host.send(pair.local.base, pair.remote.endpoint, 0, bytes, 0, bytes.length, this.network.now);
  }

  #tunnel(bytes: Uint8Array, offset: number, length: number): void {
    this.firstReceived = Math.min(this.firstReceived, this.network.now);
    this.received.push(
      Buffer.from(bytes.subarray(offset + 4, offset + length))
        .toString()
        .trim(),
    );
  }
}

export function record(endpoint: string): Uint8Array {
  const parsed = parseEndpoint(endpoint);
  if (parsed.kind !== 'address') throw new Error(`${endpoint} is no endpoint`);
  return parsed.record;
}
