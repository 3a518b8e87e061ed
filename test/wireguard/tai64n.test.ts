import { describe, expect, it } from 'vitest';
import type { LogFields, LogLevel, Store } from '../../src/ports.js';
import { TIMESTAMP_RESERVATION, TimestampSource, timestampAfter } from '../../src/wireguard/tai64n.js';
import { nanosecondsOf, tai64n } from './reference/tai64n.js';
import { MemoryStore, Seed, VirtualClock } from './virtual/world.js';

const START = Date.UTC(2026, 0, 1);

/** A clock whose wall time is set by hand. */
class HandClock extends VirtualClock {
  now = START;
  override wall(): number {
    return this.now;
  }
}

function next(source: TimestampSource): Uint8Array {
  const out = new Uint8Array(20).fill(0xee);
  source.next(out, 4);
  expect([...out.slice(0, 4), ...out.slice(16)]).toEqual(Array(8).fill(0xee));
  return out.slice(4, 16);
}

/** Throws unless each timestamp it sees is greater than all before. */
class Responder {
  #greatest = new Uint8Array(12);
  see(timestamp: Uint8Array, message: string): void {
    if (Buffer.compare(timestamp, this.#greatest) <= 0) expect.fail(`not greater: ${message}`);
    expect(timestampAfter(timestamp, 0, this.#greatest)).toBe(true);
    this.#greatest = new Uint8Array(timestamp);
  }
}

/** A store on flash that loses power, or breaks, when it is told to. */
class FragileStore implements Store {
  readonly kept = new MemoryStore();
  failure: 'none' | 'before-write' | 'after-write' | 'broken' = 'none';
  attempts = 0;
  get(name: string): Uint8Array | undefined {
    return this.kept.get(name);
  }
  set(name: string, value: Uint8Array): void {
    this.attempts++;
    if (this.failure === 'before-write' || this.failure === 'broken')
      throw new Error('no space left on device');
    this.kept.set(name, value);
    if (this.failure === 'after-write') throw new Error('power cut');
  }
  delete(name: string): void {
    this.kept.delete(name);
  }
}

describe('TAI64N', () => {
  it('is the wall time, cut to steps of 2^24 ns', () => {
    const clock = new HandClock();
    clock.now = START + 123_456 + 789;
    const stamp = next(new TimestampSource(clock, new MemoryStore()));
    const wall = BigInt(clock.now) * 1_000_000n;
    const nanoseconds = (wall % 1_000_000_000n) & ~0xff_ffffn;
    expect(stamp).toEqual(tai64n(wall - (wall % 1_000_000_000n) + nanoseconds));
  });

  it('tells nothing finer than a step, whatever the time', () => {
    const clock = new HandClock();
    const source = new TimestampSource(clock, new MemoryStore());
    for (let i = 0; i < 1_000; i++) {
      clock.now += (i * 7919) % 97;
      const stamp = next(source);
      expect([stamp[9], stamp[10], stamp[11]]).toEqual([0, 0, 0]);
    }
  });

  it('grows also within one step', () => {
    const source = new TimestampSource(new HandClock(), new MemoryStore());
    const responder = new Responder();
    for (let i = 0; i < 500; i++) responder.see(next(source), `number ${i}`);
  });

  it('grows while the clock jumps back and forth', () => {
    for (let value = 1; value <= 20; value++) {
      const seed = new Seed(value);
      const clock = new HandClock();
      const source = new TimestampSource(clock, new MemoryStore());
      const responder = new Responder();
      for (let i = 0; i < 300; i++) {
        clock.now = Math.max(0, clock.now + (seed.below(3) - 1) * seed.below(10 ** seed.below(10)));
        responder.see(next(source), `seed ${value}, number ${i}`);
      }
    }
  });

  it('follows the clock again once it has passed what was used', () => {
    const clock = new HandClock();
    const source = new TimestampSource(clock, new MemoryStore());
    next(source);
    clock.now = START - 3_600_000;
    const stuck = nanosecondsOf(next(source));
    expect(stuck - BigInt(START) * 1_000_000n).toBeLessThan(1_000_000_000n);
    clock.now = START + 10_000;
    expect(nanosecondsOf(next(source)) / 1_000_000_000n).toBe(BigInt(clock.now / 1000));
  });

  it('grows over a thousand boots of a board whose clock starts in 1970 each time', () => {
    const store = new MemoryStore();
    const responder = new Responder();
    const seed = new Seed(5);
    for (let boot = 0; boot < 1_000; boot++) {
      const clock = new HandClock();
      clock.now = 0;
      const source = new TimestampSource(clock, store);
      for (let i = seed.below(20); i >= 0; i--) {
        clock.now += seed.below(120_000);
        responder.see(next(source), `boot ${boot}`);
      }
    }
  });

  it('grows when a board learns the time late, in some lives and not in others', () => {
    const store = new MemoryStore();
    const responder = new Responder();
    const seed = new Seed(6);
    let world = START;
    for (let boot = 0; boot < 300; boot++) {
      const clock = new HandClock();
      clock.now = 0;
      const source = new TimestampSource(clock, store);
      responder.see(next(source), `boot ${boot}, before the time is known`);
      world += seed.below(3_600_000);
      if (seed.below(2) === 0) clock.now = world;
      responder.see(next(source), `boot ${boot}, after`);
    }
  });

  it('survives a power cut at any moment, before and after the write', () => {
    for (let value = 1; value <= 20; value++) {
      const seed = new Seed(value);
      const store = new FragileStore();
      const responder = new Responder();
      for (let boot = 0; boot < 100; boot++) {
        const clock = new HandClock();
        clock.now = seed.below(2) === 0 ? 0 : START;
        store.failure = (['none', 'before-write', 'after-write'] as const)[seed.below(3)];
        let source: TimestampSource;
        try {
          source = new TimestampSource(clock, store);
        } catch {
          continue; // the power went while it started: no timestamp was made
        }
        store.failure = 'none';
        for (let i = seed.below(5); i >= 0; i--) {
          clock.now += seed.below(4_000_000);
          responder.see(next(source), `seed ${value}, boot ${boot}`);
        }
      }
    }
  });

  it('reserves ahead: one write at the start and one for each reservation used up', () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const source = new TimestampSource(clock, store);
    expect(store.writes).toBe(1);
    const hours = 48;
    for (let second = 0; second < hours * 3600; second += 5) {
      clock.now = START + second * 1000;
      next(source);
    }
    expect(store.writes).toBeLessThanOrEqual(1 + (hours * 3600) / TIMESTAMP_RESERVATION);
    expect(store.writes).toBeGreaterThan(hours - 2);
  });

  it('is reserved before it is used', () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const source = new TimestampSource(clock, store);
    const seed = new Seed(8);
    for (let i = 0; i < 500; i++) {
      clock.now += seed.below(4_000_000);
      const used = nanosecondsOf(next(source)) / 1_000_000_000n;
      const stored = new DataView(store.get('tai64n')!.slice().buffer).getBigUint64(0);
      expect(stored).toBeGreaterThan(used);
    }
  });

  it('does not start when nothing can be reserved', () => {
    const store = new FragileStore();
    store.failure = 'broken';
    expect(() => new TimestampSource(new HandClock(), store)).toThrow('no space left on device');
  });

  it('goes on when the store breaks at run time, tells the owner, and recovers', () => {
    const store = new FragileStore();
    const clock = new HandClock();
    const events: [LogLevel, string, LogFields | undefined][] = [];
    const log = {
      write: (...event: [LogLevel, string, LogFields?]) => void events.push([event[0], event[1], event[2]]),
    };
    const source = new TimestampSource(clock, store, log);
    const responder = new Responder();
    responder.see(next(source), 'before');
    store.failure = 'broken';
    for (let hour = 1; hour <= 5; hour++) {
      clock.now = START + hour * 3_600_000;
      responder.see(next(source), `hour ${hour}`);
    }
    expect(events.length).toBe(5);
    expect(events[0].slice(0, 2)).toEqual(['error', 'timestamp-not-reserved']);
    store.failure = 'none';
    responder.see(next(source), 'after');
    expect(events.length).toBe(5);
    responder.see(next(new TimestampSource(new HandClock(), store)), 'next boot');
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['half of it', new Uint8Array(4)],
    ['more than a safe integer', new Uint8Array(8).fill(0xff)],
  ])('starts from the clock when the store holds %s', (_name, value) => {
    const store = new MemoryStore();
    store.set('tai64n', value);
    const stamp = next(new TimestampSource(new HandClock(), store));
    expect(nanosecondsOf(stamp) / 1_000_000_000n).toBe(BigInt(START / 1000));
  });

  it('compares all twelve bytes, and an equal one is not greater', () => {
    const seed = new Seed(9);
    const [a, b] = [new Uint8Array(12), new Uint8Array(12)];
    for (let i = 0; i < 2_000; i++) {
      seed.fill(a);
      b.set(a);
      b[seed.below(12)] = seed.below(256);
      expect(timestampAfter(a, 0, b)).toBe(Buffer.compare(a, b) > 0);
    }
    expect(timestampAfter(a, 0, a)).toBe(false);
  });
});
