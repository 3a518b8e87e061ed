import { describe, expect, it } from 'vitest';
import { ReplayFilter } from '../../src/wireguard/replay.js';
import { Seeded } from '../crypto/seeded.js';
import { REJECT_AFTER_MESSAGES, ReplaySet } from '../wireguard/reference/replay.js';
import { makeKernel } from './built-kernel.js';

const WINDOW = 8128n;
/** The first distance that has left the window. */
const LIMIT = WINDOW + 1n;
const kernel = makeKernel();
const { call } = kernel.lane(0);

/** The window of a fresh slot. */
function freshWindow(): (counter: bigint) => boolean {
  const slot = kernel.takeSlot(new Uint8Array(32), new Uint8Array(32), 0);
  return (counter) =>
    call.acceptSlotCounter(slot, Number(counter & 0xffff_ffffn), Number(counter >> 32n)) !== 0;
}

describe('the replay window of the kernel', () => {
  // As in test/wireguard/replay.test.ts: what Linux asks of its own (drivers/net/wireguard/selftest/counter.c).
  it('passes the steps of Linux', () => {
    const last = REJECT_AFTER_MESSAGES;
    const steps: [bigint, boolean][] = [
      ...([
        [0n, true],
        [1n, true],
        [1n, false],
        [9n, true],
        [8n, true],
        [7n, true],
        [7n, false],
      ] as [bigint, boolean][]),
      ...([
        [LIMIT, true],
        [LIMIT - 1n, true],
        [LIMIT - 1n, false],
        [LIMIT - 2n, true],
      ] as [bigint, boolean][]),
      ...([
        [2n, true],
        [2n, false],
        [LIMIT + 16n, true],
        [3n, false],
        [LIMIT + 16n, false],
      ] as [bigint, boolean][]),
      ...([
        [LIMIT * 4n, true],
        [LIMIT * 3n + 1n, true],
        [10n, false],
        [LIMIT * 3n, false],
      ] as [bigint, boolean][]),
      ...([
        [LIMIT * 3n - 1n, false],
        [LIMIT * 3n + 2n, true],
        [LIMIT * 3n + 1n, false],
      ] as [bigint, boolean][]),
      ...([
        [0n, false],
        [last, false],
        [last - 1n, true],
        [last, false],
        [last - 1n, false],
      ] as [bigint, boolean][]),
      ...([
        [last - 2n, true],
        [last + 1n, false],
        [last + 2n, false],
        [last - 2n, false],
      ] as [bigint, boolean][]),
      ...([
        [last - 3n, true],
        [0n, false],
      ] as [bigint, boolean][]),
    ];
    const accept = freshWindow();
    steps.forEach(([counter, accepted], i) => {
      expect(accept(counter), `step ${i + 1}: ${counter}`).toBe(accepted);
    });
  });

  it('remembers exactly 8128 counters back', () => {
    const accept = freshWindow();
    expect(accept(100_000n)).toBe(true);
    expect(accept(100_000n - WINDOW)).toBe(true);
    expect(accept(100_000n - WINDOW - 1n)).toBe(false);
    expect(accept(100_000n - WINDOW)).toBe(false);
  });

  it('decides like the portable window and like a plain set, step by step, at every size of counter', () => {
    for (const [seed, origin] of [
      0n,
      2n ** 32n,
      2n ** 53n,
      2n ** 60n,
      REJECT_AFTER_MESSAGES - 30_000n,
    ].entries()) {
      const random = new Seeded(seed);
      const accept = freshWindow();
      const portable = new ReplayFilter();
      const set = new ReplaySet();
      let head = origin;
      for (let i = 0; i < 20_000; i++) {
        const jump = random.below(200) === 0 ? random.below(20_000) : random.below(4);
        head = head + BigInt(jump) < 2n ** 64n ? head + BigInt(jump) : head;
        const back = BigInt(random.below(4) === 0 ? random.below(9000) : random.below(300));
        const counter = head > back ? head - back : 0n;
        const expected = set.accept(counter);
        expect(accept(counter), `seed ${seed}, step ${i}: ${counter}`).toBe(expected);
        const low = Number(counter & 0xffff_ffffn);
        const high = Number(counter >> 32n);
        expect(portable.accept(low, high), `portable, seed ${seed}, step ${i}: ${counter}`).toBe(expected);
      }
    }
  });

  it('is empty again in a slot that was released and taken anew', () => {
    const take = (): number => kernel.takeSlot(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), 3);
    const slot = take();
    expect(call.acceptSlotCounter(slot, 5, 0)).toBe(1);
    expect(call.acceptSlotCounter(slot, 5, 0)).toBe(0);
    kernel.releaseSlot(slot);
    expect(take()).toBe(slot);
    expect(call.acceptSlotCounter(slot, 5, 0)).toBe(1);
  });
});
