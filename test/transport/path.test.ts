import { describe, expect, it } from 'vitest';
import { Site } from './virtual-paths.js';

describe('the race', () => {
  it('takes plain UDP where it works, with one handshake', () => {
    const site = new Site();
    site.run(2_000);
    expect(site.active).toBe('udp');
    expect(site.handshakes()).toBe(1);
    expect(site.lost().lost).toBe(0);
    expect(site.doubled).toBe(0);
  });

  it('starts on the first relay that answers where UDP is blocked, within a second', () => {
    const site = new Site();
    site.udp.up = false;
    site.run(1_000);
    expect(site.active).toBe('masque');
    expect(Math.min(...site.answered.values()) - 1_000).toBeLessThan(1_000);
    expect(site.handshakes()).toBe(1);
    expect(site.reasons()).toContain('first-that-works');
  });

  it('relay first: starts on the relay and climbs to direct without another handshake or a loss', () => {
    const site = new Site({ order: ['masque', 'websocket', 'udp'] });
    site.run(3_000);
    expect(site.active).toBe('udp');
    expect(site.reasons()).toContain('better-path');
    expect(site.handshakes()).toBe(1);
    expect(site.lost().lost).toBe(0);
    expect(site.doubled).toBe(0);
  });
  it('opens the third when neither of the first two answers', () => {
    const site = new Site();
    site.udp.up = site.masque.up = false;
    site.run(2_000);
    expect(site.active).toBe('websocket');
  });

  it('goes on trying while nothing works, and comes up by itself when something does', () => {
    const site = new Site();
    site.udp.up = site.masque.up = site.websocket.up = false;
    site.run(100_000, 1_000);
    expect(site.active).toBe('none');
    site.websocket.up = true;
    site.run(45_000, 1_000);
    expect(site.active).toBe('websocket');
  });
});

describe('a path that dies', () => {
  it('is left within a second, and direct is taken back without a loss', () => {
    const site = new Site();
    site.run(5_000);
    expect(site.active).toBe('udp');
    const cut = site.time.now;
    site.udp.up = false;
    site.run(3_000);
    expect(site.active).toBe('masque');
    expect(site.lost(cut).longest).toBeLessThanOrEqual(1_000);
    const back = site.time.now;
    site.udp.up = true;
    site.run(90_000);
    expect(site.active).toBe('udp');
    expect(site.lost(back).lost).toBe(0);
    expect(site.handshakes()).toBe(1);
    expect(site.doubled).toBe(0);
  });

  it('a relay that ends is replaced at once', () => {
    const site = new Site();
    site.udp.up = false;
    site.run(5_000);
    expect(site.active).toBe('masque');
    const cut = site.time.now;
    site.streams.masque.cut();
    site.masque.up = false;
    site.run(1_000);
    expect(site.active).toBe('websocket');
    expect(site.lost(cut).longest).toBeLessThanOrEqual(300);
    expect(site.reasons(cut)).toContain('active-closed');
  });

  it('one that dies every 15 s does not make it swing to and fro', () => {
    const site = new Site();
    site.run(5_000);
    const changes = () => site.reasons().filter((reason) => reason === 'better-path').length;
    const from = site.time.now;
    for (let i = 0; i < 20; i++) {
      site.udp.up = i % 2 === 1;
      site.run(15_000, 50);
    }
    expect(site.active).not.toBe('udp');
    expect(changes()).toBe(0);
    expect(site.lost(from).longest).toBeLessThanOrEqual(1_000);
    expect(site.doubled).toBe(0);
    site.udp.up = true;
    site.run(120_000, 50);
    expect(site.active).toBe('udp');
    expect(changes()).toBe(1);
  });

  it('is noticed without traffic, too', () => {
    const site = new Site();
    site.run(5_000);
    site.udp.up = false;
    site.run(40_000, 0);
    expect(site.active).toBe('masque');
  });
});

describe('two gateways that both have paths', () => {
  it('meet at a relay, climb to direct and fall back, each for itself', () => {
    const site = new Site({ both: true, order: ['udp', 'websocket'] });
    site.udp.up = false;
    site.run(2_000);
    expect(site.active).toBe('websocket');
    site.udp.up = true;
    const up = site.time.now;
    site.run(60_000);
    expect(site.active).toBe('udp');
    expect(site.b.paths.of(site.b.peer)?.active?.transport.kind).toBe('udp');
    expect(site.lost(up).lost).toBe(0);
    const cut = site.time.now;
    site.udp.up = false;
    site.run(3_000);
    expect(site.active).toBe('websocket');
    expect(site.lost(cut).longest).toBeLessThanOrEqual(1_000);
    expect(site.handshakes()).toBe(1);
    expect(site.doubled).toBe(0);
  });
});

describe('a peer of another make', () => {
  it('is reached, climbed to and fallen back from without probes', () => {
    const site = new Site({ stock: true, order: ['masque', 'udp'] });
    site.run(30_000);
    expect(site.path.probesAnswered).toBe(false);
    expect(site.active).toBe('udp');
    expect(site.handshakes()).toBe(1);
    site.udp.up = false;
    site.run(20_000);
    expect(site.active).toBe('masque');
    expect(site.doubled).toBe(0);
  });
});

describe('what it costs', () => {
  it('stays inside the daily budget without traffic', () => {
    const site = new Site();
    site.run(5_000);
    const before = site.udp.bytes + site.masque.bytes + site.websocket.bytes;
    const count = site.udp.datagrams + site.masque.datagrams + site.websocket.datagrams;
    site.run(86_400_000 / 4, 0);
    const bytes = site.udp.bytes + site.masque.bytes + site.websocket.bytes - before;
    const datagrams = site.udp.datagrams + site.masque.datagrams + site.websocket.datagrams - count;
    // Each with the most that carries it: TCP, TLS and an acknowledgement.
    expect((bytes + datagrams * 126) * 4).toBeLessThan(2_000_000);
  });

  it('seldom asks for a direct way that is hopeless', () => {
    const site = new Site();
    site.udp.up = false;
    site.run(5_000);
    const before = site.udp.datagrams;
    site.run(3_600_000, 1_000);
    expect(site.active).toBe('masque');
    expect(site.udp.datagrams - before).toBeLessThan(40);
  });
});

describe('a lying relay', () => {
  it.each([
    ['doubles', () => [0, 3]],
    ['reorders', (i: number) => [i % 3 === 0 ? 30 : 0]],
    ['drops one in five', (i: number) => (i % 5 === 0 ? [] : [0])],
  ])('that %s delivers nothing twice and does not end the session', (_, fate) => {
    const site = new Site({ order: ['masque'] });
    let count = 0;
    site.masque.fate = () => fate(count++);
    site.run(20_000);
    expect(site.active).toBe('masque');
    expect(site.answered.size).toBeGreaterThan(1_000);
    expect(site.doubled).toBe(0);
    expect(site.handshakes()).toBe(1);
  });
});

describe('another network', () => {
  it('asks everything anew at once', () => {
    const site = new Site();
    site.a.paths.networkChanged('office');
    site.udp.up = false;
    site.run(60_000);
    expect(site.active).toBe('masque');
    site.udp.up = true;
    const moved = site.time.now;
    site.a.paths.networkChanged('home');
    site.run(3_000);
    expect(site.active).toBe('udp');
    expect(site.reasons(moved)).toContain('network-changed');
    expect(site.lost(moved).longest).toBeLessThanOrEqual(1_000);
  });
});
