import { describe, expect, it } from 'vitest';
import { record, type Values } from './measures.js';
import { json, type Result, type Surroundings, table } from './report.js';
import { median } from './statistics.js';

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

  it('says when there is nothing to say', () => {
    const results = [result('go', [], [0]), result('ours', [7], [Number.NaN])];
    const text = table(results, surroundings);
    expect(text).toContain('| – | 7.0 | – |');
    expect(text).not.toContain('NaN');
    expect(JSON.parse(json(results, surroundings)).programs[1].measures.ping.median).toBe(null);
  });
});
