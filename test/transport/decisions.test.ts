import { describe, expect, it } from 'vitest';
import { refusal } from '../../src/transport/damping.js';
import { DECISION_TABLE, parseDecisionTable, SCENARIOS } from '../../src/transport/decision-table.js';
import { Journal } from '../../src/transport/journal.js';
import { NegativeCache } from '../../src/transport/negative-cache.js';
import { PATH_OPTIONS } from '../../src/transport/path-options.js';
import { ProbeBudget } from '../../src/transport/probe-budget.js';
import { score } from '../../src/transport/score.js';
import { Slot } from '../../src/transport/slot.js';
import { UdpTransport } from '../../src/transport/udp-transport.js';
import { readVarint, varintLength, writeVarint } from '../../src/transport/varint.js';

describe('the decision table', () => {
  it('is the seed’s matrix: first and second choice of each row', () => {
    expect(
      SCENARIOS.map((name) => DECISION_TABLE[name].filter((kind) => kind !== 'udp' && kind !== 'ice')[0]),
    ).toEqual(['quic', 'quic', 'masque', 'webrtc', 'turn', 'webrtc', 'webrtc']);
    // IoT: WireGuard itself, that is plain UDP, comes first.
    expect(DECISION_TABLE.iot[0]).toBe('udp');
    // Every row ends up with something that passes where only HTTPS does.
    for (const name of SCENARIOS) expect(DECISION_TABLE[name]).toContain('masque');
  });

  it('can be edited, row by row', () => {
    const read = parseDecisionTable('# ours\niot: websocket, udp # cheap\n\ncorporate: masque\n');
    expect(read.ok && read.table.iot).toEqual(['websocket', 'udp']);
    expect(read.ok && read.table.corporate).toEqual(['masque']);
    expect(read.ok && read.table.relay).toEqual(DECISION_TABLE.relay);
  });

  it.each([
    ['iot udp', 1, 'names no known scenario'],
    ['\nhome: udp', 2, 'names no known scenario'],
    ['iot: udp, pigeon', 1, 'is not known'],
    ['iot: udp, udp', 1, 'stands there twice'],
    ['iot: udp\niot: ice', 2, 'has a row already'],
    ['__proto__: udp', 1, 'names no known scenario'],
  ])('with %j in it is refused, with its line', (text, line, message) => {
    const read = parseDecisionTable(text);
    expect(read.ok ? undefined : [read.line, read.message]).toEqual([line, expect.stringContaining(message)]);
  });
});

describe('damping', () => {
  const slot = (place: number, roundTrip: number): Slot => {
    const one = new Slot(new UdpTransport(), place, place, 1, PATH_OPTIONS);
    one.roundTrip = roundTrip;
    one.answersSince = 0;
    return one;
  };
  const now = 100_000;

  it('asks for a gain of 10 %', () => {
    const [from, to] = [slot(0, 100), slot(0, 75)];
    const situation = { from, to, activeSince: -Infinity, lastChange: -Infinity, now };
    expect(to.score / from.score).toBeLessThan(1.1);
    expect(refusal(situation, PATH_OPTIONS)).toBe('gain-too-small');
    to.roundTrip = 60;
    expect(to.score / from.score).toBeGreaterThan(1.1);
    expect(refusal(situation, PATH_OPTIONS)).toBeUndefined();
  });

  it('waits 15 s after a change and 20 s on the active one, but not for the first climb to a better kind', () => {
    const [from, to] = [slot(1, 50), slot(1, 5)];
    const at = (activeSince: number, lastChange: number) =>
      refusal({ from, to, activeSince, lastChange, now }, PATH_OPTIONS);
    expect(at(now - 14_000, now - 14_000)).toBe('waits-for-cooldown');
    expect(at(now - 16_000, now - 16_000)).toBe('waits-for-dwell');
    expect(at(now - 21_000, now - 21_000)).toBeUndefined();
    expect(at(now - 100, -Infinity)).toBeUndefined();
    const better = slot(0, 50);
    expect(
      refusal({ from, to: better, activeSince: now - 16_000, lastChange: now - 16_000, now }, PATH_OPTIONS),
    ).toBeUndefined();
  });

  it('wants twice the stability after each failure', () => {
    const [from, to] = [slot(1, 50), slot(0, 50)];
    const situation = { from, to, activeSince: -Infinity, lastChange: -Infinity, now };
    for (const [failures, needed] of [
      [1, 20_000],
      [2, 40_000],
      [3, 80_000],
      [20, 1_800_000],
    ]) {
      to.failures = failures;
      to.answersSince = now - needed + 1;
      expect(refusal(situation, PATH_OPTIONS)).toBe('waits-for-stability');
      to.answersSince = now - needed;
      expect(refusal(situation, PATH_OPTIONS)).not.toBe('waits-for-stability');
    }
  });

  it('a place is worth more than any round trip', () => {
    expect(score(0, 10_000)).toBeGreaterThan(score(1, 0));
  });
});

describe('what is remembered', () => {
  it('failures of a network, twice as long each time, an hour at most', () => {
    const cache = new NegativeCache(600_000, 3_600_000);
    expect(cache.until('office', 'masque', 0)).toBe(0);
    const times = [];
    for (let i = 0; i < 5; i++) {
      cache.failed('office', 'masque', 0);
      times.push(cache.until('office', 'masque', 0) / 60_000);
    }
    expect(times).toEqual([10, 20, 40, 60, 60]);
    expect(cache.until('home', 'masque', 0)).toBe(0);
    expect(cache.until('office', 'websocket', 0)).toBe(0);
    expect(cache.until('office', 'masque', 3_600_000)).toBe(0);
    cache.worked('office', 'masque');
    expect(cache.until('office', 'masque', 0)).toBe(0);
  });

  it('decisions, the last 64, and how often in a row', () => {
    const journal = new Journal(64);
    for (let i = 0; i < 10; i++) journal.note(i, 'waits-for-dwell', 'udp', { score: i });
    expect(journal.decisions).toMatchObject([{ at: 0, last: 9, times: 10, reason: 'waits-for-dwell' }]);
    for (let i = 0; i < 100; i++) journal.note(i, i % 2 ? 'better-path' : 'active-silent', 'udp');
    expect(journal.decisions.length).toBe(64);
  });

  it('bytes of a day, earned evenly', () => {
    const budget = new ProbeBudget(864_000, 0);
    expect(budget.take(86_400, 0)).toBe(true);
    expect(budget.take(1, 0)).toBe(false);
    expect(budget.take(10, 1_000)).toBe(true);
    expect(budget.take(1, 1_000)).toBe(false);
    expect(budget.take(86_401, 1e9)).toBe(false);
  });
});

describe('variable-length integers (RFC 9000, section A.1)', () => {
  it.each([
    ['25', 37],
    ['7bbd', 15_293],
    ['9d7f3e7d', 494_878_333],
    ['4025', 37],
  ])('%s is %i', (hex, value) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(varintLength(bytes[0])).toBe(bytes.length);
    expect(readVarint(bytes, 0)).toBe(value);
  });

  it('of eight bytes, as far as a Number goes', () => {
    expect(readVarint(Buffer.from('c01fffffffffffff', 'hex'), 0)).toBe(Number.MAX_SAFE_INTEGER);
    expect(readVarint(Buffer.from('c020000000000000', 'hex'), 0)).toBeNaN();
    expect(readVarint(Buffer.from('ffffffffffffffff', 'hex'), 0)).toBeNaN();
  });

  it('are written in their shortest form', () => {
    for (const [value, length] of [
      [0, 1],
      [63, 1],
      [64, 2],
      [16_383, 2],
      [16_384, 4],
      [1_073_741_823, 4],
    ]) {
      const bytes = new Uint8Array(8);
      expect(writeVarint(bytes, 0, value)).toBe(length);
      expect(readVarint(bytes, 0)).toBe(value);
    }
    expect(() => writeVarint(new Uint8Array(8), 0, 1_073_741_824)).toThrow(RangeError);
  });
});
