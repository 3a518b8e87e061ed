import { describe, expect, it } from 'vitest';
import { growth, LEAST_SAMPLES, type Sample } from './memory.js';

function samples(memory: (share: number) => number, descriptors = (_share: number) => 20): Sample[] {
  const count = 4 * LEAST_SAMPLES;
  return Array.from({ length: count }, (_, i) => ({
    memory: memory(i / count),
    descriptors: descriptors(i / count),
  }));
}

describe('the growth of a process', () => {
  it('is not what the start takes, nor what a collector leaves for a while', () => {
    expect(growth(samples((share) => (share < 0.2 ? 60 : 120)))).toBeUndefined();
    expect(growth(samples((share) => 100 + 40 * Math.abs(Math.sin(40 * share))))).toBeUndefined();
  });

  it('is what goes on growing', () => {
    expect(growth(samples((share) => 100 + 80 * share))).toMatch(/memory grew from 130 to 170 MB/);
    expect(
      growth(
        samples(
          () => 100,
          (share) => 20 + 40 * share,
        ),
      ),
    ).toMatch(/descriptors grew/);
  });

  it('is not judged from a few samples', () => {
    const steep = samples((share) => 1000 * share);
    expect(growth(steep)).toBeDefined();
    expect(growth(steep.slice(0, LEAST_SAMPLES - 1))).toBeUndefined();
  });
});
