import { afterAll, beforeAll, expect, it } from 'vitest';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';

labSuite(`${SUBJECT} and wireguard-go`, NEEDS, () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.start();
  }, 30_000);
  afterAll(() => pair?.close());

  it('ping', async () => {
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    expect(await ping(pair.theirSpace, OURS.inner6)).toBe(3);
  });
});
