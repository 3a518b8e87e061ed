/** A control plane that lies, told by somebody who has its keys: what it says is refused or undone, and the owner reads why. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RecordValue } from '../../src/control/shape.js';
import { type ControlStatus, controlLines, controlStatus } from '../../src/gateway/control-status.js';
import { TIMESTAMP_RESERVATION, TimestampSource } from '../../src/wireguard/tai64n.js';
import { Flash } from '../control/power.js';
import { type AgentWorld, ENROLMENT, startAgent } from '../control/virtual-control.js';

const keyOf = (name: string): string => createHash('sha256').update(name).digest('base64');

const peer = (n: number, extra: RecordValue = {}): RecordValue => ({
  id: `p${n}`,
  public_key: keyOf(`p${n}`),
  allowed_ips: [`10.8.0.${n}/32`],
  ...extra,
});

const snapshot = (version: number, peers: RecordValue[], extra: RecordValue = {}): RecordValue => ({
  ...{
    epoch: 'e',
    version,
    part: 0,
    parts: 1,
    address: ['10.8.0.1/32'],
    tenant_cidr: ['10.8.0.0/24'],
    peers,
  },
  ...extra,
});

const join = (version: number, record: RecordValue): RecordValue => ({
  ...{ epoch: 'e', base: version - 1, version, peer: record },
});

/** A gateway with the peers 2 and 3, in touch. */
function settled(flash = new Flash()): AgentWorld {
  const world = startAgent(flash);
  world.run(10_000);
  world.server.say('snapshot', snapshot(5, [peer(2), peer(3)]));
  world.run(1_000);
  expect(names(world)).toEqual(['p2', 'p3']);
  return world;
}

const names = ({ agent }: AgentWorld): string[] => [...agent.network.peers.keys()];
const statusOf = ({ agent, clock }: AgentWorld): ControlStatus =>
  controlStatus(agent, ENROLMENT, [], clock.monotonic());
const linesOf = (world: AgentWorld): string => controlLines(statusOf(world)).join('\n');

describe('a control plane that lies', () => {
  it.each([
    ['of the far future', 8e14],
    ['of the past', -1.5e12],
  ])('about the time, %s: no handshake’s timestamp and no reservation follows it', (_, offset) => {
    const flash = new Flash();
    const world = settled(flash);
    const timestamps = new TimestampSource(world.clock, flash);
    world.server.clockOffset = offset;
    world.run(120_000);
    const stamp = new Uint8Array(12);
    timestamps.next(stamp, 0);
    // TAI64: 2^62 + 10 + seconds since 1970.
    const seconds = new DataView(stamp.buffer).getUint32(4) - 10;
    expect(Math.abs(seconds - world.clock.wall() / 1000)).toBeLessThan(TIMESTAMP_RESERVATION + 1);
    const reserved = new DataView(flash.get('tai64n')!.buffer).getUint32(4);
    expect(reserved - world.clock.wall() / 1000).toBeLessThan(TIMESTAMP_RESERVATION + 1);
    expect(world.agent.session.healthy).toBe(true);
    expect(statusOf(world).clockSkew).toBe(Math.round(offset / 1000));
    expect(linesOf(world)).toContain(offset > 0 ? 'ahead of ours; it is not followed' : 'behind ours');
  });

  it('about the tenant: another’s prefix, another’s address, another’s hints', () => {
    const world = settled();
    const lies: [string, RecordValue, string][] = [
      [
        'snapshot',
        snapshot(6, [], { tenant_cidr: ['10.9.0.0/24'], address: ['10.9.0.1/32'] }),
        'enrolled in',
      ],
      ['snapshot', snapshot(6, [], { tenant_cidr: ['0.0.0.0/0'] }), 'enrolled in'],
      ['snapshot', snapshot(6, [], { tenant_cidr: ['10.8.0.0/24', '192.168.0.0/16'] }), 'enrolled in'],
      ['snapshot', snapshot(6, [], { address: ['192.0.2.1/32'] }), 'our address is outside'],
      ['peer-join', join(6, peer(4, { allowed_ips: ['0.0.0.0/0'] })), 'outside of the tenant'],
      ['mesh-update', { mesh_id: 'other', peers: [{ id: 'p2', status: 'offline' }] }, 'another tenant'],
    ];
    for (const [type, data, reason] of lies) {
      world.server.say(type, data);
      world.run(100);
      expect(statusOf(world).refused).toContain(reason);
      expect(linesOf(world)).toContain(reason);
    }
    expect(names(world)).toEqual(['p2', 'p3']);
    expect(world.agent.network.tenantCidr).toEqual(['10.8.0.0/24']);
    expect(world.agent.network.peers.get('p2')?.online).toBeUndefined();
    expect(world.agent.session.counters.refused).toBe(lies.length);
    expect(world.agent.session.healthy).toBe(true);
  });

  it('by replaying and reordering: old deltas, old snapshots, a removed peer brought back', () => {
    const world = settled();
    const leave: [string, RecordValue] = ['peer-leave', { epoch: 'e', base: 5, version: 6, id: 'p3' }];
    world.server.say(...leave);
    world.run(100);
    expect(names(world)).toEqual(['p2']);
    const replayed: [string, RecordValue][] = [
      leave,
      ['peer-join', join(5, peer(3))],
      ['peer-join', join(6, peer(3))],
      ['snapshot', snapshot(5, [peer(2), peer(3)])],
      // From the future: what lies between is asked for, not guessed.
      ['peer-join', join(9, peer(9))],
      ['peer-join', join(8, peer(8))],
    ];
    for (const message of replayed) world.server.say(...message);
    world.run(1_000);
    expect(names(world)).toEqual(['p2']);
    expect(world.agent.network.version).toBe(6);
    expect(statusOf(world).refused).toContain('older than what is known');
    expect(world.server.heard.filter(({ type }) => type === 'snapshot-request').length).toBe(1);
  });

  it('about keys: two peers with one key, a key that is none', () => {
    const world = settled();
    world.server.say('peer-join', join(6, peer(4, { public_key: keyOf('p2') })));
    world.run(100);
    expect(statusOf(world).refused).toContain('the key of another peer');
    world.server.say('peer-join', join(6, peer(4, { public_key: 'A'.repeat(44) })));
    world.run(100);
    expect(statusOf(world).refused).toContain('a key is no key');
    expect(names(world)).toEqual(['p2', 'p3']);
  });

  it('with settings that cut the gateway off: they are undone, and the status says which and why', () => {
    const world = settled();
    world.server.unreachable.add('nowhere.example');
    world.server.say('configuration', {
      ...{ revision: 1, confirm_within: 30, settings: { control: ['wss://nowhere.example/ws'] } },
    });
    world.run(300_000);
    expect(world.agent.configuration.settings).toEqual({});
    expect(world.agent.session.healthy).toBe(true);
    expect(statusOf(world).reverted).toMatch(/^revision 1: no heartbeat was acknowledged/);
    expect(linesOf(world)).toContain('settings reverted: revision 1');
  });

  it('by taking every peer away: the way to the control plane stays, and so does the gateway’s place', () => {
    const world = settled();
    const { tunnelAddresses, tunnelPrefixes } = world.agent;
    world.server.say('snapshot', snapshot(6, []));
    world.run(60_000);
    expect(names(world)).toEqual([]);
    expect(world.agent.tunnelAddresses).toEqual(tunnelAddresses);
    expect(world.agent.tunnelPrefixes).toEqual(tunnelPrefixes);
    expect(world.agent.session.healthy).toBe(true);
    expect(statusOf(world)).toMatchObject({ control: 'green', data: 'off', networkVersion: 6 });
    world.server.say('snapshot', snapshot(7, [peer(2)]));
    world.run(1_000);
    expect(names(world)).toEqual(['p2']);
  });
});
