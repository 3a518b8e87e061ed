import { describe, expect, it } from 'vitest';
import { type NatKind, VirtualNetwork } from '../ice/virtual/network.js';
import { VirtualTurnServer } from '../ice/virtual/turn-server.js';
import { ipv4Packet } from '../wireguard/virtual/world.js';
import { TunnelEnd } from './virtual-ice.js';

const SECOND = 1_000;
const SERVER = '203.0.113.100:3478';
const LEFT = [10, 8, 0, 1];
const RIGHT = [10, 8, 0, 2];

function world(a: NatKind, b: NatKind, seed = 3) {
  const network = new VirtualNetwork(seed);
  const server = new VirtualTurnServer(network, SERVER, { left: 'one', right: 'two' });
  const nats = [a, b].map((kind, i) => network.nat(kind, `203.0.113.1${i}`, [`10.${i}.0.2`]));
  const [left, right] = ['left', 'right'].map(
    (name, i) =>
      new TunnelEnd(network, {
        name,
        socket: `10.${i}.0.2:51820`,
        server: SERVER,
        username: name,
        password: i === 0 ? 'one' : 'two',
      }),
  );
  left.meet(right);
  right.meet(left);
  const run = (time: number, done?: () => boolean) => network.run(network.now + time, [left, right], done);
  /** A packet each way each 20 ms; how many arrived at the right, and the longest time without one. */
  const ping = (time: number, every = 20) => {
    const begin = network.now;
    right.packets.length = 0;
    let sent = 0;
    while (network.now < begin + time) {
      const payload = new Uint8Array(8);
      new DataView(payload.buffer).setUint32(4, sent++);
      left.sendPacket(ipv4Packet(LEFT, RIGHT, payload));
      right.sendPacket(ipv4Packet(RIGHT, LEFT, 8));
      run(every);
    }
    run(200);
    const numbers = new Set<number>();
    let last = begin;
    let gap = 0;
    for (const { at, bytes } of right.packets) {
      gap = Math.max(gap, at - last);
      last = at;
      numbers.add(new DataView(bytes.buffer, bytes.byteOffset).getUint32(24));
    }
    return {
      sent,
      arrived: right.packets.length,
      different: numbers.size,
      gap: Math.max(gap, network.now - 200 - last),
    };
  };
  return { network, server, nats, left, right, run, ping };
}

describe('a tunnel over ICE', () => {
  it.each([
    ['full', 'full', 'ice'],
    ['address', 'port', 'ice'],
    ['port', 'port', 'ice'],
    ['full', 'symmetric', 'ice'],
    ['port', 'symmetric', 'turn'],
    ['symmetric', 'symmetric', 'turn'],
  ] as const)('between %s and %s goes by %s', (a, b, kind) => {
    const { network, left, right, run, ping } = world(a, b);
    const begin = network.now;
    left.sendPacket(ipv4Packet(LEFT, RIGHT, 8));
    run(10 * SECOND, () => right.packets.length > 0);
    expect(right.packets, `${left.way} ${right.way}`).toHaveLength(1);
    // The mark where a relay is allowed, in virtual time: nothing but round trips and timers.
    expect(right.packets[0].at - begin).toBeLessThan(kind === 'ice' ? 2_000 : 3_000);
    const { sent, arrived, different } = ping(10 * SECOND, 200);
    expect(different).toBe(sent);
    expect(arrived).toBe(sent);
    // What came first may have been the relay; the direct way has taken over by now.
    expect([left.way, right.way]).toEqual([kind, kind]);
  });

  it('climbs down to the relay when the direct way dies, and back up when it lives, without a handshake', () => {
    const { network, left, right, run, ping } = world('port', 'port');
    left.sendPacket(ipv4Packet(LEFT, RIGHT, 8));
    run(5 * SECOND);
    ping(5 * SECOND, 100);
    expect(left.way).toBe('ice');
    const { lastHandshake } = left.peer;
    let cut = true;
    const send = network.send.bind(network);
    network.send = (from, to, bytes) => {
      if (!cut || `${from} ${to}`.includes('203.0.113.100')) send(from, to, bytes);
    };
    const down = ping(6 * SECOND);
    expect([left.way, right.way]).toEqual(['turn', 'turn']);
    expect(down.gap).toBeLessThan(SECOND);
    expect(down.arrived).toBe(down.different);
    cut = false;
    ping(60 * SECOND, 250);
    expect(left.way).toBe('ice');
    expect(left.peer.lastHandshake).toBe(lastHandshake);
  });

  it('comes back after the NATs have forgotten everything', () => {
    const { network, nats, left, right, run, ping } = world('port', 'port');
    left.sendPacket(ipv4Packet(LEFT, RIGHT, 8));
    run(10 * SECOND);
    for (const nat of nats) nat.reboot();
    for (const { links, socket } of [left, right]) {
      expect(socket).toMatch(/^10\./);
      links.networkChanged(
        [...links.host.candidates].filter((one) => one.type === 'host').map((one) => one.endpoint),
      );
    }
    run(5 * SECOND);
    const { sent, different } = ping(5 * SECOND, 100);
    expect(different).toBeGreaterThan(sent - 5);
    expect(network.now).toBeGreaterThan(0);
  });

  it('connects when the control plane comes late', () => {
    const { left, right, run } = world('port', 'port');
    left.online = right.online = false;
    left.sendPacket(ipv4Packet(LEFT, RIGHT, 8));
    run(20 * SECOND);
    expect(left.way).toBe('none');
    left.online = right.online = true;
    left.links.connected();
    left.sendPacket(ipv4Packet(LEFT, RIGHT, 8));
    run(20 * SECOND);
    expect(right.packets.length).toBeGreaterThan(0);
    expect(left.way).toBe('ice');
    expect(left.signals).toBeLessThan(40);
  });
});
