import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the condition holds; throws with what `tell` says when it does not within `limit` ms. */
export async function eventually(
  condition: () => boolean,
  limit = 15_000,
  tell: () => string = () => String(condition),
): Promise<void> {
  const end = performance.now() + limit;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${tell()}`);
    await sleep(10);
  }
}
