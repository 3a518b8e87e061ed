/** How many queues the TUN interface has, each with a pair of threads and sockets of its own. */

import { availableParallelism } from 'node:os';

export interface QueueLimits {
  /** 0: by the number of processors. */
  readonly queues: number;
}

export const DEFAULT_QUEUE_LIMITS: QueueLimits = Object.freeze({ queues: 0 });

/** Fewer processors are busy with one pair of threads and the applications. */
const LEAST_PROCESSORS = 4;
const MOST_QUEUES = 8;

export function queueCount({ queues }: QueueLimits, processors: number = availableParallelism()): number {
  if (queues > 0) return Math.min(queues, MOST_QUEUES);
  if (processors < LEAST_PROCESSORS) return 1;
  return Math.min(Math.floor(processors / 2), MOST_QUEUES);
}
