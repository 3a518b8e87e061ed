import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { bindUdpSockets } from '../../host/gateway/platform/udp-sockets.js';
import { UdpSocket } from '../../host/gateway/udp-socket.js';
import { parseAddress } from '../../src/packet/address.js';
import { Batch } from '../../src/packet/batch.js';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function gatewaySocket(): Promise<UdpSocket> {
  const socket = new UdpSocket(await bindUdpSockets(0));
  open.push(socket);
  return socket;
}

async function other(type: 'udp4' | 'udp6', address: string): Promise<Socket> {
  const socket = createSocket(type);
  open.push(socket);
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

function addressed(text: string, address: string, port: number, batch = new Batch(1500)): Batch {
  const entry = batch.push(Buffer.from(text), 0, text.length);
  writeEndpoint(batch.endpoints, entry * ENDPOINT_BYTES, parseAddress(address)!, port);
  return batch;
}

const readable = (socket: UdpSocket) =>
  new Promise<void>((resolve) => {
    socket.onReadable = resolve;
  });

describe('UdpSocket', () => {
  it.each([
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const)('sends and receives over %s with the endpoint of the other side', async (type, address) => {
    const socket = await gatewaySocket();
    const peer = await other(type, address);
    const arrived = once(peer, 'message');
    socket.sendBatch(addressed('there', address, peer.address().port));
    const [message, from] = await arrived;
    expect([String(message), from.port]).toEqual(['there', socket.port]);

    const ready = readable(socket);
    peer.send('back', socket.port, address);
    await ready;
    const batch = new Batch(1500);
    expect(socket.receiveBatch(batch)).toBe(1);
    expect(
      Buffer.from(batch.bytes).toString('latin1', batch.offset[0], batch.offset[0] + batch.length[0]),
    ).toBe('back');
    const host = type === 'udp6' ? `[${address}]` : address;
    expect(formatEndpoint(batch.endpoints, 0)).toBe(`${host}:${peer.address().port}`);
  });

  it('has IPv4 and IPv6 on one port', async () => {
    const sockets = await bindUdpSockets(0);
    open.push({ close: () => [sockets.v4, sockets.v6].map((one) => one?.close()) });
    expect(sockets.v6?.address().port).toBe(sockets.v4?.address().port);
  });

  it('keeps every datagram as it was although the batch is filled anew at once', async () => {
    const socket = await gatewaySocket();
    const peer = await other('udp4', '127.0.0.1');
    const seen: string[] = [];
    const all = new Promise<void>((resolve) => {
      peer.on('message', (message) => {
        if (seen.push(String(message)) === 100) resolve();
      });
    });
    const batch = new Batch(1500);
    const expected: string[] = [];
    for (let i = 0; i < 100; i++) {
      batch.clear();
      const text = `datagram ${i}`;
      expected.push(text);
      socket.sendBatch(addressed(text, '127.0.0.1', peer.address().port, batch));
      batch.bytes.fill(0);
    }
    await all;
    expect(seen).toEqual(expected);
  });

  it('does not send entries of length zero', async () => {
    const socket = await gatewaySocket();
    const peer = await other('udp4', '127.0.0.1');
    const batch = addressed('dropped', '127.0.0.1', peer.address().port);
    addressed('kept', '127.0.0.1', peer.address().port, batch);
    batch.length[0] = 0;
    const arrived = once(peer, 'message');
    socket.sendBatch(batch);
    expect(String((await arrived)[0])).toBe('kept');
  });

  it('announces again what did not fit into one batch', async () => {
    const socket = await gatewaySocket();
    const peer = await other('udp4', '127.0.0.1');
    const batch = new Batch(1500, 3);
    const sizes: number[] = [];
    const done = new Promise<void>((resolve) => {
      let total = 0;
      socket.onReadable = () => {
        batch.clear();
        const moved = socket.receiveBatch(batch);
        sizes.push(moved);
        total += moved;
        if (total === 10) resolve();
      };
    });
    for (let i = 0; i < 10; i++) peer.send('x', socket.port, '127.0.0.1');
    await done;
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
  });

  it('bounds what waits for the core and counts the rest', async () => {
    const socket = await gatewaySocket();
    const peer = await other('udp4', '127.0.0.1');
    socket.onReadable = () => {};
    // In portions, so that the kernel's own buffer is not the one that drops.
    for (let i = 0; i < 20; i++) {
      for (let k = 0; k < 100; k++) peer.send('x', socket.port, '127.0.0.1');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const batch = new Batch(1500, 64);
    let total = 0;
    for (let moved = -1; moved !== 0; total += moved) {
      batch.clear();
      moved = socket.receiveBatch(batch);
    }
    expect(total).toBe(1024);
    expect(socket.counters.receiveDropped).toBeGreaterThan(0);
  });

  it('remembers why the last datagram could not be sent', async () => {
    const socket = await gatewaySocket();
    // Broadcast takes SO_BROADCAST, which no WireGuard socket has.
    socket.sendBatch(addressed('x', '255.255.255.255', 9));
    await expect.poll(() => socket.lastFailure?.code).toMatch(/^E/);
    expect(socket.lastFailure).toMatchObject({ address: '255.255.255.255', port: 9 });
    expect(socket.counters.sendFailed).toBe(1);
  });

  it('moves to other sockets and closes the old ones', async () => {
    const socket = await gatewaySocket();
    const before = socket.port;
    const fresh = await bindUdpSockets(0);
    let closed = false;
    socket.onClosed = () => {
      closed = true;
    };
    socket.replace(fresh);
    expect(socket.port).toBe(fresh.port);
    await expect
      .poll(() => bindUdpSockets(before).then((pair) => [pair.v4?.close(), pair.v6?.close()].length))
      .toBe(2);
    const ready = readable(socket);
    const peer = await other('udp4', '127.0.0.1');
    peer.send('x', socket.port, '127.0.0.1');
    await ready;
    expect(closed).toBe(false);
  });
});
