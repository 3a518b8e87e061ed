import { describe, expect, it } from 'vitest';
import { TIMING } from '../../src/wireguard/constants.js';
import { Keypair, KeypairRing } from '../../src/wireguard/keypair.js';
import { LIMITS } from '../../src/wireguard/limits.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { REJECT_AFTER_MESSAGES } from './reference/replay.js';
import { Seed } from './virtual/world.js';

function keypair(isInitiator = true, createdAt = 0, localIndex = 1): Keypair {
  return new Keypair(undefined as unknown as Peer, localIndex, 2, isInitiator, createdAt, LIMITS);
}

function setCounter(pair: Keypair, counter: bigint): void {
  pair.sendLow = Number(counter & 0xffff_ffffn);
  pair.sendHigh = Number(counter >> 32n);
}

const next = (pair: Keypair): bigint => (BigInt(pair.sendHigh) << 32n) | BigInt(pair.sendLow);
const taken = (pair: Keypair): bigint => (BigInt(pair.takenHigh) << 32n) | BigInt(pair.takenLow);

describe('send counters', () => {
  it.each([0n, 2n ** 31n - 2n, 2n ** 32n - 3n, 2n ** 53n - 3n, 2n ** 60n - 3n, 2n ** 63n - 3n])(
    'go up by one from %s',
    (from) => {
      const pair = keypair();
      setCounter(pair, from);
      for (let i = 0n; i < 8n; i++) {
        expect(pair.takeCounters(1)).toBe(true);
        expect(taken(pair)).toBe(from + i);
      }
      expect(next(pair)).toBe(from + 8n);
    },
  );

  it('are taken many at a time without gap or overlap, at every edge', () => {
    for (const edge of [2n ** 32n, 2n ** 53n, 2n ** 60n, 2n ** 64n - 2n ** 32n]) {
      const seed = new Seed(Number(edge % 1009n) + 1);
      const pair = keypair();
      let expected = edge - 1_000n;
      setCounter(pair, expected);
      while (expected < edge + 1_000n) {
        const count = 1 + seed.below(64);
        expect(pair.takeCounters(count)).toBe(true);
        expect(taken(pair)).toBe(expected);
        expected += BigInt(count);
        expect(next(pair)).toBe(expected);
      }
    }
  });

  it('stop at Reject-After-Messages and never wrap', () => {
    const pair = keypair();
    setCounter(pair, REJECT_AFTER_MESSAGES - 2n);
    expect([pair.takeCounters(1), taken(pair)]).toEqual([true, REJECT_AFTER_MESSAGES - 2n]);
    expect([pair.takeCounters(1), taken(pair)]).toEqual([true, REJECT_AFTER_MESSAGES - 1n]);
    expect(pair.sendExhausted).toBe(true);
    for (let i = 0; i < 10_000; i++) expect(pair.takeCounters(1)).toBe(false);
    expect(next(pair)).toBe(REJECT_AFTER_MESSAGES);
    expect(taken(pair)).toBe(REJECT_AFTER_MESSAGES - 1n);
  });

  it('are given whole or not at all near the limit', () => {
    for (let left = 0; left <= 64; left++) {
      for (const count of [1, 44, 64, 8192 + 64]) {
        const pair = keypair();
        const from = REJECT_AFTER_MESSAGES - BigInt(left);
        setCounter(pair, from);
        const fits = count <= left;
        expect(pair.takeCounters(count), `${count} of ${left}`).toBe(fits);
        expect(next(pair)).toBe(fits ? from + BigInt(count) : from);
      }
    }
  });

  it('do not wrap even from beyond the limit', () => {
    const pair = keypair();
    setCounter(pair, 2n ** 64n - 1n);
    expect(pair.takeCounters(1)).toBe(false);
    expect(pair.takeCounters(64)).toBe(false);
    expect(next(pair)).toBe(2n ** 64n - 1n);
  });
});

describe('the age of a pair', () => {
  const limits = [
    ['wantsRekeyOnSend', TIMING.rekeyAfterTime],
    ['wantsRekeyOnReceive', 165_000],
    ['expired', TIMING.rejectAfterTime],
  ] as const;
  it.each(limits)('%s after %d ms', (rule, after) => {
    const pair = keypair(true, 5_000);
    expect(pair[rule](5_000 + after, TIMING)).toBe(false);
    expect(pair[rule](5_001 + after, TIMING)).toBe(true);
  });

  it('makes only the initiator renew, but counts for both', () => {
    const pair = keypair(false);
    expect(pair.wantsRekeyOnSend(179_000, TIMING)).toBe(false);
    expect(pair.wantsRekeyOnReceive(179_000, TIMING)).toBe(false);
    expect(pair.expired(180_001, TIMING)).toBe(true);
  });

  it('makes both renew after 2^60 messages', () => {
    for (const isInitiator of [true, false]) {
      const pair = keypair(isInitiator);
      setCounter(pair, 2n ** 60n - 1n);
      expect(pair.wantsRekeyOnSend(0, TIMING)).toBe(false);
      pair.takeCounters(1);
      expect(pair.wantsRekeyOnSend(0, TIMING)).toBe(true);
    }
  });
});

describe('older, previous, current and next', () => {
  const names = new Map<Keypair, string>();
  const named = (name: string, isInitiator: boolean): Keypair => {
    const pair = keypair(isInitiator, 0, names.size);
    names.set(pair, name);
    return pair;
  };
  const ring = (): { pairs: KeypairRing; dropped: string[]; state: () => (string | undefined)[] } => {
    const dropped: string[] = [];
    const pairs = new KeypairRing((pair) => void dropped.push(names.get(pair)!));
    const name = (pair: Keypair | undefined): string | undefined => pair && names.get(pair);
    return {
      pairs,
      dropped,
      state: () => [name(pairs.older), name(pairs.previous), name(pairs.current), name(pairs.next)],
    };
  };

  it('a pair we initiated is current at once', () => {
    const { pairs, dropped, state } = ring();
    pairs.install(named('a', true));
    pairs.install(named('b', true));
    expect(state()).toEqual([undefined, 'a', 'b', undefined]);
    pairs.install(named('c', true));
    expect(state()).toEqual(['a', 'b', 'c', undefined]);
    pairs.install(named('d', true));
    expect(state()).toEqual(['b', 'c', 'd', undefined]);
    expect(dropped).toEqual(['a']);
  });

  it('a pair we answered waits until it is confirmed', () => {
    const { pairs, dropped, state } = ring();
    const [a, b] = [named('a', true), named('b', false)];
    pairs.install(a);
    pairs.install(b);
    expect(state()).toEqual([undefined, undefined, 'a', 'b']);
    expect(pairs.confirm(a)).toBe(false);
    expect(pairs.confirm(b)).toBe(true);
    expect(pairs.confirm(b)).toBe(false);
    expect(state()).toEqual([undefined, 'a', 'b', undefined]);
    expect(dropped).toEqual([]);
  });

  it('a younger answered pair takes the place of the one that waits, and of no other', () => {
    const { pairs, dropped, state } = ring();
    for (const name of ['a', 'b']) pairs.install(named(name, true));
    pairs.install(named('c', false));
    expect(state()).toEqual([undefined, 'a', 'b', 'c']);
    pairs.install(named('d', false));
    expect(state()).toEqual([undefined, 'a', 'b', 'd']);
    expect(dropped).toEqual(['c']);
  });

  it('an initiated pair makes the waiting one previous', () => {
    const { pairs, dropped, state } = ring();
    pairs.install(named('a', true));
    pairs.install(named('b', false));
    pairs.install(named('c', true));
    expect(state()).toEqual(['a', 'b', 'c', undefined]);
    expect(dropped).toEqual([]);
  });

  it('never holds more than four, and drops each exactly once', () => {
    const seed = new Seed(11);
    const { pairs, dropped, state } = ring();
    const made: string[] = [];
    for (let i = 0; i < 2_000; i++) {
      if (seed.below(3) === 0 && pairs.next) pairs.confirm(pairs.next);
      else {
        made.push(`p${i}`);
        pairs.install(named(`p${i}`, seed.below(2) === 0));
      }
      const held = state().filter((name) => name !== undefined);
      expect(new Set(held).size).toBe(held.length);
      expect([...dropped, ...held].sort()).toEqual([...made].sort());
    }
    pairs.clear();
    expect([...dropped].sort()).toEqual([...made].sort());
  });
});
