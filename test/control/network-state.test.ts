import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NetworkState } from '../../src/control/network-state.js';
import type { RecordValue } from '../../src/control/shape.js';
import { Seed } from '../wireguard/virtual/world.js';
import { Flash } from './power.js';
import { startAgent } from './virtual-control.js';

const keyOf = (name: string): string => createHash('sha256').update(name).digest('base64');

const peer = (n: number, extra: RecordValue = {}): RecordValue => ({
  id: `p${n}`,
  public_key: keyOf(`p${n}`),
  allowed_ips: [`10.8.0.${n}/32`],
  ...extra,
});

const snapshot = (version: number, peers: RecordValue[], extra: RecordValue = {}): RecordValue => ({
  epoch: 'e',
  version,
  part: 0,
  parts: 1,
  address: ['10.8.0.1/32'],
  tenant_cidr: ['10.8.0.0/24'],
  peers,
  ...extra,
});

const join = (version: number, record: RecordValue, base = version - 1): RecordValue => ({
  epoch: 'e',
  base,
  version,
  peer: record,
});

function started(peers = [peer(2), peer(3)]): NetworkState {
  const state = new NetworkState();
  expect(state.apply('snapshot', snapshot(5, peers)).kind).toBe('applied');
  return state;
}

describe('the network as a gateway sees it', () => {
  it('moves by deltas that fit exactly, and asks when one does not', () => {
    const state = started();
    expect(state.apply('peer-join', join(6, peer(4))).kind).toBe('applied');
    expect(state.apply('peer-leave', { epoch: 'e', base: 6, version: 7, id: 'p2' }).kind).toBe('applied');
    expect([...state.peers.keys()]).toEqual(['p3', 'p4']);
    const before = JSON.stringify(state.toRecord());
    // Seen twice, reordered, a gap, another history.
    expect(state.apply('peer-join', join(6, peer(4))).kind).toBe('already-known');
    expect(state.apply('peer-leave', { epoch: 'e', base: 6, version: 7, id: 'p3' }).kind).toBe(
      'already-known',
    );
    expect(state.apply('peer-join', join(9, peer(5))).kind).toBe('gap');
    expect(state.apply('peer-join', join(9, peer(5), 7)).kind).toBe('gap');
    expect(state.apply('peer-join', { ...join(8, peer(5)), epoch: 'f' }).kind).toBe('epoch');
    expect(JSON.stringify(state.toRecord())).toBe(before);
  });

  it('takes a snapshot when all of its parts have come, in any order, and only then', () => {
    const state = started();
    const parts = [0, 1, 2].map((part) =>
      snapshot(
        9,
        [peer(10 + part)],
        part === 0 ? { parts: 3 } : { part, parts: 3, address: [], tenant_cidr: [] },
      ),
    );
    expect(state.apply('snapshot', parts[2]).kind).toBe('incomplete');
    expect(state.apply('snapshot', parts[0]).kind).toBe('incomplete');
    expect(state.apply('snapshot', parts[2]).kind).toBe('incomplete');
    expect(state.version).toBe(5);
    expect(state.apply('snapshot', parts[1]).kind).toBe('applied');
    expect([...state.peers.keys()]).toEqual(['p10', 'p11', 'p12']);
    expect(state.version).toBe(9);
  });

  it('is stored as a snapshot and comes back as it was', () => {
    const state = started([
      peer(2, { endpoint: '192.0.2.1:51820', keepalive: 25, preshared_key: keyOf('psk') }),
    ]);
    const again = new NetworkState();
    expect(again.apply('snapshot', JSON.parse(JSON.stringify(state.toRecord()))).kind).toBe('applied');
    expect(again.toRecord()).toEqual(state.toRecord());
  });

  const lies: [string, string, RecordValue][] = [
    ['an address of another tenant', 'peer-join', join(6, peer(4, { allowed_ips: ['10.9.0.4/32'] }))],
    ['everything', 'peer-join', join(6, peer(4, { allowed_ips: ['0.0.0.0/0'] }))],
    ['IPv6 where the tenant has none', 'peer-join', join(6, peer(4, { allowed_ips: ['fd00::4/128'] }))],
    ['no address at all', 'peer-join', join(6, peer(4, { allowed_ips: ['10.8.0'] }))],
    ['the key of another peer', 'peer-join', join(6, peer(4, { public_key: keyOf('p2') }))],
    ['a key that is none', 'peer-join', join(6, peer(4, { public_key: 'x'.repeat(44) }))],
    ['a preshared key that is none', 'peer-join', join(6, peer(4, { preshared_key: '' }))],
    ['an older snapshot', 'snapshot', snapshot(4, [])],
    ['our address outside of the tenant', 'snapshot', snapshot(7, [], { address: ['192.168.1.1/32'] })],
    ['a tenant without bounds that are bounds', 'snapshot', snapshot(7, [], { tenant_cidr: ['all'] })],
    ['a part beyond the count', 'snapshot', snapshot(7, [], { part: 1 })],
    ['two peers with one key', 'snapshot', snapshot(7, [peer(2), peer(3, { public_key: keyOf('p2') })])],
  ];
  it.each(lies)('refuses a lie: %s', (_, type, data) => {
    const state = started();
    const before = JSON.stringify(state.toRecord());
    const outcome = state.apply(type, data);
    expect(outcome.kind).toBe('refused');
    expect(JSON.stringify(state.toRecord())).toBe(before);
  });

  it('never holds more peers than its limit', () => {
    const state = new NetworkState({ peers: 2 });
    expect(state.apply('snapshot', snapshot(1, [peer(2), peer(3)])).kind).toBe('applied');
    expect(state.apply('peer-join', join(2, peer(4))).kind).toBe('refused');
    expect(state.apply('peer-join', join(2, peer(3, { keepalive: 5 }))).kind).toBe('applied');
  });

  it('ends where the server is, however deltas are lost, repeated and reordered', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Seed(seed);
      const truth = new NetworkState();
      const gateway = new NetworkState();
      truth.apply('snapshot', snapshot(1, []));
      const flight: [string, RecordValue][] = [['snapshot', snapshot(1, [])]];
      for (let turn = 0; turn < 60; turn++) {
        const n = 2 + random.below(20);
        const version = truth.version + 1;
        const message: [string, RecordValue] =
          random.below(3) === 0
            ? ['peer-leave', { epoch: 'e', base: version - 1, version, id: `p${n}` }]
            : ['peer-join', join(version, peer(n, { keepalive: random.below(100) }))];
        truth.apply(...message);
        if (random.below(5) > 0) flight.push(message);
        if (random.below(5) === 0) flight.push(message);
        while (flight.length > random.below(6)) {
          const outcome = gateway.apply(...flight.splice(random.below(flight.length), 1)[0]);
          if (outcome.kind === 'gap' || outcome.kind === 'epoch') flight.push(['snapshot', truth.toRecord()]);
        }
      }
      gateway.apply('snapshot', truth.toRecord());
      const sorted = (state: NetworkState) =>
        JSON.stringify([...state.peers.values()].sort((a, b) => a.id.localeCompare(b.id)));
      expect(sorted(gateway), `seed ${seed}`).toBe(sorted(truth));
      expect(gateway.version).toBe(truth.version);
    }
  });
});

describe('an agent with a server that lies', () => {
  it('keeps its network, says why, and asks once for what it misses', () => {
    const { agent, server, run } = startAgent(new Flash());
    run(10_000);
    server.say('snapshot', snapshot(5, [peer(2)]));
    run(1_000);
    for (const [, type, data] of lyingMessages) server.say(type, data);
    for (let i = 0; i < 50; i++) server.say('peer-join', join(90 + i, peer(4)));
    run(1_000);
    expect([...agent.network.peers.keys()]).toEqual(['p2']);
    expect(agent.network.version).toBe(5);
    expect(agent.session.counters.refused).toBe(lyingMessages.length);
    expect(agent.session.lastRefusal).toContain('peer-join');
    expect(server.heard.filter(({ type }) => type === 'snapshot-request').length).toBe(1);
    expect(agent.session.state).toBe('live');
  });

  it('starts with the last good network, and without a damaged one', () => {
    const flash = new Flash();
    const { server, run } = startAgent(flash);
    run(10_000);
    server.say('snapshot', snapshot(5, [peer(2)]));
    run(60_000);
    const { agent } = startAgent(flash);
    expect([...agent.network.peers.keys()]).toEqual(['p2']);
    const stored = flash.values.get('network')!;
    stored[20] ^= 1;
    expect(startAgent(flash).agent.network.peers.size).toBe(0);
  });

  it('tells of a version only when it is on flash', () => {
    const flash = new Flash();
    const { server, run } = startAgent(flash);
    run(10_000);
    server.say('snapshot', snapshot(5, [peer(2)]));
    server.say('ping', {});
    server.onMessage = ({ type, data }) => {
      if (type !== 'heartbeat' || data.version !== 5) return;
      expect(startAgent(flash).agent.network.version).toBe(5);
      server.onMessage = undefined;
    };
    run(100);
    expect(server.heard.at(-1)?.data.version).toBe(5);
  });

  it('holds back site traffic when told to, over a restart, until it is taken back', () => {
    const flash = new Flash();
    const first = startAgent(flash);
    first.run(10_000);
    first.server.say('shutdown', { active: true, reason: 'drill' });
    first.run(1_000);
    const second = startAgent(flash);
    expect(second.agent.hold).toEqual({ kind: 'shutdown', reason: 'drill' });
    second.run(10_000);
    second.server.say('shutdown', { active: false, reason: 'over' });
    second.run(1_000);
    expect(second.agent.hold).toBeUndefined();
    expect(startAgent(flash).agent.hold).toBeUndefined();
  });
});

const lyingMessages: [string, string, RecordValue][] = [
  ['other tenant', 'peer-join', join(6, peer(4, { allowed_ips: ['10.9.0.4/32'] }))],
  ['other tenant in a snapshot', 'snapshot', snapshot(7, [peer(4, { allowed_ips: ['0.0.0.0/0'] })])],
  ['known key', 'peer-join', join(6, peer(4, { public_key: keyOf('p2') }))],
];
