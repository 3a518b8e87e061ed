export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again and again until `question` gives something truthy, and returns that; throws after `limit` ms. */
export async function until<T>(
  what: string,
  limit: number,
  question: () => T | undefined | false | Promise<T | undefined | false>,
  pause = 50,
): Promise<T> {
  const end = performance.now() + limit;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await sleep(pause);
  }
}
