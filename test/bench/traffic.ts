/** What a tunnel carries: iperf3 and ping through it, and the processor time that it takes. */

import type { Namespace } from '../lab/namespace.js';
import { sleep } from '../lab/wait.js';
import { cpuSeconds } from './process-tree.js';
import { INNER, type Tunnel } from './tunnel.js';

export interface Flow {
  /** Received. */
  readonly bitsPerSecond: number;
  readonly bytes: number;
  readonly retransmits: number;
  /** UDP only. */
  readonly packets: number;
  readonly lost: number;
  readonly seconds: number;
}

let nextPort = 5400;

async function iperf(tunnel: Tunnel, words: readonly string[]): Promise<Flow> {
  const { left, right } = tunnel.ground;
  const port = `${nextPort++}`;
  const server = right.run(['iperf3', '-s', '-1', '-p', port, '-B', INNER.right], { limit: 120_000 });
  await listening(right, port);
  const client = await left.run(['iperf3', '-c', INNER.right, '-p', port, '-J', ...words], {
    limit: 120_000,
  });
  const report = JSON.parse(client.stdout);
  if (report.error) throw new Error(`iperf3: ${report.error}`);
  await server;
  const { sum, sum_received: received, sum_sent: sent } = report.end;
  const most = received ?? sum;
  return {
    bitsPerSecond: most.bits_per_second,
    bytes: most.bytes,
    retransmits: sent?.retransmits ?? 0,
    packets: sum?.packets ?? 0,
    lost: sum?.lost_packets ?? 0,
    seconds: (sum ?? sent).seconds,
  };
}

async function listening(space: Namespace, port: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if ((await space.get(['ss', '-Hltn', `sport = :${port}`])) !== '') return;
    await sleep(20);
  }
  throw new Error('iperf3 does not listen');
}

export interface TcpResult {
  readonly megabits: number;
  readonly cpuPerGigabit: number;
}

export async function tcp(tunnel: Tunnel, flows: number, seconds: number): Promise<TcpResult> {
  const before = tunnel.ends.reduce((sum, end) => sum + cpuSeconds(end.pid), 0);
  const flow = await iperf(tunnel, ['-t', `${seconds}`, '-P', `${flows}`]);
  const after = tunnel.ends.reduce((sum, end) => sum + cpuSeconds(end.pid), 0);
  return {
    megabits: flow.bitsPerSecond / 1e6,
    cpuPerGigabit: (after - before) / ((flow.bytes * 8) / 1e9),
  };
}

export interface UdpResult {
  /** Thousands of packets a second that arrived. */
  readonly kpps: number;
  /** Of what the sender got rid of, percent. */
  readonly loss: number;
  readonly megabits: number;
}

/** `size` bytes of payload, `offered` Mbit/s of them. */
export async function udp(
  tunnel: Tunnel,
  offered: number,
  size: number,
  seconds: number,
): Promise<UdpResult> {
  const flow = await iperf(tunnel, ['-u', '-b', `${offered}M`, '-l', `${size}`, '-t', `${seconds}`]);
  const arrived = flow.packets - flow.lost;
  return {
    kpps: arrived / flow.seconds / 1000,
    loss: (100 * flow.lost) / Math.max(1, flow.packets),
    megabits: (arrived * size * 8) / flow.seconds / 1e6,
  };
}

/** Mean round-trip time in ms of a ping each 2 ms. */
export async function roundTrip(tunnel: Tunnel, seconds: number): Promise<number> {
  const count = Math.max(100, Math.round(seconds * 500));
  const words = ['ping', '-q', '-n', '-i', '0.002', '-c', `${count}`, INNER.right];
  const { stdout } = await tunnel.ground.left.run(words, { limit: 60_000 });
  return Number(/= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1] ?? Number.NaN);
}
