/** ICE of `src/ice` on a real UDP socket. */

import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { PortableDigests } from '../../../src/crypto/portable-digests.js';
import { formatCandidate } from '../../../src/ice/candidate-text.js';
import type { IceAgent } from '../../../src/ice/ice-agent.js';
import { IceHost } from '../../../src/ice/ice-host.js';
import type { IceLimits } from '../../../src/ice/ice-limits.js';
import { endpointPort } from '../../../src/packet/endpoint.js';
import { formatEndpoint } from '../../../src/packet/endpoint-text.js';
import { addressOf, record } from './turn-end.js';

export interface GatewayEndOptions {
  readonly socket: Socket;
  /** Its addresses as the peer may reach it, without port. */
  readonly addresses: readonly string[];
  readonly controlling: boolean;
  readonly stun?: string;
  readonly turn?: { readonly server: string; readonly username: string; readonly password: string };
  readonly limits?: Partial<IceLimits>;
  /** What is to be signaled. */
  readonly signal: (line: SignalLine) => void;
}

export interface SignalLine {
  readonly ufrag?: string;
  readonly pwd?: string;
  readonly candidate?: string;
  readonly end?: boolean;
}

export class GatewayEnd {
  readonly host: IceHost;
  readonly agent: IceAgent;
  /** Texts received, without the first byte that marks them for the demultiplexer. */
  readonly received: string[] = [];
  readonly story: string[] = [];
  readonly refused: string[] = [];
  readonly started = performance.now();
  connectedAfter = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: GatewayEndOptions) {
    const { socket } = options;
    this.host = new IceHost({
      digests: new PortableDigests(),
      random: (out) => void randomFillSync(out),
      limits: options.limits,
      handlers: {
        send: (to, toAt, bytes, offset, length) => {
          const one = to.slice(toAt, toAt + 24);
          socket.send(
            Buffer.from(bytes.subarray(offset, offset + length)),
            endpointPort(one, 0),
            addressOf(one),
          );
        },
        relayed: (_base, _from, _fromAt, bytes, offset, length) => this.#data(bytes, offset, length),
      },
    });
    socket.on('message', (bytes, from) => {
      if (this.#closed) return;
      const text = from.family === 'IPv6' ? `[${from.address}]:${from.port}` : `${from.address}:${from.port}`;
      const kind = this.host.receive(record(text), 0, bytes, 0, bytes.length, performance.now());
      if (kind === 1) this.#data(bytes, 0, bytes.length);
      this.#schedule();
    });
    const now = performance.now();
    const { port } = socket.address();
    this.host.gatherer.setServers(
      options.stun === undefined ? [] : [record(options.stun)],
      options.turn === undefined
        ? []
        : [{ transport: 'udp', endpoint: record(options.turn.server), name: '', ...options.turn }],
      now,
    );
    const own = options.addresses.map((one) =>
      record(one.includes(':') ? `[${one}]:${port}` : `${one}:${port}`),
    );
    this.host.gatherer.setAddresses(own, now);
    this.agent = this.host.addAgent(
      options.controlling,
      {
        described: (agent) => {
          const { ufrag, password } = agent.local;
          options.signal({ ufrag, pwd: password });
          for (const one of this.host.candidates) options.signal({ candidate: formatCandidate(one, ufrag) });
          if (this.host.gathered) options.signal({ end: true });
        },
        candidate: (candidate, agent) =>
          options.signal({ candidate: formatCandidate(candidate, agent.local.ufrag) }),
        gathered: () => options.signal({ end: true }),
        selected: (pair, _agent, at) => {
          if (pair !== undefined) this.connectedAfter = Math.min(this.connectedAfter, at - this.started);
        },
        changed: (agent) => this.story.push(`${agent.state} ${agent.reason}`),
      },
      now,
    );
    this.#schedule();
  }

  /** What the other side has signaled. */
  take(line: SignalLine): void {
    const now = performance.now();
    if (line.ufrag !== undefined && line.pwd !== undefined) this.agent.setRemote(line.ufrag, line.pwd, now);
    if (line.candidate !== undefined) {
      const refusal = this.agent.addRemoteCandidate(line.candidate, now);
      if (refusal !== undefined) this.refused.push(`${refusal}: ${line.candidate}`);
    }
    if (line.end) this.agent.endOfRemoteCandidates(now);
    this.#schedule();
  }

  do(step: (now: number) => void): void {
    step(performance.now());
    this.#schedule();
  }

  /** How traffic goes, for people: `host 10.1.0.2:1 - relay 203.0.113.100:2`. */
  get way(): string {
    const pair = this.agent.selected;
    if (pair === undefined) return 'nowhere';
    const one = (candidate: { type: string; endpoint: Uint8Array }) =>
      `${candidate.type} ${formatEndpoint(candidate.endpoint, 0)}`;
    return `${one(pair.local)} - ${one(pair.remote)}`;
  }

  get relayed(): boolean {
    return this.agent.selected?.relayed ?? false;
  }

  /** A text in the form of a WireGuard message, so that no peer takes it for STUN. */
  send(text: string): boolean {
    const pair = this.agent.selected;
    if (pair === undefined) return false;
    const bytes = Buffer.from(disguised(text));
    const { local, remote } = pair;
    return this.host.send(local.base, remote.endpoint, 0, bytes, 0, bytes.length, performance.now());
  }

  close(): void {
    this.#closed = true;
    this.host.removeAgent(this.agent, performance.now());
    clearTimeout(this.#timer);
  }

  #data(bytes: Uint8Array, offset: number, length: number): void {
    this.received.push(
      Buffer.from(bytes.subarray(offset + 4, offset + length))
        .toString()
        .trim(),
    );
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { deadline } = this.host;
    if (this.#closed || deadline === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => this.do((now) => this.host.advance(now)),
      Math.max(0, Math.ceil(deadline - performance.now())),
    );
  }
}

/** The four bytes that WireGuard's data messages begin with, and enough of it to be one. */
export function disguised(text: string): string {
  return `\x04\0\0\0${text.padEnd(44)}`;
}
