/** What a tunnel carries: iperf3 and ping through it, and the processor time that it takes. */

import type { Namespace } from '../lab/namespace.js';
import { sleep } from '../lab/wait.js';
import { cpuSeconds, residentBytes } from './process-tree.js';
import { percentile } from './statistics.js';
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
  const before = cpuOf(tunnel);
  const flow = await iperf(tunnel, ['-t', `${seconds}`, '-P', `${flows}`]);
  return {
    megabits: flow.bitsPerSecond / 1e6,
    cpuPerGigabit: (cpuOf(tunnel) - before) / ((flow.bytes * 8) / 1e9),
  };
}

/** Seconds that both ends have taken so far. */
function cpuOf(tunnel: Tunnel): number {
  return tunnel.ends.reduce((sum, end) => sum + cpuSeconds(end.pid), 0);
}

/** Resident memory of the larger end, MB. */
export function residentMegabytes(tunnel: Tunnel): number {
  return Math.max(...tunnel.ends.map((end) => residentBytes(end.pid))) / 1e6;
}

export interface UdpResult {
  /** Thousands of packets a second that arrived. */
  readonly kpps: number;
  /** Of what the sender got rid of, percent. */
  readonly loss: number;
  readonly megabits: number;
  /** Of what arrived. */
  readonly cpuPerGigabit: number;
}

/** `size` bytes of payload, `offered` Mbit/s of them. */
export async function udp(
  tunnel: Tunnel,
  offered: number,
  size: number,
  seconds: number,
): Promise<UdpResult> {
  const before = cpuOf(tunnel);
  const flow = await iperf(tunnel, ['-u', '-b', `${offered}M`, '-l', `${size}`, '-t', `${seconds}`]);
  const arrived = flow.packets - flow.lost;
  return {
    kpps: arrived / flow.seconds / 1000,
    loss: (100 * flow.lost) / Math.max(1, flow.packets),
    megabits: (arrived * size * 8) / flow.seconds / 1e6,
    cpuPerGigabit: (cpuOf(tunnel) - before) / ((arrived * size * 8) / 1e9),
  };
}

export interface RoundTrip {
  /** ms */
  readonly mean: number;
  /** 99th percentile, ms. */
  readonly p99: number;
}

/** Of a ping each 2 ms through an idle tunnel. */
export function roundTrip(tunnel: Tunnel, seconds: number): Promise<RoundTrip> {
  return ping(tunnel, 0.002, Math.max(100, Math.round(seconds * 500)));
}

/** Seconds that a flow gets to come up to its speed. */
const RISE = 0.5;

/** Of a ping each 10 ms beside one TCP flow of `seconds`. */
export async function roundTripUnderLoad(tunnel: Tunnel, seconds: number): Promise<RoundTrip> {
  const flow = iperf(tunnel, ['-t', `${seconds}`]);
  await sleep(1_000 * RISE);
  const times = await ping(tunnel, 0.01, Math.max(20, Math.round((seconds - 2 * RISE) * 100)));
  await flow;
  return times;
}

async function ping(tunnel: Tunnel, interval: number, count: number): Promise<RoundTrip> {
  const words = ['ping', '-n', '-i', `${interval}`, '-c', `${count}`, INNER.right];
  const { stdout } = await tunnel.ground.left.run(words, { limit: 60_000 });
  const times = [...stdout.matchAll(/time=([\d.]+)/g)].map((match) => Number(match[1]));
  return {
    mean: times.reduce((sum, time) => sum + time, 0) / times.length,
    p99: percentile(times, 0.99),
  };
}
