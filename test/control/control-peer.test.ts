import { describe, expect, it } from 'vitest';
import { ControlPeer } from '../../src/control/control-peer.js';
import { SealedStore } from '../../src/identity/sealed-store.js';
import { MemoryStore, nodePrimitives } from '../wireguard/virtual/world.js';
import { FakeControl, startAgent } from './virtual-control.js';

const KEY = Buffer.alloc(32, 7).toString('base64');
const RECORD = {
  public_key: KEY,
  preshared_key: Buffer.alloc(32, 9).toString('base64'),
  endpoint: '192.0.2.1:51900',
  address: 'fd12:3456:789a::5/128',
  host: 'fd12:3456:789a::1/128',
  port: 80,
};

function sealed(store = new MemoryStore()): SealedStore {
  return new SealedStore(nodePrimitives(), store, Buffer.alloc(32, 1));
}

describe('the control plane as a peer', () => {
  it('is kept, and forgotten when the server says so', () => {
    const store = sealed();
    const peer = new ControlPeer(store, RECORD);
    expect(peer.route).toEqual({
      kind: 'websocket',
      url: 'ws://[fd12:3456:789a::1]:80/ws',
      tunnel: 'http://[fd12:3456:789a::1]:80',
    });
    expect(peer.peer).toMatchObject({ publicKey: KEY, allowedIps: ['fd12:3456:789a::1/128'] });
    expect(peer.take(RECORD)).toBe(false);
    expect(peer.take({ ...RECORD, endpoint: '192.0.2.2:51900' })).toBe(true);
    expect(new ControlPeer(store, RECORD).peer?.endpoint).toBe('192.0.2.2:51900');
    expect(peer.take(undefined)).toBe(true);
    expect(new ControlPeer(store, RECORD).peer).toBeUndefined();
  });

  it('is believed only with addresses of one ULA /64', () => {
    for (const wrong of [
      { host: '10.0.0.1/32' },
      { host: 'fd12:3456:789a:1::1/128' },
      { host: 'fd12:3456:789a::1/64' },
      { host: RECORD.address },
      { address: '2001:db8::5/128', host: '2001:db8::1/128' },
      { address: '::/0' },
      { public_key: 'short' },
      { preshared_key: 'short' },
      { endpoint: 'nowhere' },
      { port: 0 },
    ]) {
      const peer = new ControlPeer(sealed(), undefined);
      expect(peer.take({ ...RECORD, ...wrong }), JSON.stringify(wrong)).toBe(false);
      expect(peer.peer).toBeUndefined();
      expect(new ControlPeer(sealed(), { ...RECORD, ...wrong }).peer).toBeUndefined();
    }
  });
});

describe('an agent whose control plane is a peer', () => {
  it('moves into the tunnel when it is there, back out when it fails, and back in later', () => {
    let changes = 0;
    const world = startAgent(new MemoryStore(), {
      actions: { changed: () => changes++ },
      welcome: { tunnel: RECORD },
      tunnelFirst: true,
    });
    const { agent, server, run } = world;
    run(3_000);
    expect(agent.session.route?.url).toBe('wss://control.example/ws');
    expect(agent.tunnelPeers.map(({ id }) => id)).toEqual(['control-plane']);
    expect(agent.tunnelAddresses).toContain(RECORD.address);
    expect(agent.tunnelPrefixes).toContain(RECORD.host);
    expect(changes).toBeGreaterThan(0);
    agent.setTunnelUsable(true);
    run(5_000);
    expect(agent.session.route?.tunnel).toBe('http://[fd12:3456:789a::1]:80');
    expect(agent.session.state).toBe('live');
    server.unreachable.add('[fd12:3456:789a::1]:80');
    server.lose();
    run(60_000);
    expect(agent.session.route?.url).toBe('wss://control.example/ws');
    expect(agent.session.routeReason).toContain('not websocket in the tunnel');
    server.unreachable.clear();
    run(1_300_000);
    expect(agent.session.route?.tunnel).toBeDefined();
    agent.setTunnelUsable(false);
    run(20_000);
    expect(agent.session.route?.url).toBe('wss://control.example/ws');
    expect(agent.session.healthy).toBe(true);
  });

  it('has it beside the peers of its network, under a hold alone', () => {
    const server = new FakeControl(startAgent(new MemoryStore()).clock);
    const { agent, run } = startAgent(new MemoryStore(), {
      clock: server.clock,
      server,
      welcome: { tunnel: RECORD },
    });
    run(3_000);
    const peer = {
      id: 'gw-2',
      public_key: Buffer.alloc(32, 3).toString('base64'),
      allowed_ips: ['10.8.0.2/32'],
    };
    const frame = { epoch: 'e', version: 0, part: 0, parts: 1 };
    server.say('snapshot', {
      ...frame,
      address: ['10.8.0.1/32'],
      tenant_cidr: ['10.8.0.0/24'],
      peers: [peer],
    });
    run(1_000);
    expect(agent.tunnelPeers.map(({ id }) => id)).toEqual(['gw-2', 'control-plane']);
    server.say('quarantine', { reason: 'a test' });
    run(1_000);
    expect(agent.tunnelPeers.map(({ id }) => id)).toEqual(['control-plane']);
  });
});
