import { describe, expect, it } from 'vitest';
import { StagingQueue } from '../../src/wireguard/staging-queue.js';

const packet = (n: number): Uint8Array => new Uint8Array([n >> 8, n]);

function drained(queue: StagingQueue): number[] {
  const numbers: number[] = [];
  for (let next = queue.shift(); next; next = queue.shift()) numbers.push(next[0] * 256 + next[1]);
  return numbers;
}

describe('the staging queue', () => {
  it('keeps the last so many, in order, and says when one had to go', () => {
    const queue = new StagingQueue(128);
    const kept = Array.from({ length: 200 }, (_, i) => queue.push(packet(i), 0, 2));
    expect(kept.indexOf(false)).toBe(128);
    expect(kept.slice(128).every((k) => !k)).toBe(true);
    expect(queue.count).toBe(128);
    expect(drained(queue)).toEqual(Array.from({ length: 128 }, (_, i) => i + 72));
    expect(queue.count).toBe(0);
  });

  it('stays in order over many turns of the ring', () => {
    const queue = new StagingQueue(5);
    let next = 0;
    const seen: number[] = [];
    for (let turn = 0; turn < 40; turn++) {
      for (let i = 0; i < 3; i++) queue.push(packet(next++), 0, 2);
      for (let i = 0; i < 3; i++) seen.push(queue.shift()![1]);
    }
    expect(seen).toEqual(Array.from({ length: 120 }, (_, i) => i));
  });

  it('copies: the caller may overwrite its batch at once', () => {
    const queue = new StagingQueue(2);
    const bytes = new Uint8Array([9, 1, 2, 9]);
    queue.push(bytes, 1, 2);
    bytes.fill(0);
    expect([...queue.shift()!]).toEqual([1, 2]);
  });

  it('says how many it dropped when cleared, and works on', () => {
    const queue = new StagingQueue(4);
    expect(queue.clear()).toBe(0);
    for (let i = 0; i < 6; i++) queue.push(packet(i), 0, 2);
    expect(queue.clear()).toBe(4);
    expect(queue.shift()).toBe(undefined);
    queue.push(packet(7), 0, 2);
    expect(drained(queue)).toEqual([7]);
  });

  it('takes an empty packet, which becomes a keepalive', () => {
    const queue = new StagingQueue(1);
    queue.push(new Uint8Array(0), 0, 0);
    expect(queue.count).toBe(1);
    expect(queue.shift()).toEqual(new Uint8Array(0));
  });
});
