/** One round of one program: everything that is measured of it, in one order. */

import type { Ground } from './ground.js';
import { type Callers, coreHandshakes, wireHandshakes } from './handshakes.js';
import { FLOWS, type Group, MANY_PEERS, PEERS, record, SMALL, type Values } from './measures.js';
import { type Description, Gateway, type Program } from './program.js';
import { manyPeers, memory, startUp } from './start-up.js';
import { residentMegabytes, roundTrip, roundTripUnderLoad, tcp, udp } from './traffic.js';
import { Tunnel } from './tunnel.js';

/** Mbit/s of payload. */
const OFFERED = 1_200;
/** Payload of a UDP packet that fills the tunnel's MTU of 1420, bytes. */
const FULL = 1_372;
const SMALL_PER_SECOND = 100_000;

export interface RoundOptions {
  readonly seconds: number;
  readonly groups: readonly Group[];
  /** Told of each value when there is one. */
  readonly progress: (id: string, value: number) => void;
}

export class Round {
  readonly #ground: Ground;
  readonly #program: Program;
  readonly #values: Values;
  readonly #options: RoundOptions;

  constructor(ground: Ground, program: Program, values: Values, options: RoundOptions) {
    this.#ground = ground;
    this.#program = program;
    this.#values = values;
    this.#options = options;
  }

  #wants(...groups: Group[]): boolean {
    return groups.some((group) => this.#options.groups.includes(group));
  }

  #record(id: string, value: number): void {
    record(this.#values, id, value);
    this.#options.progress(id, value);
  }

  /** Everything that goes through a tunnel; what the program says of itself. */
  async traffic(): Promise<Description | undefined> {
    if (!this.#wants('tcp', 'wire', 'udp', 'small', 'ping')) return undefined;
    const tunnel = await Tunnel.open(this.#ground, this.#program);
    try {
      await tcp(tunnel, 1, 1); // to warm up
      if (this.#wants('tcp')) await this.#tcp(tunnel);
      if (this.#wants('ping')) await this.#ping(tunnel);
      if (this.#wants('udp')) await this.#udp(tunnel);
      if (this.#wants('small')) await this.#small(tunnel);
      if (this.#wants('wire')) await this.#wireLike(tunnel);
      return await this.#program.describe(tunnel.left);
    } finally {
      await tunnel.close();
    }
  }

  async #tcp(tunnel: Tunnel): Promise<void> {
    for (const flows of FLOWS) {
      const { megabits, cpuPerGigabit } = await tcp(tunnel, flows, this.#options.seconds);
      this.#record(`tcp${flows}`, megabits);
      if (flows === 1) this.#record('cpu', cpuPerGigabit);
    }
    this.#record('memoryLoad', residentMegabytes(tunnel));
  }

  async #ping(tunnel: Tunnel): Promise<void> {
    const { seconds } = this.#options;
    this.#record('ping', (await roundTrip(tunnel, Math.min(seconds, 2))).mean);
    const { mean, p99 } = await roundTripUnderLoad(tunnel, seconds);
    this.#record('pingLoad', mean);
    this.#record('pingLoad99', p99);
  }

  async #udp(tunnel: Tunnel): Promise<void> {
    const { kpps, loss, cpuPerGigabit } = await udp(tunnel, OFFERED, FULL, this.#options.seconds);
    this.#record('udp', kpps);
    this.#record('udpLoss', loss);
    this.#record('udpCpu', cpuPerGigabit);
  }

  async #small(tunnel: Tunnel): Promise<void> {
    for (const size of SMALL) {
      const offered = (SMALL_PER_SECOND * size * 8) / 1e6;
      const { kpps } = await udp(tunnel, offered, size, this.#options.seconds);
      this.#record(size === 64 ? 'small' : `small${size}`, kpps);
    }
  }

  async #wireLike(tunnel: Tunnel): Promise<void> {
    this.#ground.segmentation(false);
    try {
      for (const flows of FLOWS) {
        const { megabits, cpuPerGigabit } = await tcp(tunnel, flows, this.#options.seconds);
        this.#record(`wire${flows}`, megabits);
        if (flows === 1) this.#record('wireCpu', cpuPerGigabit);
      }
    } finally {
      this.#ground.segmentation(true);
    }
  }

  async peers(): Promise<void> {
    if (!this.#wants('peers') || MANY_PEERS > (this.#program.mostPeers ?? MANY_PEERS)) return;
    const tunnel = await Tunnel.open(this.#ground, this.#program, manyPeers(MANY_PEERS - 1));
    try {
      await tcp(tunnel, 1, 1);
      this.#record('tcpPeers', (await tcp(tunnel, 1, this.#options.seconds)).megabits);
      this.#record('memoryPeers', residentMegabytes(tunnel));
    } finally {
      await tunnel.close();
    }
  }

  async start(): Promise<void> {
    if (!this.#wants('start')) return;
    const { socket, firstPacket } = await startUp(this.#ground, this.#program);
    this.#record('socket', socket);
    this.#record('firstPacket', firstPacket);
  }

  async memory(): Promise<void> {
    if (!this.#wants('memory')) return;
    for (const count of PEERS) {
      if (count > (this.#program.mostPeers ?? count)) continue;
      const bytes = await memory(this.#ground, this.#program, manyPeers(count));
      this.#record(`memory${count}`, bytes / 1e6);
    }
  }

  async handshakes(callers: Callers): Promise<void> {
    this.#record('handshakes', await wireHandshakes(this.#ground, this.#program, callers));
    // Others do not let us at their core.
    if (this.#program instanceof Gateway) this.#record('core', coreHandshakes(callers));
  }
}
