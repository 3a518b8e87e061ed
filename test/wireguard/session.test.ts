import { describe, expect, it } from 'vitest';
import { messageType } from '../../src/wireguard/messages.js';
import { A_TO_B, B_TO_A, type Datagram, pair } from './virtual/world.js';

const type = (datagram: Datagram): number => messageType(datagram.bytes, 0, datagram.bytes.length);

describe('a session', () => {
  it('is made by the first packet, which is delivered', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B(100));
    const travelled = world.exchange();
    expect(travelled.map(type)).toEqual([1, 2, 4]);
    expect(b.delivered).toEqual([A_TO_B(100)]);
    expect([...a.device.peers()][0].state).toBe('established');
    expect([...b.device.peers()][0].reason).toBe('confirmed');
    b.send(B_TO_A(1300));
    expect(world.exchange().map((d) => d.bytes.length)).toEqual([16 + 1328 + 16]);
    expect(a.delivered).toEqual([B_TO_A(1300)]);
  });

  it('is confirmed by an empty message when nothing waits, and the responder is silent until then', () => {
    const { world, a, b } = pair();
    const [peer] = a.device.peers();
    peer.initiate(false);
    const [initiation] = a.take();
    b.receive(initiation);
    b.send(B_TO_A());
    const sent = b.take();
    expect(sent.map(type)).toEqual([2]);
    expect([...b.device.peers()][0].reason).toBe('awaiting-first-packet');
    a.receive(sent[0]);
    const [keepalive, ...rest] = a.take();
    expect(rest).toEqual([]);
    expect(keepalive.bytes.length).toBe(32);
    b.receive(keepalive);
    expect(world.exchange().map(type)).toEqual([4]);
    expect(a.delivered).toEqual([B_TO_A()]);
  });

  it('converges when both ends initiate at once, a hundred times, and loses nothing', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { world, a, b } = pair(seed);
      a.send(A_TO_B());
      b.send(B_TO_A());
      const crossing = [...a.take(), ...b.take()];
      expect(crossing.map(type)).toEqual([1, 1]);
      for (const datagram of seed % 2 ? crossing : crossing.reverse()) world.deliver(datagram);
      world.exchange();
      expect([a.delivered.length, b.delivered.length], `seed ${seed}`).toEqual([1, 1]);
      for (let i = 0; i < 3; i++) {
        a.send(A_TO_B());
        b.send(B_TO_A());
        world.exchange();
      }
      expect([a.delivered.length, b.delivered.length], `seed ${seed}`).toEqual([4, 4]);
    }
  });

  it('is renewed after Rekey-After-Time under traffic, without loss', () => {
    const { world, a, b } = pair();
    let sent = 0;
    for (let second = 0; second < 400; second++) {
      a.send(A_TO_B());
      sent++;
      world.run(1000);
    }
    expect(b.delivered.length).toBe(sent);
    expect(a.device.counters.initiationsSent).toBe(4);
  });
});
