/** Segmentation and coalescing on real sockets over loopback: no privilege is needed for either. */

import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { OffloadCounters } from '../../host/gateway/offload/counters.js';
import { DatagramPort } from '../../host/gateway/offload/datagram-port.js';
import { callOnDescriptor } from '../../host/gateway/offload/ioctl-helper.js';
import { bindUdpSockets, descriptorOf } from '../../host/gateway/platform/udp-sockets.js';
import { UdpAddresses } from '../../host/gateway/udp-addresses.js';
import { Batch } from '../../src/packet/batch.js';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import { Seeded } from '../crypto/seeded.js';

const MTU = 1420;
const SEGMENT = MTU + 32;
const LOOPBACK = { 4: Uint8Array.of(127, 0, 0, 1), 6: Uint8Array.of(...new Array(15).fill(0), 1) };
const log = { write: () => {} };
const open: { close(): void }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function port(
  mtu: () => number = () => MTU,
): Promise<{ port: DatagramPort; counters: OffloadCounters }> {
  const counters = new OffloadCounters();
  const made = new DatagramPort(await bindUdpSockets(0), new UdpAddresses(), counters, log, mtu);
  open.push(made);
  return { port: made, counters };
}

/** A plain socket that keeps what it receives. */
async function plainReceiver(): Promise<{ port: number; received: Buffer[] }> {
  const received: Buffer[] = [];
  const socket: Socket = createSocket('udp4');
  socket.on('message', (message) => received.push(message));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  open.push(socket);
  return { port: socket.address().port, received };
}

function endpoint(family: 4 | 6, udpPort: number): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(record, 0, LOOPBACK[family], udpPort);
  return record;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('nothing came in 5 s');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('UDP offloads', () => {
  it('are set on the sockets', async () => {
    const { port: made } = await port();
    expect(made.reason).toBeUndefined();
    expect([made.segmentation, made.gro]).toEqual([true, true]);
  });

  it('send a run as separate datagrams with one call', async () => {
    const { port: sender, counters } = await port();
    const receiver = await plainReceiver();
    const run = new Seeded(1).bytes(10 * SEGMENT + 700);
    sender.sendRun(run, 0, run.length, SEGMENT, endpoint(4, receiver.port), 0);
    await until(() => receiver.received.length === 11);
    expect(receiver.received.map((one) => one.length)).toEqual([...new Array(10).fill(SEGMENT), 700]);
    expect(Buffer.compare(Buffer.concat(receiver.received), run)).toBe(0);
    expect([counters.sends, counters.segmentedSends]).toEqual([1, 1]);
  });

  it('send a run of another stride datagram by datagram, and single ones as they are', async () => {
    const { port: sender, counters } = await port();
    const receiver = await plainReceiver();
    const bytes = new Seeded(2).bytes(3 * 1000 + 32);
    sender.sendRun(bytes, 0, bytes.length, 1000, endpoint(4, receiver.port), 0);
    sender.sendRun(bytes, 0, SEGMENT, SEGMENT, endpoint(4, receiver.port), 0);
    await until(() => receiver.received.length === 5);
    expect(receiver.received.map((one) => one.length)).toEqual([1000, 1000, 1000, 32, SEGMENT]);
    expect([counters.sends, counters.segmentedSends]).toEqual([5, 0]);
  });

  it.each([4, 6] as const)('hand a run over in fewer buffers than datagrams, over IPv%i', async (family) => {
    const { port: sender } = await port();
    const { port: receiver } = await port();
    const received: Buffer[] = [];
    receiver.onMessage = (message) => received.push(message);
    const run = new Seeded(3).bytes(20 * SEGMENT + 100);
    sender.sendRun(run, 0, run.length, SEGMENT, endpoint(family, receiver.port), 0);
    await until(() => received.reduce((n, one) => n + one.length, 0) === run.length);
    expect(Buffer.compare(Buffer.concat(received), run)).toBe(0);
    expect(received.length).toBeLessThan(21);
  });

  it('send what the device sends by itself, each entry as one datagram', async () => {
    const { port: sender } = await port();
    const receiver = await plainReceiver();
    const batch = new Batch(SEGMENT, 4);
    const sizes = [148, 92, SEGMENT];
    for (const size of sizes) {
      const i = batch.push(new Seeded(size).bytes(size), 0, size);
      batch.endpoints.set(endpoint(4, receiver.port), i * ENDPOINT_BYTES);
    }
    sender.sendBatch(batch);
    batch.bytes.fill(0);
    await until(() => receiver.received.length === 3);
    expect(receiver.received.map((one) => one.length)).toEqual(sizes);
    expect(Buffer.compare(receiver.received[0]!, new Seeded(148).bytes(148))).toBe(0);
  });

  it('follow a change of the MTU', async () => {
    let mtu = MTU;
    const { port: sender, counters } = await port(() => mtu);
    const receiver = await plainReceiver();
    mtu = 1280;
    const run = new Seeded(4).bytes(5 * 1312);
    sender.sendRun(run, 0, run.length, 1312, endpoint(4, receiver.port), 0);
    await until(() => receiver.received.length === 5);
    expect(receiver.received.map((one) => one.length)).toEqual(new Array(5).fill(1312));
    expect(counters.segmentedSends).toBe(1);
  });

  it('stay with the port when its sockets are replaced', async () => {
    const { port: sender } = await port();
    const receiver = await plainReceiver();
    const before = sender.port;
    sender.replace(await bindUdpSockets(0));
    expect(sender.port).not.toBe(before);
    expect(sender.segmentation).toBe(true);
    const run = new Seeded(5).bytes(4 * SEGMENT);
    sender.sendRun(run, 0, run.length, SEGMENT, endpoint(4, receiver.port), 0);
    await until(() => receiver.received.length === 4);
  });

  it('leave the sockets non-blocking: the helper must not get them as its standard input', async () => {
    const sockets = await bindUdpSockets(0);
    open.push({ close: () => sockets.v4?.close() }, { close: () => sockets.v6?.close() });
    const fd = descriptorOf(sockets.v4!, sockets.port);
    const [type] = callOnDescriptor(fd, [{ kind: 'getsockopt', level: 1, option: 3 }]);
    expect(type).toEqual({ errno: 0, bytes: Uint8Array.of(2, 0, 0, 0) });
    const { readFileSync } = await import('node:fs');
    const flags = Number.parseInt(
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!,
      8,
    );
    expect(flags & 0o4000).not.toBe(0);
  });

  it('tell an errno for what the kernel refuses, and go on with the next call', async () => {
    const sockets = await bindUdpSockets(0);
    open.push({ close: () => sockets.v4?.close() }, { close: () => sockets.v6?.close() });
    const results = callOnDescriptor(descriptorOf(sockets.v4!, sockets.port), [
      { kind: 'setsockopt', level: 17, option: 9999, value: 1 },
      { kind: 'setsockopt', level: 17, option: 103, value: 1000 },
      { kind: 'getsockopt', level: 17, option: 103 },
      { kind: 'ioctl-value', request: 0x400454ca, value: 0 },
    ]);
    expect(results[0]!.errno).toBe(92);
    expect(results[1]!.errno).toBe(0);
    expect([...results[2]!.bytes]).toEqual([1000 & 255, 1000 >> 8, 0, 0]);
    expect(results[3]!.errno).not.toBe(0);
  });
});
