import { describe, expect, it } from 'vitest';
import { isMet, markOf } from './marks.js';
import { MEASURES, record, type Values } from './measures.js';
import { json, type Result, type Surroundings, table } from './report.js';
import { median, percentile } from './statistics.js';

function result(name: string, tcp1: number[], ping: number[]): Result {
  const values: Values = new Map();
  for (const value of tcp1) record(values, 'tcp1', value);
  for (const value of ping) record(values, 'ping', value);
  return { name, version: `${name} 1.2.3`, notes: '', values };
}

const surroundings: Surroundings = {
  date: '2026-11-22',
  machine: 'a machine',
  rounds: 3,
  seconds: 5,
  load: 0.5,
  command: 'npm run bench',
};

describe('the bench', () => {
  it('takes the middle of the rounds, and leaves out what could not be measured', () => {
    expect([median([3, 1, 2]), median([4, 1]), median([5, Number.NaN, 7, 6])]).toEqual([2, 2.5, 6]);
    expect(median([])).toBe(Number.NaN);
  });

  it('takes the percentile that nearly all stay below', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([percentile(hundred, 0.99), percentile([7], 0.99), percentile([1, 2], 0.5)]).toEqual([99, 7, 1]);
    expect(percentile([], 0.99)).toBe(Number.NaN);
  });

  it('has each measure once', () => {
    expect(new Set(MEASURES.map(({ id }) => id)).size).toBe(MEASURES.length);
    expect(new Set(MEASURES.map(({ title }) => title)).size).toBe(MEASURES.length);
  });

  it('divides medians by those of the first program', () => {
    const results = [result('go', [500, 400, 9], [0.2]), result('ours', [2_000, 1_000, 1], [0.1])];
    const lines = table(results, surroundings).split('\n');
    expect(lines[2]).toBe('| TCP, 1 flow (Mbit/s, more is better) | 400 | 1,000 | 2.50 x |');
    expect(lines[3]).toContain('| 0.20 | 0.10 | 0.50 x |');
    expect(lines).toContain('go 1.2.3');
    const { programs } = JSON.parse(json(results, surroundings));
    expect(programs[1].measures.tcp1).toEqual({
      unit: 'Mbit/s',
      better: 'more',
      median: 1_000,
      ratio: 2.5,
      values: [2_000, 1_000, 1],
    });
  });

  it('says which marks a tier meets, and only of a tier that has some', () => {
    const go = result('go', [500], [0.2]);
    const t1 = { ...result('ours', [2_000], [0.21]), tier: 't1' };
    const lines = table([go, t1, { ...t1, name: 'other', tier: 'portable' }], surroundings).split('\n');
    expect(lines[0]).toBe('| measure | go | ours | ours ÷ go | mark | other | other ÷ go |');
    expect(lines[1]).toBe('| --- | ---: | ---: | ---: | --- | ---: | ---: |');
    expect(lines[2]).toContain('| 2,000 | 4.00 x | ≥ 4 x: yes | 2,000 | 4.00 x |');
    expect(lines[3]).toContain('| 1.05 x | ≤ 1 x: no |');
    const { programs } = JSON.parse(json([go, t1], surroundings));
    expect(programs[1].tier).toBe('t1');
    expect(programs[1].measures.ping).toMatchObject({ mark: '≤ 1 x', met: false });
    expect(programs[0].measures.ping).not.toHaveProperty('mark');
  });

  it('knows for each kind of mark when it is met', () => {
    const met = (id: string, value: number, ratio: number): boolean => isMet(markOf('t1', id)!, value, ratio);
    expect([met('tcp1', 1, 4), met('tcp1', 9_999, 3.99)]).toEqual([true, false]);
    expect([met('ping', 9, 1), met('ping', 0.1, 1.01)]).toEqual([true, false]);
    expect([met('udpLoss', 40, 0.99), met('udpLoss', 40, 1)]).toEqual([true, false]);
    // No loss at all beside no loss at all cannot be divided, and is not worse.
    expect(met('udpLoss', 0, Number.NaN)).toBe(true);
    expect([met('udp', 100, 0.1), met('udp', 99.9, 9)]).toEqual([true, false]);
    expect([met('memoryLoad', 149.9, 30), met('memoryLoad', 150, 30)]).toEqual([true, false]);
    for (const id of ['tcp1', 'ping', 'udpLoss', 'udp', 'memoryLoad'])
      expect(met(id, Number.NaN, Number.NaN)).toBe(false);
    expect(markOf('portable', 'tcp1')).toBeUndefined();
    expect(markOf(undefined, 'tcp1')).toBeUndefined();
  });

  it('says when there is nothing to say', () => {
    const results = [result('go', [], [0]), result('ours', [7], [Number.NaN])];
    const text = table(results, surroundings);
    expect(text).toContain('| – | 7.0 | – |');
    expect(text).not.toContain('NaN');
    expect(JSON.parse(json(results, surroundings)).programs[1].measures.ping.median).toBe(null);
  });
});
