import { describe, expect, it } from 'vitest';
import type { Primitives } from '../../src/crypto/primitives.js';
import { IndexTable } from '../../src/wireguard/index-table.js';
import { nodePrimitives, Seed } from './virtual/world.js';

interface Owner {
  readonly name: number;
}

/** Random numbers that are given, one after the other. */
function dealt(...numbers: number[]): Primitives {
  const primitives = nodePrimitives();
  const random = (out: Uint8Array): void => new DataView(out.buffer).setUint32(0, numbers.shift()!, true);
  return Object.defineProperty(primitives, 'random', { value: random });
}

describe('the index table', () => {
  it('agrees with a Map, also where indices collide, wrap around and come back', () => {
    for (let value = 1; value <= 20; value++) {
      const seed = new Seed(value);
      const table = new IndexTable<Owner>(nodePrimitives(seed));
      const map = new Map<number, Owner>();
      // Indices whose low bits are all near the end of the table: long runs that wrap to its start.
      const some = Array.from(
        { length: 300 },
        () => (seed.below(65_536) * 65_536 + 0xffff - seed.below(24)) >>> 0,
      );
      for (let i = 0; i < 3_000; i++) {
        const index = some[seed.below(some.length)];
        const kind = seed.below(5);
        if (kind < 2) {
          const owner = { name: i };
          table.set(index, owner);
          map.set(index, owner);
        } else if (kind < 4) {
          const owner = map.get(index) ?? { name: -1 };
          table.delete(index, owner);
          map.delete(index);
        } else {
          table.delete(index, { name: -2 });
        }
        if (table.get(index) !== map.get(index) || table.size !== map.size) {
          expect.fail(`seed ${value}, try ${i}`);
        }
      }
      for (const index of some) expect(table.get(index), `seed ${value}`).toBe(map.get(index));
    }
  });

  it('gives only indices that are free', () => {
    const table = new IndexTable<Owner>(dealt(7, 0, 7, 0, 0xffff_ffff));
    const first = table.fresh();
    table.set(first, { name: 1 });
    const second = table.fresh();
    table.set(second, { name: 2 });
    expect([first, second, table.fresh()]).toEqual([7, 0, 0xffff_ffff]);
  });

  it('lets nobody remove what has been given to another', () => {
    const table = new IndexTable<Owner>(nodePrimitives());
    const [old, young] = [{ name: 1 }, { name: 2 }];
    table.set(5, old);
    table.set(5, young);
    table.delete(5, old);
    expect(table.get(5)).toBe(young);
    expect(table.size).toBe(1);
  });
});
