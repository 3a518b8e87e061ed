/** Several queues of the interface, each with its own threads and sockets on the one port. */

import { afterEach, expect, it } from 'vitest';
import { GatewayEnd } from './gateway-end.js';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { labSuite } from './requirements.js';
import { CONTROL, NEEDS, NODE_SOCKETS, SUBJECT } from './subject.js';
import { transfer } from './traffic.js';

const QUEUES = 3;

labSuite(`${SUBJECT}: several queues`, NEEDS, () => {
  let pair: Pair | undefined;
  afterEach(() => pair?.close());

  it.skipIf(CONTROL || NODE_SOCKETS)(
    'carry what one carries, on every socket of the port',
    async () => {
      pair = new Pair();
      const { ours, theirs, ourSpace, theirSpace } = pair;
      if (!(ours instanceof GatewayEnd)) throw new Error('no gateway of ours');
      ours.options = ['--limit', `queues=${QUEUES}`];
      await Promise.all([ours.start(), theirs.start()]);
      expect(ours.log()).toContain(`${QUEUES} threads for each direction`);
      expect(await ping(ourSpace, THEIRS.inner4, { count: 20, interval: 0.02 })).toBe(20);
      expect(await ping(ourSpace, THEIRS.inner6, { count: 20, interval: 0.02 })).toBe(20);
      const sockets = async () => (await ourSpace.get(['ss', '-Hulnp'])).split('\n');
      const on = async (port: number) =>
        (await sockets()).filter((line) => line.includes(`:${port} `) && line.includes(`pid=${ours.pid},`));
      // IPv4 and IPv6.
      expect((await on(OURS.port)).length).toBe(2 * QUEUES);

      const bytes = 4 << 20;
      const flows = await Promise.all(
        [THEIRS.inner4, THEIRS.inner6, THEIRS.inner4].flatMap((address) => [
          transfer({ from: ourSpace, to: theirSpace, address, bytes }),
          transfer({
            from: theirSpace,
            to: ourSpace,
            address: address === THEIRS.inner4 ? OURS.inner4 : OURS.inner6,
            bytes,
          }),
        ]),
      );
      for (const [sent, received] of flows) expect(received).toBe(sent);

      const { received, sent } = await ours.status(theirs.publicKey);
      // Every thread's bytes are counted: both ways more than what was carried.
      for (const counted of [received, sent]) expect(counted).toBeGreaterThan(3 * bytes);

      await ours.set('fwmark', '7', 'listen-port', '51900');
      expect((await on(51_900)).length).toBe(2 * QUEUES);
      expect(await on(OURS.port)).toEqual([]);
      expect(await ping(ourSpace, THEIRS.inner4, { count: 10, interval: 0.05 })).toBe(10);
      await ours.set('fwmark', '9');
      const marks = (await ourSpace.get(['ss', '-Hulne']))
        .split('\n')
        .filter((line) => line.includes(':51900 '));
      expect(marks.map((line) => /fwmark:0x(\w+)/.exec(line)?.[1])).toEqual(new Array(2 * QUEUES).fill('9'));

      expect(await ours.stop()).toBe(0);
      expect(ours.log()).not.toMatch(/"level":"error"|lane-/);
    },
    90_000,
  );
});
