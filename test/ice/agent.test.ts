import { describe, expect, it } from 'vitest';
import { formatCandidate, parseCandidate } from '../../src/ice/candidate-text.js';
import type { IceLimits } from '../../src/ice/ice-limits.js';
import { record, VirtualGateway } from './virtual/gateway.js';
import { type NatKind, VirtualNetwork } from './virtual/network.js';
import { decode, encode } from './virtual/stun-twin.js';
import { VirtualTurnServer } from './virtual/turn-server.js';

const SECOND = 1_000;

function world(
  options: {
    kinds?: [NatKind, NatKind];
    limits?: Partial<IceLimits>;
    controlling?: [boolean, boolean];
    relay?: boolean;
    seed?: number;
  } = {},
) {
  const { kinds = ['port', 'port'], controlling = [true, false], relay = true } = options;
  const network = new VirtualNetwork(options.seed ?? 11);
  const server = new VirtualTurnServer(network, '203.0.113.100:3478', { left: 'one', right: 'two' });
  const open = (i: number) => kinds[i] === 'none';
  const nats = kinds
    .filter((_kind, i) => !open(i))
    .map((kind, i) => network.nat(kind, `203.0.113.1${i}`, [`10.${i}.0.2`, `10.${i}.0.3`]));
  const ends = ['left', 'right'].map(
    (username, i) =>
      new VirtualGateway(network, {
        socket: open(i) ? `203.0.113.1${i}:51820` : `10.${i}.0.2:51820`,
        controlling: controlling[i],
        stun: [server.endpoint],
        turn: relay ? [{ endpoint: server.endpoint, username, password: i === 0 ? 'one' : 'two' }] : [],
        limits: options.limits,
      }),
  );
  const [left, right] = ends;
  const meet = () => {
    left.meet(right);
    right.meet(left);
  };
  const run = (time: number, done?: () => boolean) => network.run(network.now + time, ends, done);
  const exchange = () => {
    left.received.length = right.received.length = 0;
    left.send('to the right');
    right.send('to the left');
    run(SECOND);
    return left.received.includes('to the left') && right.received.includes('to the right');
  };
  return { network, server, nats, left, right, meet, run, exchange };
}

describe('a connection', () => {
  it('carries traffic by the first pair that works, before one is nominated', () => {
    const { left, right, meet, run } = world({ kinds: ['symmetric', 'symmetric'] });
    meet();
    run(SECOND, () => left.agent.selected !== undefined && right.agent.selected !== undefined);
    expect([left.agent.state, left.agent.reason]).toEqual(['connected', 'pair-valid']);
    left.send('early');
    run(200);
    expect(right.received).toContain('early');
  });

  it('costs little when it is idle', () => {
    const { network, left, meet, run } = world();
    meet();
    run(60 * SECOND);
    let bytes = 0;
    const send = network.send.bind(network);
    network.send = (from, to, message) => {
      if (from === left.socket) bytes += message.length + 28;
      send(from, to, message);
    };
    const deliver = network.deliver.bind(network);
    network.deliver = (from, to, message) => {
      if (to === left.socket) bytes += message.length + 28;
      deliver(from, to, message);
    };
    run(3_600 * SECOND);
    // Both ways, with a relay kept warm; the design gives 2 MB a day.
    expect(bytes * 24).toBeLessThan(1_700_000);
    expect(bytes * 24).toBeGreaterThan(100_000);
    expect(left.agent.state).toBe('completed');
  });

  it('mends it when both want to control, or neither', () => {
    for (const both of [true, false]) {
      const { left, right, meet, run, exchange } = world({ controlling: [both, both] });
      meet();
      run(20 * SECOND);
      expect([left.agent.state, right.agent.state]).toEqual(['completed', 'completed']);
      expect(left.agent.controlling).not.toBe(right.agent.controlling);
      expect(exchange()).toBe(true);
    }
  });

  it('works when checks come before the credentials they are answered with', () => {
    const { network, left, right, meet, run } = world({ kinds: ['none', 'none'] });
    // What the left one signals is slow.
    const signal = left.signal.bind(left);
    left.signal = (tell) => network.after(400, () => signal(tell));
    meet();
    run(5 * SECOND);
    expect([left.agent.state, right.agent.state]).toEqual(['completed', 'completed']);
  });

  it('tells why there is none', () => {
    const alone = world({ relay: false });
    alone.left.meet(alone.right);
    alone.run(60 * SECOND);
    expect([alone.left.agent.state, alone.left.agent.reason]).toEqual([
      'failed',
      'awaiting-peer-credentials',
    ]);

    const hopeless = world({ relay: false, kinds: ['symmetric', 'symmetric'] });
    hopeless.meet();
    hopeless.run(60 * SECOND);
    expect([hopeless.left.agent.state, hopeless.left.agent.reason]).toEqual(['failed', 'all-checks-failed']);
    // And nothing is left ticking.
    expect(hopeless.left.agent.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  it('ends with consent, and says so', () => {
    const { nats, left, meet, run } = world({ relay: false });
    meet();
    run(5 * SECOND);
    expect(left.agent.state).toBe('completed');
    for (const nat of nats) nat.kind = 'blocked';
    const send = (seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        left.agent.active(left.network.now);
        run(SECOND);
      }
    };
    // RFC 7675 section 5.1: 30 s while data is sent.
    send(28);
    expect(left.agent.state).toBe('completed');
    send(8);
    expect([left.agent.state, left.agent.reason, left.way]).toEqual(['failed', 'consent-expired', '']);
  });

  it('falls back to the relay that was kept warm', () => {
    const { network, left, right, meet, run, exchange } = world({
      kinds: ['none', 'none'],
      limits: { standbyInterval: 5_000 },
    });
    meet();
    run(60 * SECOND);
    expect(left.agent.selected?.relayed).toBe(false);
    // Whatever goes directly between the two is lost from now on.
    const send = network.send.bind(network);
    network.send = (from, to, bytes) => {
      if (`${from} ${to}`.includes('203.0.113.100')) send(from, to, bytes);
    };
    for (let i = 0; i < 40; i++) {
      for (const { agent } of [left, right]) agent.active(network.now);
      run(SECOND);
    }
    for (const { agent } of [left, right]) {
      expect(agent.selected?.relayed, `${left.way} ${right.way} ${JSON.stringify(left.selections)}`).toBe(
        true,
      );
    }
    expect(left.selections.length).toBeGreaterThan(1);
    expect(exchange()).toBe(true);
  });
});

describe('a restart', () => {
  it('keeps the pair in use until there is another', () => {
    const { left, right, meet, run, exchange } = world();
    meet();
    run(5 * SECOND);
    const old = left.agent.local.ufrag;
    left.agent.restart(left.network.now);
    expect(left.agent.local.ufrag).not.toBe(old);
    for (let i = 0; i < 20; i++) {
      expect(exchange(), `exchange ${i}`).toBe(true);
    }
    expect([left.agent.state, right.agent.state]).toEqual(['completed', 'completed']);
    expect(right.agent.remote?.ufrag).toBe(left.agent.local.ufrag);
    expect(left.agent.ufrags).toHaveLength(1);
  });

  it('finds the way after a NAT has forgotten everything', () => {
    const { nats, left, right, meet, run, exchange } = world({ relay: false });
    meet();
    run(5 * SECOND);
    for (const nat of nats) nat.reboot();
    left.host.gatherer.networkChanged(left.network.now);
    right.host.gatherer.networkChanged(right.network.now);
    left.agent.restart(left.network.now);
    run(200);
    run(10 * SECOND);
    expect([left.agent.state, right.agent.state]).toEqual(['completed', 'completed']);
    expect(exchange()).toBe(true);
  });

  it('follows a new address', () => {
    const { network, left, right, meet, run, exchange } = world();
    meet();
    run(5 * SECOND);
    left.socket = '10.0.0.3:51820';
    left.plug();
    left.host.gatherer.setAddresses([record(left.socket)], network.now);
    expect([left.agent.state, left.agent.reason]).not.toEqual(['completed', 'pair-nominated']);
    left.agent.restart(network.now);
    run(200);
    run(10 * SECOND);
    expect([left.agent.state, right.agent.state]).toEqual(['completed', 'completed']);
    expect(exchange()).toBe(true);
  });
});

describe('hostile signaling and checks', () => {
  it('takes so many candidates and no more', () => {
    const { network, left, meet, run } = world({ limits: { remoteCandidates: 8, pairs: 12 } });
    meet();
    run(100);
    const before = network.sent;
    for (let i = 0; i < 10_000; i++) {
      const line = `candidate:${i} 1 udp ${2_000_000_000 - i} 198.51.${(i >> 8) & 255}.${(i & 127) + 1} ${1024 + (i % 60_000)} typ host`;
      left.agent.addRemoteCandidate(line, network.now);
    }
    expect(left.agent.pairs.length).toBeLessThanOrEqual(12);
    expect(left.agent.counters.refusedCandidates).toBeGreaterThanOrEqual(9_990);
    run(60 * SECOND);
    // RFC 8445 section 19.5.1, the voice hammer: every pair gets its seven requests at most, paced.
    expect(network.sent - before).toBeLessThan(2 * 12 * 7 + 600);
    expect(left.agent.state).toBe('completed');
  });

  it.each([
    ['candidate:1 1 udp 1 0b1f3c5e-7a2d-4d6c-9b1e-0a2b3c4d5e6f.local 9 typ host', 'mdns'],
    ['candidate:1 1 udp 1 host.example.net 9 typ host', 'name'],
    ['candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active', 'transport'],
    ['candidate:1 2 udp 1 192.0.2.1 9 typ host', 'component'],
    ['candidate:1 1 udp 1 224.0.0.1 9 typ host', 'address'],
    ['candidate:1 1 udp 1 255.255.255.255 9 typ host', 'address'],
    ['candidate:1 1 udp 1 0.0.0.0 9 typ host', 'address'],
    ['candidate:1 1 udp 1 127.0.0.1 9 typ host', 'address'],
    ['candidate:1 1 udp 1 ::1 9 typ host', 'address'],
    ['candidate:1 1 udp 1 ::ffff:127.0.0.1 9 typ host', 'address'],
    ['candidate:1 1 udp 1 fe80::1 9 typ host', 'address'],
    ['candidate:1 1 udp 1 ff02::1 9 typ host', 'address'],
    ['candidate:1 1 udp 1 192.0.2.1 0 typ host', 'address'],
    ['candidate:1 1 udp 0 192.0.2.1 9 typ host', 'malformed'],
    ['candidate:1 1 udp 2147483648 192.0.2.1 9 typ host', 'malformed'],
    ['candidate:1 1 udp 1 192.0.2.1 65536 typ host', 'malformed'],
    ['candidate:1 1 udp 1 192.0.2.1 9 typ guest', 'malformed'],
    ['candidate:1 1 udp 1 192.0.2.1 9', 'malformed'],
    [`candidate:${'1'.repeat(33)} 1 udp 1 192.0.2.1 9 typ host`, 'malformed'],
    [`candidate:1 1 udp 1 192.0.2.1 9 typ host ${'x'.repeat(512)}`, 'malformed'],
    ['', 'malformed'],
  ])('refuses %s', (line, reason) => {
    expect(parseCandidate(line).refusal).toBe(reason);
  });

  it('reads candidates as others write them, and its own', () => {
    for (const line of [
      'candidate:1 1 UDP 2130706431 192.168.1.100 54321 typ host',
      'a=candidate:842163049 1 udp 1677729535 203.0.113.5 41234 typ srflx raddr 10.0.0.5 rport 41234 generation 0 ufrag abcd network-cost 999',
      'candidate:x/+9 1 udp 41885439 2001:db8::7 3478 typ relay raddr 203.0.113.5 rport 1',
    ]) {
      const { candidate } = parseCandidate(line);
      expect(candidate, line).toBeDefined();
      const again = parseCandidate(formatCandidate(candidate!, 'abcd'));
      expect(again.candidate).toEqual(candidate);
      expect(again.ufrag).toBe('abcd');
    }
  });

  it('answers nobody who cannot sign', () => {
    const { network, left, right, meet, run } = world({ kinds: ['none', 'none'] });
    meet();
    run(5 * SECOND);
    const answers: string[] = [];
    network.attach('198.51.100.66', (from) => answers.push(from));
    const key = Buffer.from('not the password of anybody');
    const check = (username: string, more: [number, Buffer][] = []) => {
      const message = {
        class: 0,
        method: 1,
        id: Buffer.alloc(12, network.random.next()),
        attributes: [[6, Buffer.from(username)], [0x24, Buffer.alloc(4, 1)], ...more] as [number, Buffer][],
      };
      return encode(message, { sha1: key, fingerprint: true });
    };
    for (const username of [
      `${left.agent.local.ufrag}:${right.agent.local.ufrag}`,
      'x:y',
      '',
      ':',
      'x'.repeat(513),
    ])
      network.send('198.51.100.66:1', left.socket, check(username));
    network.send('198.51.100.66:1', left.socket, check('x:y').subarray(0, 40));
    const pairs = left.agent.pairs.length;
    run(SECOND);
    expect(answers).toEqual([]);
    expect(left.agent.counters.rejected).toBe(1);
    expect(left.agent.pairs).toHaveLength(pairs);
    expect(left.agent.state).toBe('completed');
  });

  it('does not believe an answer that is not signed, or comes from elsewhere', () => {
    const { network, left, right, meet, run } = world({ kinds: ['none', 'none'], relay: false });
    // Between the two sits somebody who answers every check of the left one in the right one's name.
    const real = network.send.bind(network);
    let forged = 0;
    network.send = (from, to, bytes) => {
      if (from === left.socket && to === right.socket && bytes[0] === 0 && bytes[1] === 1) {
        const { id } = decode(bytes);
        const answer = { class: 2, method: 1, id, attributes: [] as [number, Buffer][] };
        answer.attributes.push([0x20, Buffer.from([0, 1, 0x21, 0x13, 0xe1, 0xba, 0xa5, 0x43])]);
        forged++;
        network.after(1, () => network.deliver(to, from, encode(answer, { fingerprint: true })));
        network.after(1, () =>
          network.deliver(to, from, encode(answer, { sha1: Buffer.from('x'), fingerprint: true })),
        );
        return;
      }
      real(from, to, bytes);
    };
    meet();
    run(10 * SECOND);
    expect(forged).toBeGreaterThan(1);
    expect(left.agent.selected).toBeUndefined();
  });

  it('ignores candidates of an earlier generation', () => {
    const { network, left, meet, run } = world();
    meet();
    run(SECOND);
    const line = 'candidate:9 1 udp 5 198.51.100.7 9 typ host ufrag gone';
    expect(left.agent.addRemoteCandidate(line, network.now)).toBe('stale');
  });
});
