/** The end of a gateway, whatever it is doing: in order, and no thread of its data plane has to be made to end. */

import { afterEach, expect, it } from 'vitest';
import { Pair, ping, THEIRS } from './pair.js';
import { labSuite } from './requirements.js';
import { CONTROL, NEEDS, SUBJECT } from './subject.js';
import { sleep } from './wait.js';

labSuite(`${SUBJECT}: ending`, NEEDS, () => {
  let pair: Pair | undefined;
  afterEach(() => {
    pair?.close();
    pair = undefined;
  });

  async function ends(act: () => Promise<unknown>): Promise<void> {
    if (pair === undefined) throw new Error('no pair');
    await act();
    expect(await pair.ours.ended()).toBe(0);
    expect(pair.ours.interfaceExists()).toBe(false);
    expect(await pair.ours.answers()).toBe(false);
    if (CONTROL) return;
    const log = pair.ours.log();
    expect(log).toContain('leaving');
    expect(log).not.toMatch(/lane-made-to-end|lane-stuck|lane-replaced|"level":"error"/);
  }

  it('without a session', async () => {
    pair = await Pair.start({ endpoints: 'none' });
    await ends(() => pair!.ours.stop());
  });

  it('with an idle session', async () => {
    pair = await Pair.start();
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    await ends(() => pair!.ours.stop());
  });

  it('in the middle of traffic both ways', async () => {
    pair = await Pair.start();
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    const floods = [pair.ourSpace.run(['ping', '-q', '-f', '-s', '1300', '-w', '2', THEIRS.inner4])];
    await sleep(500);
    await ends(() => pair!.ours.stop());
    await Promise.all(floods);
  });

  it('while its cable is full', async () => {
    pair = await Pair.start();
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    const shape = ['rate', '64kbit', 'burst', '4kb', 'limit', '10mb'];
    await pair.ourSpace.get(['tc', 'qdisc', 'add', 'dev', pair.ourLink, 'root', 'tbf', ...shape]);
    const flood = pair.ourSpace.run([
      'ping',
      '-q',
      '-f',
      '-s',
      '1300',
      '-l',
      '2000',
      '-w',
      '2',
      THEIRS.inner4,
    ]);
    await sleep(1000);
    await ends(() => pair!.ours.stop());
    await flood;
  });

  it('while keys, port and mark change', async () => {
    pair = await Pair.start();
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    void pair.ours.set('listen-port', '51999').catch(() => {});
    await pair.ours.set('fwmark', '7');
    await ends(() => pair!.ours.stop());
  });

  it('when its interface is deleted, with and without traffic', async () => {
    for (const busy of [false, true]) {
      pair = await Pair.start();
      expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
      const flood = busy
        ? pair.ourSpace.run(['ping', '-q', '-f', '-s', '1300', '-w', '1', THEIRS.inner4])
        : Promise.resolve();
      if (busy) await sleep(200);
      await ends(() => pair!.ourSpace.get(['ip', 'link', 'del', pair!.ours.name]));
      await flood;
      pair.close();
    }
    pair = undefined;
  });
});
