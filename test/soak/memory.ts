/** Whether a process grows. */

import { readdirSync } from 'node:fs';
import { residentBytes } from '../bench/process-tree.js';
import { median } from '../bench/statistics.js';

export interface Sample {
  /** Resident, MB. */
  readonly memory: number;
  readonly descriptors: number;
}

export function sampleOf(pid: number): Sample {
  return { memory: residentBytes(pid) / 1e6, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Samples below this say nothing of growth: a garbage collector comes and goes meanwhile. */
export const LEAST_SAMPLES = 24;
/** What a collector's mood may add, and what it may multiply. */
const SLACK = 12;
const FACTOR = 1.1;
/** Descriptors that may be open for a moment: an asker on the control socket, sockets being replaced. */
const SLACK_DESCRIPTORS = 6;

/**
 * Compares the last quarter of the samples, taken at even times, with the second one: the first belongs to the start.
 * A sentence when it has grown.
 */
export function growth(samples: readonly Sample[]): string | undefined {
  if (samples.length < LEAST_SAMPLES) return undefined;
  const quarter = samples.length >> 2;
  const of = (part: readonly Sample[], what: keyof Sample): number =>
    median(part.map((sample) => sample[what]));
  const early = samples.slice(quarter, 2 * quarter);
  const late = samples.slice(-quarter);
  const [before, after] = [of(early, 'memory'), of(late, 'memory')];
  if (after > before * FACTOR + SLACK)
    return `memory grew from ${before.toFixed(0)} to ${after.toFixed(0)} MB`;
  const [few, many] = [of(early, 'descriptors'), of(late, 'descriptors')];
  if (many > few + SLACK_DESCRIPTORS) return `open descriptors grew from ${few} to ${many}`;
  return undefined;
}
