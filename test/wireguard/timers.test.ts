/** The timers of the paper's section 6, in virtual time. */
import { describe, expect, it } from 'vitest';
import {
  DATA,
  gapsOf,
  INITIATION,
  keepalives,
  ofType,
  RESPONSE,
  timesOf,
  typeOf,
} from './virtual/messages.js';
import { A_TO_B, B_TO_A, type Datagram, pair, type VirtualNode, type World } from './virtual/world.js';

/** Two nodes with a session that `a` made; nothing is under way. */
function established(seed = 1): { world: World; a: VirtualNode; b: VirtualNode; since: number } {
  const { world, a, b } = pair(seed);
  a.send(A_TO_B());
  world.exchange();
  b.send(B_TO_A());
  world.exchange();
  expect([a.delivered.length, b.delivered.length]).toEqual([1, 1]);
  return { world, a, b, since: world.clock.monotonic() };
}

const from =
  (node: VirtualNode) =>
  (datagram: Datagram): boolean =>
    datagram.from === node.address;

/** Runs until `at`, monotonic ms. */
const until = (world: World, at: number): Datagram[] => world.run(at - world.clock.monotonic());

describe('an unanswered initiation', () => {
  it('is sent again every 5 s and up to a third of a second, for 90 s, and then no more', () => {
    const { world, a } = pair();
    world.passes = () => false;
    const start = world.clock.monotonic();
    a.send(A_TO_B());
    const sent = world.run(600_000);
    expect(sent.every((datagram) => typeOf(datagram) === INITIATION)).toBe(true);
    expect(sent.length).toBe(19);
    for (const gap of gapsOf(sent)) {
      expect(gap).toBeGreaterThanOrEqual(5_000);
      expect(gap).toBeLessThanOrEqual(5_334);
    }
    expect(sent[0].at).toBe(start);
    expect(sent[18].at - start).toBeGreaterThanOrEqual(90_000);
    expect([a.peer.state, a.peer.reason]).toEqual(['failed', 'no-response']);
  });

  it('is delayed by chance, evenly over a third of a second', () => {
    const delays: number[] = [];
    for (let seed = 1; seed <= 40; seed++) {
      const { world, a } = pair(seed);
      world.passes = () => false;
      a.send(A_TO_B());
      delays.push(...gapsOf(world.run(100_000)).map((gap) => gap - 5_000));
    }
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(Math.min(...delays)).toBeLessThan(17);
    expect(Math.max(...delays)).toBeGreaterThan(317);
    expect(Math.abs(mean - 167)).toBeLessThan(17);
  });

  it('is new each time: index, ephemeral key and timestamp', () => {
    const { world, a } = pair();
    world.passes = () => false;
    a.send(A_TO_B());
    const sent = world.run(100_000);
    for (const [start, end] of [
      [4, 8],
      [8, 40],
      [88, 116],
    ]) {
      expect(new Set(sent.map((d) => Buffer.from(d.bytes.slice(start, end)).toString('hex'))).size).toBe(19);
    }
  });

  it('gives up what waited, and starts anew with the whole time when there is traffic again', () => {
    const { world, a, b } = pair();
    world.passes = () => false;
    for (let i = 0; i < 3; i++) a.send(A_TO_B());
    world.run(600_000);
    expect(a.peer.stagedPackets).toBe(0);
    expect(a.device.counters.stagedDropped).toBe(3);
    a.send(A_TO_B());
    expect(world.run(600_000).length).toBe(19);
    world.passes = () => true;
    a.send(A_TO_B(99));
    world.exchange();
    expect(b.delivered).toEqual([A_TO_B(99)]);
  });

  it('is not sent again for as long as traffic keeps asking, but goes on', () => {
    const { world, a } = pair();
    world.passes = () => false;
    const sent: Datagram[] = [];
    for (let i = 0; i < 3_000; i++) {
      a.send(A_TO_B());
      sent.push(...world.run(100));
    }
    for (const gap of gapsOf(sent)) expect(gap).toBeGreaterThanOrEqual(5_000);
    expect(sent.length).toBeGreaterThan(300 / 5.334 - 1);
    expect(a.peer.state).toBe('handshaking');
  });

  it('has the whole time again whenever there is something to send', () => {
    const { world, a } = pair();
    world.passes = () => false;
    const sent: Datagram[] = [];
    // Between two retransmissions, so that it is the timer that sends them.
    for (let i = 0; i < 60; i++) {
      a.send(A_TO_B());
      sent.push(...world.run(7_000));
    }
    expect(a.peer.state).toBe('handshaking');
    for (const gap of gapsOf(sent)) expect(gap).toBeLessThanOrEqual(5_334);
    expect(sent.length).toBeGreaterThan(420 / 5.334 - 1);
  });

  it('is sent again though we answered the peer meanwhile and that came to nothing', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    a.take();
    world.run(3_000);
    b.peer.initiate(false);
    world.passes = from(b);
    const answered = world.exchange();
    expect(ofType(answered, RESPONSE, a).length).toBe(1);
    world.passes = () => false;
    b.device.close();
    const sent = ofType(world.run(600_000), INITIATION, a);
    expect(sent.length).toBeGreaterThanOrEqual(17);
    expect(a.peer.state).toBe('failed');
  });

  it('is forgotten in the end: nothing of it is kept', () => {
    const { world, a } = pair();
    world.passes = () => false;
    a.send(A_TO_B());
    world.run(102_000 + 540_000);
    expect(a.device.indicesInUse).toBe(0);
  });

  it('asks for the endpoint name again every third time, also under traffic', () => {
    for (const traffic of [false, true]) {
      const { world, a } = pair();
      world.passes = () => false;
      a.peer.endpointName = { host: 'gateway.example', port: 51820 };
      const asked: number[] = [];
      a.device.onResolve = () => void asked.push(a.device.counters.initiationsSent);
      a.send(A_TO_B());
      for (let second = 0; second < 85; second++) {
        if (traffic) a.send(A_TO_B());
        world.run(1_000);
      }
      expect(asked.slice(0, 5), `traffic ${traffic}`).toEqual([3, 6, 9, 12, 15]);
    }
  });

  it('asks for the endpoint name at once when none is known, and sets off when it comes', () => {
    const { world, a, b } = pair();
    const asked: number[] = [];
    a.peer.setEndpoint(new Uint8Array(24), 0);
    a.peer.endpointName = { host: 'gateway.example', port: 51820 };
    a.device.onResolve = (peer) => void asked.push(peer.id);
    a.send(A_TO_B());
    expect([world.run(1_000), asked, a.peer.reason]).toEqual([[], [a.peer.id], 'endpoint-unresolved']);
    a.peer.setEndpoint(b.address, 0);
    world.exchange();
    expect(b.delivered.length).toBe(1);
  });
});

describe('handshakes', () => {
  it('are asked for once in 5 s, whatever wants them', () => {
    const { world, a } = pair();
    world.passes = () => false;
    const sent: Datagram[] = [];
    for (let i = 0; i < 49; i++) {
      a.send(A_TO_B());
      a.peer.sendKeepalive();
      a.peer.initiate(false);
      a.peer.initiate(true);
      sent.push(...world.run(100));
    }
    expect(sent.map(typeOf)).toEqual([INITIATION]);
  });

  it('follow the first packet sent under a pair older than 120 s, by the initiator', () => {
    const { world, a, since } = established();
    until(world, since + 120_000);
    a.send(A_TO_B());
    expect(ofType(world.exchange(), INITIATION)).toEqual([]);
    until(world, since + 120_001);
    a.send(A_TO_B());
    expect(world.exchange().map(typeOf)).toEqual([DATA, INITIATION, RESPONSE, DATA]);
  });

  it('are not begun by the responder, however much it sends', () => {
    const { world, b, since } = established();
    world.passes = from(b); // nothing of the initiator comes through
    const sent: Datagram[] = [];
    for (let second = 1; second < 13; second++) {
      b.send(B_TO_A());
      sent.push(...until(world, since + second * 1_000));
    }
    expect(ofType(sent, INITIATION, b)).toEqual([]);
  });

  it('follow a packet received when the pair is older than 165 s, once', () => {
    for (const [age, expected] of [
      [164_999, 0],
      [165_001, 1],
    ]) {
      const { world, a, b, since } = established();
      world.passes = from(b);
      until(world, since + age);
      for (let i = 0; i < 5; i++) b.send(B_TO_A());
      expect(ofType(world.exchange(), INITIATION, a).length, `${age} ms`).toBe(expected);
      const [second] = [b.send(B_TO_A()), ofType(until(world, since + age + 4_000), INITIATION, a)].slice(1);
      expect(second).toEqual([]);
    }
  });

  it('follow 2^60 messages, from either end', () => {
    for (const role of ['a', 'b'] as const) {
      const nodes = established();
      const node = nodes[role];
      const packet = role === 'a' ? A_TO_B() : B_TO_A();
      nodes.world.run(20_000); // Rekey-Timeout since the last handshake
      const pair = node.peer.keypairs.current!;
      pair.sendHigh = 0x0fff_ffff;
      pair.sendLow = 0xffff_fffe;
      node.send(packet);
      expect(nodes.world.exchange().map(typeOf), role).toEqual([DATA]);
      node.send(packet);
      expect(nodes.world.exchange().map(typeOf), role).toEqual([DATA, INITIATION, RESPONSE, DATA]);
    }
  });

  it('follow when data was sent and nothing heard for 15 s, by either end', () => {
    for (const role of ['a', 'b'] as const) {
      for (let seed = 1; seed <= 5; seed++) {
        const nodes = established(seed);
        const { world } = nodes;
        const node = nodes[role];
        world.run(20_000);
        world.passes = from(node);
        const start = world.clock.monotonic();
        node.send(role === 'a' ? A_TO_B() : B_TO_A());
        world.run(14_999);
        const [initiation] = ofType(world.run(400), INITIATION, node);
        expect(initiation.at - start).toBeGreaterThanOrEqual(15_000);
        expect(initiation.at - start).toBeLessThanOrEqual(15_334);
        expect(node.peer.reason).toBe('peer-silent');
        world.passes = () => true;
        world.run(6_000);
        expect(node.peer.reason).toBe('confirmed');
      }
    }
  });

  it('follow 15 s after the first packet that nobody answered, though more are sent', () => {
    const { world, a } = established();
    world.run(20_000);
    world.passes = from(a);
    const start = world.clock.monotonic();
    const sent: Datagram[] = [];
    for (let i = 0; i < 20; i++) {
      a.send(A_TO_B());
      sent.push(...world.run(1_000));
    }
    const [initiation] = ofType(sent, INITIATION, a);
    expect(initiation.at - start).toBeGreaterThanOrEqual(15_000);
    expect(initiation.at - start).toBeLessThanOrEqual(15_334);
  });

  it('that follow a packet received are sent again by the timer, not by every packet', () => {
    const gaps: number[] = [];
    for (let seed = 1; seed <= 10; seed++) {
      const { world, b, a, since } = established(seed);
      world.passes = from(b);
      until(world, since + 166_000);
      const sent: Datagram[] = [];
      for (let i = 0; i < 60; i++) {
        b.send(B_TO_A());
        sent.push(...world.run(100));
      }
      gaps.push(...gapsOf(ofType(sent, INITIATION, a)));
    }
    expect(gaps.length).toBe(10);
    expect(Math.max(...gaps)).toBeGreaterThan(5_150);
  });

  it('do not follow when anything was heard in time', () => {
    const { world, a, b } = established();
    a.send(A_TO_B());
    world.run(9_000);
    b.peer.sendKeepalive();
    expect(ofType(world.run(100_000), INITIATION)).toEqual([]);
  });
});

describe('the passive keepalive', () => {
  it('is sent exactly once, 10 s after data came and nothing went', () => {
    const { world, a, b } = established();
    world.run(30_000);
    const start = world.clock.monotonic();
    a.send(A_TO_B());
    const travelled = world.run(100_000);
    expect(travelled.map(typeOf)).toEqual([DATA, DATA]);
    expect(timesOf(keepalives(travelled, b))).toEqual([start + 10_000]);
  });

  it('is sent once more when more data came meanwhile', () => {
    const { world, a, b } = established();
    world.run(30_000);
    const start = world.clock.monotonic();
    for (const at of [0, 3_000, 9_000]) {
      until(world, start + at);
      a.send(A_TO_B());
    }
    const travelled = world.run(100_000);
    expect(timesOf(keepalives(travelled, b))).toEqual([start + 10_000, start + 20_000]);
    expect(keepalives(travelled, a)).toEqual([]);
  });

  it('is not sent when there was something to say', () => {
    const { world, a, b } = established();
    world.run(30_000);
    const start = world.clock.monotonic();
    a.send(A_TO_B());
    a.send(A_TO_B());
    until(world, start + 9_999);
    b.send(B_TO_A());
    // Ten seconds on, `a` has heard data and said nothing: it is its turn, once.
    const travelled = world.run(100_000);
    expect([keepalives(travelled, a).length, keepalives(travelled, b).length]).toEqual([1, 0]);
  });

  it('does not remember traffic that has been answered', () => {
    const { world, a, b } = established();
    world.run(30_000);
    a.send(A_TO_B());
    a.send(A_TO_B());
    world.exchange();
    b.send(B_TO_A());
    world.run(30_000);
    const start = world.clock.monotonic();
    a.send(A_TO_B());
    expect(timesOf(keepalives(world.run(100_000), b))).toEqual([start + 10_000]);
  });

  it('never answers a keepalive', () => {
    const { world, a } = established();
    world.run(30_000);
    a.peer.sendKeepalive();
    expect(world.run(100_000).map((datagram) => datagram.bytes.length)).toEqual([32]);
  });
});

describe('the persistent keepalive', () => {
  it('makes a session at once when it is turned on', () => {
    const { world, a } = pair();
    a.peer.persistentKeepalive = 25;
    expect(world.exchange().map(typeOf)).toEqual([INITIATION, RESPONSE, DATA]);
    expect(a.peer.state).toBe('established');
  });

  it('is sent at once on turning it on with a session, and not on changing it', () => {
    const { world, a } = established();
    world.run(30_000);
    a.peer.persistentKeepalive = 25;
    expect(keepalives(world.exchange(), a).length).toBe(1);
    a.peer.persistentKeepalive = 40;
    expect(world.exchange()).toEqual([]);
    const start = world.clock.monotonic();
    expect(timesOf(keepalives(until(world, start + 85_000), a))).toEqual([start + 40_000, start + 80_000]);
  });

  it('comes so many seconds after the last message of either direction', () => {
    const { world, a, b } = established();
    world.run(30_000);
    a.peer.persistentKeepalive = 25;
    const start = world.clock.monotonic();
    until(world, start + 20_000);
    b.peer.sendKeepalive(); // heard at 20 s
    expect(timesOf(keepalives(until(world, start + 45_000), a))).toEqual([start + 45_000]);
    until(world, start + 55_000);
    a.peer.sendKeepalive(); // said at 55 s
    expect(timesOf(keepalives(until(world, start + 80_000), a))).toEqual([start + 55_000, start + 80_000]);
  });

  it('keeps a session fresh for a day, with nothing else to say', () => {
    const { world, a } = established();
    a.peer.persistentKeepalive = 25;
    const day = 86_400_000;
    const travelled = world.run(day);
    expect(a.peer.state).toBe('established');
    // Renewed by the first keepalive after 120 s.
    const handshakes = ofType(travelled, INITIATION).length;
    expect(handshakes).toBeGreaterThan(day / 150_000);
    expect(handshakes).toBeLessThan(day / 120_000);
    expect(ofType(travelled, DATA).every((datagram) => datagram.bytes.length === 32)).toBe(true);
  });

  it('never gives up asking', () => {
    const { world, a, b } = pair();
    world.passes = () => false;
    a.peer.persistentKeepalive = 25;
    const sent = world.run(3_600_000);
    expect(sent.length).toBeGreaterThan(3_600 / 25 - 1);
    for (const gap of gapsOf(sent)) expect(gap).toBeGreaterThanOrEqual(5_000);
    world.passes = () => true;
    world.run(26_000);
    expect(b.peer.state).toBe('established');
  });

  it('is silent after it is turned off', () => {
    const { world, a } = established();
    a.peer.persistentKeepalive = 25;
    world.run(30_000);
    a.peer.persistentKeepalive = 0;
    expect(world.run(1_000_000)).toEqual([]);
  });
});
