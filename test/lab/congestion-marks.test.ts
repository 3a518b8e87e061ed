/** Congestion marks on their way through a real tunnel (RFC 6040); the other end is wireguard-go, which knows none. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GatewayStatus } from '../../src/gateway/status.js';
import { PROGRAM } from './gateway-end.js';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { labSuite } from './requirements.js';
import { CONTROL, NEEDS } from './subject.js';
import { until } from './wait.js';

/** Node's own sockets neither show nor set the traffic class. */
const CARRIES = new Set(['t1', 't2']);

labSuite('congestion marks through the tunnel', NEEDS, () => {
  let pair: Pair;
  let tier = '';

  const status = async (): Promise<GatewayStatus> => {
    const words = [process.execPath, PROGRAM, 'status', pair.ours.name, '--json'];
    const found = JSON.parse(await pair.ourSpace.get(words, { environment: {} }));
    return Array.isArray(found) ? found[0] : found;
  };

  /** Packets that a rule with this comment has seen. */
  const seen = async (comment: string): Promise<number> => {
    const rules = await pair.ourSpace.get(['nft', 'list', 'ruleset']);
    const line = rules.split('\n').find((text) => text.includes(`comment "${comment}"`));
    return Number(/packets (\d+)/.exec(line ?? '')?.[1] ?? Number.NaN);
  };

  /** What is counted on both sides of our end; `mark`: what a router does to datagrams on their way to us. */
  const watch = (mark = ''): void =>
    pair.ourSpace.nft(`
      table ip marks {
        chain wire {
          type filter hook prerouting priority -300
          udp dport ${OURS.port} ${mark}
        }
        chain inside {
          type filter hook input priority 0
          iifname "${pair.ours.name}" icmp type echo-request ip ecn ce counter comment "marked"
          iifname "${pair.ours.name}" icmp type echo-request ip ecn ect0 counter comment "unmarked"
        }
        chain out {
          type filter hook output priority 0
          udp sport ${OURS.port} ip dscp af41 counter comment "handshakes"
          udp sport ${OURS.port} ip ecn != not-ect counter comment "shown"
          udp sport ${OURS.port} @th,64,8 4 ip dscp != cs0 counter comment "classified"
          udp sport ${OURS.port} @th,64,8 4 counter comment "data"
        }
      }`);

  /** Requests of ECT(0), or without ECN, from the other end. */
  const request = async (ecn: '0x02' | '0x00'): Promise<void> => {
    const words = ['ping', '-n', '-c', '3', '-i', '0.05', '-W', '1', '-Q', ecn, OURS.inner4];
    await pair.theirSpace.run(words);
  };

  beforeAll(async () => {
    pair = new Pair();
    watch();
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    if (!CONTROL) tier = (await status()).tier;
  }, 60_000);
  afterAll(() => pair?.close());

  it('handshakes go as AF41, data without class or mark', async (context) => {
    if (!CARRIES.has(tier)) context.skip(`tier ${tier} does not carry them`);
    expect(await seen('handshakes')).toBeGreaterThan(0);
    await request('0x02');
    expect(await seen('data')).toBeGreaterThan(3);
    expect([await seen('classified'), await seen('shown')]).toEqual([0, 0]);
  });

  it('a packet that knows marks takes over the one of the wire', async (context) => {
    if (!CARRIES.has(tier)) context.skip(`tier ${tier} does not carry them`);
    watch();
    await request('0x02');
    expect([await seen('unmarked'), await seen('marked')]).toEqual([3, 0]);
    watch('ip ecn set ce');
    await request('0x02');
    expect([await seen('unmarked'), await seen('marked')]).toEqual([0, 3]);
  });

  it('a packet that does not is lost, and counted', async (context) => {
    if (!CARRIES.has(tier)) context.skip(`tier ${tier} does not carry them`);
    watch('ip ecn set ce');
    const before = (await status()).counters.congestionDropped ?? 0;
    expect(await ping(pair.theirSpace, OURS.inner4, { patience: 1 })).toBe(0);
    await until(
      'the count',
      5_000,
      async () => ((await status()).counters.congestionDropped ?? 0) >= before + 3,
    );
    watch();
    expect(await ping(pair.theirSpace, OURS.inner4)).toBe(3);
  });
});
