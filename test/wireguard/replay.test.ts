import { describe, expect, it } from 'vitest';
import { REJECT_AFTER_MESSAGES_HIGH, REJECT_AFTER_MESSAGES_LOW } from '../../src/wireguard/constants.js';
import { ReplayFilter } from '../../src/wireguard/replay.js';
import { REJECT_AFTER_MESSAGES, ReplaySet } from './reference/replay.js';
import { Seed } from './virtual/world.js';

const WINDOW = 8128n;
/** The first distance that has left the window. */
const LIMIT = WINDOW + 1n;
const LAST = 2n ** 64n - 1n;

function accept(filter: ReplayFilter, counter: bigint): boolean {
  return filter.accept(Number(counter & 0xffff_ffffn), Number(counter >> 32n));
}

describe('the replay window', () => {
  it('has the constants of the paper', () => {
    expect((BigInt(REJECT_AFTER_MESSAGES_HIGH) << 32n) | BigInt(REJECT_AFTER_MESSAGES_LOW)).toBe(
      REJECT_AFTER_MESSAGES,
    );
    expect(BigInt(new ReplayFilter().windowSize)).toBe(WINDOW);
  });

  // The 34 steps that Linux runs on its own window (drivers/net/wireguard/selftest/counter.c), in one life of it.
  it('passes the 34 steps of the kernel', () => {
    const steps: [counter: bigint, accepted: boolean][] = [
      [0n, true],
      [1n, true],
      [1n, false],
      [9n, true],
      [8n, true],
      [7n, true],
      [7n, false],
      [LIMIT, true],
      [LIMIT - 1n, true],
      [LIMIT - 1n, false],
      [LIMIT - 2n, true],
      [2n, true],
      [2n, false],
      [LIMIT + 16n, true],
      [3n, false],
      [LIMIT + 16n, false],
      [LIMIT * 4n, true],
      [LIMIT * 4n - (LIMIT - 1n), true],
      [10n, false],
      [LIMIT * 4n - LIMIT, false],
      [LIMIT * 4n - (LIMIT + 1n), false],
      [LIMIT * 4n - (LIMIT - 2n), true],
      [LIMIT * 4n + 1n - LIMIT, false],
      [0n, false],
      [REJECT_AFTER_MESSAGES, false],
      [REJECT_AFTER_MESSAGES - 1n, true],
      [REJECT_AFTER_MESSAGES, false],
      [REJECT_AFTER_MESSAGES - 1n, false],
      [REJECT_AFTER_MESSAGES - 2n, true],
      [REJECT_AFTER_MESSAGES + 1n, false],
      [REJECT_AFTER_MESSAGES + 2n, false],
      [REJECT_AFTER_MESSAGES - 2n, false],
      [REJECT_AFTER_MESSAGES - 3n, true],
      [0n, false],
    ];
    expect(steps.length).toBe(34);
    const filter = new ReplayFilter();
    steps.forEach(([counter, accepted], i) => {
      expect(accept(filter, counter), `step ${i + 1}: ${counter}`).toBe(accepted);
    });
  });

  const upwards = (from: bigint, to: bigint): bigint[] =>
    Array.from({ length: Number(to - from) + 1 }, (_, i) => from + BigInt(i));
  const downwards = (from: bigint, to: bigint): bigint[] => upwards(to, from).reverse();

  // The kernel's sweeps over the whole window; `then` is tried afterwards.
  const sweeps: [name: string, counters: bigint[], then: [bigint, boolean][]][] = [
    [
      '1 up to the window, then 0',
      upwards(1n, WINDOW),
      [
        [0n, true],
        [0n, false],
      ],
    ],
    [
      '2 up past the window, then 1 and 0',
      upwards(2n, WINDOW + 1n),
      [
        [1n, true],
        [0n, false],
      ],
    ],
    ['from the window down to 0', downwards(WINDOW, 0n), []],
    ['from past the window down to 1, then 0', downwards(WINDOW + 1n, 1n), [[0n, false]]],
    [
      'window down to 1, then past it, then 0',
      downwards(WINDOW, 1n),
      [
        [WINDOW + 1n, true],
        [0n, false],
      ],
    ],
    [
      'window down to 1, then 0, then past it',
      downwards(WINDOW, 1n),
      [
        [0n, true],
        [WINDOW + 1n, true],
      ],
    ],
  ];
  it.each(sweeps)('sweeps %s', (_name, counters, then) => {
    const filter = new ReplayFilter();
    expect(counters.filter((counter) => !accept(filter, counter))).toEqual([]);
    for (const [counter, accepted] of then) expect(accept(filter, counter)).toBe(accepted);
    expect(counters.filter((counter) => accept(filter, counter))).toEqual([]);
  });

  const bases = { zero: 0n, '2^32': 1n << 32n, '2^53': 1n << 53n, '2^60': 1n << 60n, '2^63': 1n << 63n };
  it.each(Object.entries(bases))('agrees with a set of counters around %s', (_name, base) => {
    for (let value = 1; value <= 6; value++) agreesWithSet(base, value);
  });

  it('agrees with a set of counters around the reject limit', () => {
    for (let value = 1; value <= 6; value++) agreesWithSet(REJECT_AFTER_MESSAGES - 10_000n, value);
  });

  it('agrees with a set over jumps of every size', () => {
    for (let value = 1; value <= 20; value++) {
      const seed = new Seed(value);
      const filter = new ReplayFilter();
      const model = new ReplaySet();
      for (let i = 0; i < 2_000; i++) {
        const jump = 1n << BigInt(seed.below(60));
        const around = model.greatest + (seed.below(4) === 0 ? jump : BigInt(seed.below(20_000) - 10_000));
        check(filter, model, around < 0n ? 0n : around, `seed ${value}, try ${i}`);
      }
    }
  });

  it('keeps windows of other sizes', () => {
    for (const bits of [128, 256, 1024]) {
      const filter = new ReplayFilter(bits);
      const last = 5_000_000n;
      expect(accept(filter, last)).toBe(true);
      expect(accept(filter, last - BigInt(bits - 64))).toBe(true);
      expect(accept(filter, last - BigInt(bits - 64) - 1n)).toBe(false);
    }
  });

  it('starts anew after reset', () => {
    const filter = new ReplayFilter();
    accept(filter, 1n << 40n);
    filter.reset();
    expect(accept(filter, 0n)).toBe(true);
    expect(accept(filter, 1n)).toBe(true);
  });
});

function check(filter: ReplayFilter, model: ReplaySet, counter: bigint, message: string): void {
  const accepted = model.accept(counter);
  if (accept(filter, counter) !== accepted) expect.fail(`${message}: ${counter} should be ${accepted}`);
}

/** A stream of counters that mostly rises and now and then falls back, repeats or leaps over the window. */
function agreesWithSet(base: bigint, value: number): void {
  const seed = new Seed(value);
  const filter = new ReplayFilter();
  const model = new ReplaySet();
  let head = base > 9_000n ? base - 9_000n : 0n;
  for (let i = 0; i < 8_000; i++) {
    const kind = seed.below(10);
    if (kind < 5) head += BigInt(seed.below(8));
    else if (kind === 5 && seed.below(20) === 0) head += BigInt(seed.below(9_000));
    const back = kind < 7 ? 0 : seed.below(kind === 9 ? 20_000 : 300);
    const counter = head - BigInt(back) < LAST ? head - BigInt(back) : LAST;
    check(filter, model, counter < 0n ? 0n : counter, `seed ${value}, try ${i}`);
  }
}
