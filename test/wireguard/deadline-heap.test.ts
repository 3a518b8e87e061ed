import { describe, expect, it } from 'vitest';
import { DeadlineHeap, type Scheduled } from '../../src/wireguard/deadline-heap.js';
import { Seed } from './virtual/world.js';

interface Entry extends Scheduled {
  readonly name: number;
}

const entry = (name: number): Entry => ({ name, filedAt: 0, heapIndex: -1 });

describe('the deadline heap', () => {
  it('agrees with a sorted list through filing, moving nearer and removal', () => {
    for (let value = 1; value <= 20; value++) {
      const seed = new Seed(value);
      const heap = new DeadlineHeap<Entry>();
      const entries = Array.from({ length: 60 }, (_, i) => entry(i));
      const filed = new Map<Entry, number>();
      let now = 0;
      for (let i = 0; i < 2_000; i++) {
        const one = entries[seed.below(entries.length)];
        const kind = seed.below(6);
        if (kind < 3) {
          const at = now + seed.below(100);
          const before = Math.min(...filed.values());
          const nearer = heap.schedule(one, at);
          if (!filed.has(one) || at < filed.get(one)!) {
            filed.set(one, at);
            if (at < before) expect(nearer, `seed ${value}, try ${i}`).toBe(true);
          }
        } else if (kind === 3) {
          heap.remove(one);
          filed.delete(one);
        } else {
          now += seed.below(10);
          let last = -Infinity;
          for (let due = heap.popDue(now); due; due = heap.popDue(now)) {
            expect(filed.get(due), `seed ${value}, try ${i}`).toBe(due.filedAt);
            expect(due.filedAt).toBeGreaterThanOrEqual(last);
            last = due.filedAt;
            filed.delete(due);
          }
        }
        if (heap.earliest !== Math.min(...filed.values())) expect.fail(`seed ${value}, try ${i}`);
      }
    }
  });

  it('leaves an entry that is put off where it is: it is found too early once', () => {
    const heap = new DeadlineHeap<Entry>();
    const one = entry(1);
    expect(heap.schedule(one, 10)).toBe(true);
    expect(heap.schedule(one, 20)).toBe(false);
    expect(heap.earliest).toBe(10);
    expect(heap.popDue(9)).toBe(undefined);
    expect(heap.popDue(10)).toBe(one);
    expect(heap.earliest).toBe(Infinity);
  });
});
