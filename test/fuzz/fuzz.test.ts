import { describe, expect, it } from 'vitest';
import { Campaign, Failure } from './campaign.js';
import type { Target } from './target.js';
import { targets } from './targets.js';

/** The long run is a command: `npm run fuzz -- --count 10000000`. */
const COUNT = 20_000;

describe('mutated messages', () => {
  it.each(targets().map((target) => [target.name, target] as const))(
    'do nothing to %s, and go deep',
    (_name, target) => {
      const { fed, reached } = new Campaign([target], 1).run({ count: COUNT });
      expect(fed[target.name]).toBe(COUNT);
      for (const [depth, times] of Object.entries(reached[target.name])) {
        expect(times, `${depth} was never reached`).toBeGreaterThan(0);
      }
    },
    120_000,
  );
});

describe('a campaign', () => {
  const fragile: Target = {
    name: 'fragile',
    weight: 1,
    samples: [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
    words: [],
    run: (message) => {
      if (message.length === 8 && message[3] === 0xff) throw new RangeError('it broke');
      message.fill(0);
    },
    finish: () => ({}),
  };

  function failureOf(seed: number, first = 0): Failure {
    try {
      new Campaign([fragile], seed).run({ first, count: 100_000 });
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
    throw new Error('the campaign did not find the mistake');
  }

  it('finds a mistake and tells how to see it again', () => {
    const failure = failureOf(3);
    expect(failure.message).toContain(
      `target fragile, seed 3, message ${failure.index}: RangeError: it broke`,
    );
    expect(failure.message).toContain(`bytes (8): ${Buffer.from(failure.bytes).toString('hex')}`);
    expect(failure.bytes[3]).toBe(0xff);
    // Alone, without the messages before it, it is the same message.
    const again = failureOf(3, failure.index);
    expect([again.index, again.bytes]).toEqual([failure.index, failure.bytes]);
  });

  it('makes the same messages from the same seed, others from another', () => {
    const made = (seed: number) => {
      const campaign = new Campaign(targets(), seed);
      return Array.from({ length: 300 }, (_, index) => {
        const { target, bytes } = campaign.message(index);
        return `${target.name} ${Buffer.from(bytes).toString('hex')}`;
      });
    };
    expect(made(5)).toEqual(made(5));
    expect(new Set([...made(5), ...made(6)]).size).toBeGreaterThan(500);
  });
});
