import { describe, expect, it } from 'vitest';
import type { TurnLimits } from '../../src/ice/turn-limits.js';
import { record } from './virtual/gateway.js';
import { VirtualNetwork } from './virtual/network.js';
import { VirtualTurnEnd } from './virtual/turn-end.js';
import { VirtualTurnServer } from './virtual/turn-server.js';

const MINUTE = 60_000;
const SERVER = '203.0.113.100:3478';
const PEER = '203.0.113.50:5000';

function world(options: { loss?: number; limits?: Partial<TurnLimits>; password?: string } = {}) {
  const network = new VirtualNetwork(7);
  network.lossPerMille = options.loss ?? 0;
  const server = new VirtualTurnServer(network, SERVER, { user: 'secret' });
  const password = options.password ?? 'secret';
  const end = new VirtualTurnEnd(network, '203.0.113.1:4000', SERVER, 'user', password, options.limits);
  const heard: string[] = [];
  network.attach('203.0.113.50', (from, _to, bytes) =>
    heard.push(`${from} ${Buffer.from(bytes).toString()}`),
  );
  const run = (time: number) => network.run(network.now + time, [end]);
  const start = () => {
    end.client.start(network.now);
    run(1_000);
  };
  return { network, server, end, heard, run, start };
}

describe('an allocation', () => {
  it('is made with the credentials the server asks for, and lives for hours', () => {
    const { server, end, run, start } = world();
    start();
    expect(end.client.state).toBe('allocated');
    run(180 * MINUTE);
    expect(end.story).toEqual(['allocating asked-server', 'allocated allocated']);
    expect(server.allocations).toBe(1);
    // RFC 8656 section 8.1: a minute before it ends, that is, every nine.
    expect(server.requests.filter((method) => method === 4)).toHaveLength(20);
  });

  it('lives through losses', () => {
    const { end, run, start } = world({ loss: 300 });
    start();
    run(120 * MINUTE);
    expect(end.client.state).toBe('allocated');
  });

  it('is signed with SHA-256, and the user name hidden or not, as the server offers', () => {
    const { server, end, start } = world();
    server.modern = true;
    start();
    expect(end.client.state).toBe('allocated');
  });

  it('is not made where the offer of SHA-256 was taken away', () => {
    const { server, end, start } = world();
    server.nonce = 'obMatJos2AAABx';
    start();
    expect([end.client.state, end.client.reason]).toEqual(['failed', 'bid-down']);
  });

  it('is given back', () => {
    const { network, server, end, run, start } = world();
    start();
    end.client.stop(network.now);
    run(1_000);
    expect(server.allocations).toBe(0);
    expect(end.client.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  it('of a gateway that was started anew on the same port takes the place of the old', () => {
    const { network, server, end, run, start } = world();
    start();
    const again = new VirtualTurnEnd(network, '203.0.113.1:4000', SERVER, 'user', 'secret');
    again.client.start(network.now);
    network.run(network.now + 2_000, [again]);
    expect(again.client.state).toBe('allocated');
    expect(server.allocations).toBe(1);
    expect(end.relayed).not.toBe(again.relayed);
    run(0);
  });

  it('is made anew when the server has forgotten it', () => {
    const { network, server, end, run, start } = world();
    start();
    end.client.bind(record(PEER), 0, network.now);
    run(1_000);
    const before = end.relayed;
    server.restart();
    end.client.verify(network.now);
    run(1_000);
    expect(end.client.state).toBe('allocated');
    expect(end.relayed).not.toBe(before);
    expect(end.story).toContain('allocating allocation-mismatch');
    // The peer and its channel have come along.
    expect(end.client.peers[0].bound).toBe(true);
  });

  it('follows the server to another, and not in circles', () => {
    const { network, server, end, run, start } = world();
    const other = new VirtualTurnServer(network, '203.0.113.101:3478', { user: 'secret' });
    server.alternate = other.endpoint;
    start();
    expect([end.client.state, other.allocations]).toEqual(['allocated', 1]);

    other.alternate = SERVER;
    end.client.restart(network.now);
    run(900);
    expect([end.client.state, end.client.reason]).toEqual(['failed', 'too-many-redirects']);
  });

  it.each([
    [486, 'quota-reached', MINUTE],
    [508, 'no-capacity', MINUTE],
    [403, 'forbidden', 1_000],
    [440, 'family-not-supported', 5 * MINUTE],
    [442, 'transport-not-supported', 5 * MINUTE],
    [500, 'refused', 1_000],
  ])('tells of refusal %d, and comes back when it may', (code, reason, wait) => {
    const { server, end, run, start, network } = world();
    server.refuseWith = code;
    start();
    expect([end.client.state, end.client.reason]).toEqual(['failed', reason]);
    expect(end.client.serverSaid).toBe(`${code} no ${code}`);
    const left = end.client.retryAt - network.now;
    expect(left).toBeGreaterThan(wait - 1_000);
    expect(left).toBeLessThanOrEqual(wait);
    server.refuseWith = 0;
    run(left + 1_000);
    expect(end.client.state).toBe('allocated');
  });

  it('does not fail for a nonce that is stale once, and does for one that never is fresh', () => {
    const { network, server, end, run, start } = world();
    start();
    server.nonce = 'another';
    end.client.verify(network.now);
    run(500);
    expect(end.client.state).toBe('allocated');
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    let next = 0;
    Object.defineProperty(server, 'nonce', { get: () => names[next++ % names.length] });
    end.client.verify(network.now);
    run(900);
    expect(end.story).toContain('failed nonce-never-fresh');
  });

  it('backs off from a server that is silent', () => {
    const { network, end, run, start } = world();
    network.attach('203.0.113.100', () => {});
    start();
    run(60 * MINUTE);
    expect(end.client.reason === 'no-response' || end.client.state === 'allocating').toBe(true);
    // Seven requests each time, then up to a minute of rest.
    expect(end.sent.length).toBeLessThan(7 * 40);
    expect(end.sent.length).toBeGreaterThan(7 * 20);
  });

  it('fails with a wrong password, and tries that one rarely', () => {
    const { end, run, start } = world({ password: 'wrong' });
    start();
    expect([end.client.state, end.client.reason]).toEqual(['failed', 'wrong-credentials']);
    run(60 * MINUTE);
    expect(end.sent.length).toBeLessThan(50);
  });
});

describe('permissions and channels', () => {
  it('live as long as they are wanted', () => {
    const { network, end, heard, run, start } = world();
    start();
    end.client.permit(record(PEER), 0, network.now);
    expect(end.send(PEER, 'held')).toBe(true);
    run(1_000);
    for (let i = 0; i < 12; i++) {
      end.send(PEER, `minute ${i * 10}`);
      run(10 * MINUTE);
    }
    expect(heard.map((text) => text.slice(text.indexOf(' ') + 1))).toEqual([
      'held',
      ...Array.from({ length: 12 }, (_, i) => `minute ${i * 10}`),
    ]);
    end.client.release(record(PEER), 0);
    run(11 * MINUTE);
    expect(end.client.peers).toHaveLength(0);
    expect(end.send(PEER, 'released')).toBe(false);
  });

  it('carries data of every length in place', () => {
    const { network, server, end, heard, run, start } = world();
    start();
    end.client.bind(record(PEER), 0, network.now);
    run(1_000);
    for (const length of [0, 1, 2, 3, 4, 5, 1312]) {
      const slot = new Uint8Array(4 + length);
      slot.fill(65, 4);
      expect(end.client.frame(record(PEER), 0, slot, 4, length, network.now)).toBe(4 + length);
      network.send('203.0.113.1:4000', SERVER, slot);
      run(100);
      expect(heard.at(-1)).toBe(`${end.relayed} ${'A'.repeat(length)}`);
    }
    expect(server.channelMessages).toBe(7);
  });

  it('takes data by indication and by channel', () => {
    const { network, end, run, start } = world();
    start();
    end.client.permit(record(PEER), 0, network.now);
    run(1_000);
    network.send(PEER, end.relayed, Buffer.from('one'));
    run(1_000);
    end.client.bind(record(PEER), 0, network.now);
    run(1_000);
    network.send(PEER, end.relayed, Buffer.from('two'));
    run(1_000);
    expect(end.received).toEqual([`${PEER} one`, `${PEER} two`]);
  });

  it('are limited', () => {
    const { network, end, start } = world({ limits: { peers: 4 } });
    start();
    const asked = Array.from({ length: 6 }, (_, i) =>
      end.client.permit(record(`198.51.100.${i + 1}:1`), 0, network.now),
    );
    expect(asked).toEqual([true, true, true, true, false, false]);
    end.client.release(record('198.51.100.1:1'), 0);
    expect(end.client.permit(record('198.51.100.9:1'), 0, network.now)).toBe(true);
  });

  it('keep the mapping of an idle client alive', () => {
    const { end, run, start } = world();
    start();
    const before = end.sent.length;
    run(90_000);
    // RFC 8489 section 3: Binding indications.
    expect(end.sent.slice(before)).toEqual([0x0011, 0x0011, 0x0011]);
  });
});
