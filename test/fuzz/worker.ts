/** Runs a campaign in a thread of its own, so that `main.ts` can tell when a parser never comes back. */

import { parentPort, workerData } from 'node:worker_threads';
import { Campaign, type CampaignResult, Failure } from './campaign.js';
import { targets } from './targets.js';

export interface WorkerData {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  /** Only this target. */
  readonly target: string | undefined;
  /** Uint32Array of one: the number of the message being read. */
  readonly progress: SharedArrayBuffer;
}

export type WorkerReport =
  | { readonly kind: 'passed'; readonly result: CampaignResult }
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string };

const { seed, first, count, target, progress } = workerData as WorkerData;
const at = new Uint32Array(progress);

function report(): WorkerReport {
  const chosen = targets().filter(({ name }) => target === undefined || name === target);
  try {
    const result = new Campaign(chosen, seed).run({
      first,
      count,
      before: (index) => {
        at[0] = index;
      },
    });
    return { kind: 'passed', result };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const cause = error.cause instanceof Error ? (error.cause.stack ?? '') : '';
    return { kind: 'failed', message: error.message, stack: cause };
  }
}

parentPort!.postMessage(report());
