/** Against Debian's wireguard-go: roles, address families, keys, sizes, roaming. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { base64, keyPair } from '../wireguard/reference/identity.js';
import { ascii } from '../wireguard/reference/symmetric.js';
import { OURS, Pair, type PairOptions, ping, THEIRS } from './pair.js';
import { ETHTOOL, IPERF3, labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';
import { burst, iperf, transfer } from './traffic.js';
import type { TunnelEnd } from './tunnel-end.js';
import { UdpPort } from './udp-port.js';
import { sleep, until } from './wait.js';
import { WireGuardGoEnd } from './wireguard-go-end.js';

async function withPair(options: PairOptions, use: (pair: Pair) => Promise<void>): Promise<void> {
  const pair = await Pair.start(options);
  try {
    await use(pair);
  } finally {
    pair.close();
  }
}

labSuite(`${SUBJECT} and wireguard-go`, [...NEEDS, IPERF3, ETHTOOL], () => {
  for (const outer of [4, 6] as const) {
    describe(`over IPv${outer}`, () => {
      let pair: Pair;
      beforeAll(async () => {
        pair = await Pair.start({ outer });
      }, 30_000);
      afterAll(() => pair?.close());

      it('counts the same bytes as the other end', async () => {
        expect(await ping(pair.ourSpace, THEIRS.inner4, { count: 20, size: 777 })).toBe(20);
        const ours = await pair.ours.status(pair.theirs.publicKey);
        const theirs = await pair.theirs.status(pair.ours.publicKey);
        expect([ours.sent, ours.received]).toEqual([theirs.received, theirs.sent]);
        // 20 datagrams of 816 + 32 bytes (777 + 28 padded to 16) and the handshake's.
        expect(ours.sent + ours.received).toBe(2 * 20 * (816 + 32) + 148 + 92);
      });

      for (const inner of [4, 6] as const) {
        const ours = inner === 4 ? OURS.inner4 : OURS.inner6;
        const theirs = inner === 4 ? THEIRS.inner4 : THEIRS.inner6;

        it(`IPv${inner} ping in both directions`, async () => {
          expect(await ping(pair.ourSpace, theirs)).toBe(3);
          expect(await ping(pair.theirSpace, ours)).toBe(3);
        });

        it(`IPv${inner} iperf3 TCP in both directions`, async () => {
          for (const words of [[], ['-R'], ['-P', '4']]) {
            const result = await iperf(pair.ourSpace, pair.theirSpace, theirs, ['-t', '1', ...words]);
            expect(result.receivedBytes).toBeGreaterThan(1e6);
          }
        }, 60_000);

        it(`IPv${inner} iperf3 UDP in both directions`, async () => {
          for (const words of [[], ['-R'], ['-l', '77', '-b', '1M'], ['-l', '1333', '-R']]) {
            const result = await iperf(pair.ourSpace, pair.theirSpace, theirs, [
              ...['-u', '-b', '5M', '-t', '1'],
              ...words,
            ]);
            expect(result.packets).toBeGreaterThan(100);
            expect(result.lostPackets).toBeLessThan(result.packets / 10);
          }
        }, 60_000);
      }

      it('carries large transfers in both directions at once without an error', async () => {
        const bytes = 64 << 20;
        const { ourSpace, theirSpace } = pair;
        const digests = await Promise.all([
          transfer({ from: ourSpace, to: theirSpace, address: THEIRS.inner4, bytes }),
          transfer({ from: theirSpace, to: ourSpace, address: OURS.inner6, bytes }),
        ]);
        for (const [sent, received] of digests) expect(received).toBe(sent);
      }, 120_000);

      it('shows the endpoint and the handshake in both', async () => {
        const ours = await pair.ours.status(pair.theirs.publicKey);
        const theirs = await pair.theirs.status(pair.ours.publicKey);
        const endpoint = (end: typeof OURS) =>
          outer === 4 ? `${end.v4}:${end.port}` : `[${end.v6}]:${end.port}`;
        expect(ours.endpoint).toBe(endpoint(THEIRS));
        expect(theirs.endpoint).toBe(endpoint(OURS));
        expect(Math.abs(ours.latestHandshake - theirs.latestHandshake)).toBeLessThanOrEqual(1);
      });
    });
  }

  describe('handshake roles', () => {
    it('as initiator, to a peer that does not know where we are', () =>
      withPair({ endpoints: 'ours' }, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        expect(await ping(pair.theirSpace, OURS.inner4)).toBe(3);
      }));

    it('as responder, without knowing where the peer is', () =>
      withPair({ endpoints: 'theirs' }, async (pair) => {
        expect(await ping(pair.theirSpace, OURS.inner6)).toBe(3);
        expect(await ping(pair.ourSpace, THEIRS.inner6)).toBe(3);
      }));

    it(
      'both at once, again and again',
      () =>
        withPair({}, async (pair) => {
          for (let round = 0; round < 10; round++) {
            // Handshakes that cross may cost one retry, which comes after 5 s.
            await until(`pings in both directions, round ${round}`, 15_000, async () => {
              const replies = await Promise.all([
                ping(pair.ourSpace, THEIRS.inner4, { count: 2, interval: 0.2 }),
                ping(pair.theirSpace, OURS.inner4, { count: 2, interval: 0.2 }),
              ]);
              return replies.every((count) => count === 2);
            });
            // A new key pair each round: both forget the peer and learn it again.
            for (const end of [pair.ours, pair.theirs]) {
              const [peer] = end.config.peers;
              const key = base64(peer.publicKey);
              await end.set('peer', key, 'remove');
              await end.set(
                'peer',
                key,
                'endpoint',
                peer.endpoint!,
                'allowed-ips',
                peer.allowedIps.join(','),
              );
            }
          }
        }),
      90_000,
    );
  });

  describe('preshared keys', () => {
    const presharedKey = keyPair().privateKey;

    it('the same on both sides: a tunnel', () =>
      withPair({ ourPeer: { presharedKey }, theirPeer: { presharedKey } }, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
      }));

    it('different, or on one side only: none, in either role', () =>
      withPair(
        { ourPeer: { presharedKey }, theirPeer: { presharedKey: keyPair().privateKey } },
        async (pair) => {
          const tries = () =>
            Promise.all([
              ping(pair.ourSpace, THEIRS.inner4, { count: 1, patience: 1 }),
              ping(pair.theirSpace, OURS.inner4, { count: 1, patience: 1 }),
            ]);
          expect(await tries()).toEqual([0, 0]);
          const key = base64(pair.ours.publicKey);
          await pair.theirs.set('peer', key, 'preshared-key', pair.theirs.secretFile('none', ''));
          expect(await tries()).toEqual([0, 0]);
          expect((await pair.ours.status(pair.theirs.publicKey)).latestHandshake).toBe(0);
        },
      ));
  });

  it('drops inner sources that the peer has no right to, IPv4 and IPv6', () =>
    withPair({}, async (pair) => {
      pair.theirSpace.ip(`address add 10.99.0.77/24 dev ${pair.theirs.name}`);
      pair.theirSpace.ip(`address add fd99::77/64 dev ${pair.theirs.name} nodad`);
      for (const [good, bad, to] of [
        [THEIRS.inner4, '10.99.0.77', OURS.inner4],
        [THEIRS.inner6, 'fd99::77', OURS.inner6],
      ]) {
        const receiver = await UdpPort.open(pair.ourSpace, { address: to });
        const spoofer = await UdpPort.open(pair.theirSpace, { address: bad });
        const honest = await UdpPort.open(pair.theirSpace, { address: good });
        const target = { address: to, port: receiver.port };
        await honest.send(ascii('first'), target);
        expect((await receiver.next(() => true, 3000))?.from.address).toBe(good);
        for (let i = 0; i < 5; i++) await spoofer.send(ascii('spoofed'), target);
        await honest.send(ascii('last'), target);
        expect((await receiver.next(() => true, 3000))?.from.address).toBe(good);
        await sleep(100);
        expect(receiver.captured.length).toBe(2);
      }
    }));

  describe('sizes', () => {
    for (const [mtu, outerMtu] of [
      [1280, 1500],
      [1420, 1500],
      [9000, 9100],
    ]) {
      it(
        `MTU ${mtu}: every size around the edges, whole and in fragments`,
        () =>
          withPair({ mtu, outerMtu }, async (pair) => {
            const quick = { count: 1, patience: 2 };
            for (const [address, back, headers] of [
              [THEIRS.inner4, OURS.inner4, 28],
              [THEIRS.inner6, OURS.inner6, 48],
            ] as const) {
              const most = mtu - headers;
              for (const size of [0, 1, 3, 15, 16, 17, 487, 1000, most - 16, most - 15, most - 1, most]) {
                const sent = { ...quick, size, whole: true };
                expect(await ping(pair.ourSpace, address, sent), `${size} to ${address}`).toBe(1);
                expect(await ping(pair.theirSpace, back, sent), `${size} to ${back}`).toBe(1);
              }
              // In fragments: IPv6 ones carry an extension header.
              for (const size of [most + 1, 3 * mtu + 7, 20_001]) {
                expect(await ping(pair.ourSpace, address, { ...quick, size }), `${size} in fragments`).toBe(
                  1,
                );
                expect(await ping(pair.theirSpace, back, { ...quick, size }), `${size} in fragments`).toBe(1);
              }
            }
            const bytes = 4 << 20;
            const [sent, received] = await transfer({
              from: pair.ourSpace,
              to: pair.theirSpace,
              address: THEIRS.inner6,
              bytes,
            });
            expect(received).toBe(sent);
          }),
        60_000,
      );
    }

    it('follows the interface when its MTU is changed', () =>
      withPair({}, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        pair.ourSpace.ip(`link set ${pair.ours.name} mtu 1300`);
        pair.theirSpace.ip(`link set ${pair.theirs.name} mtu 1300`);
        expect(await ping(pair.ourSpace, THEIRS.inner4, { size: 1272, whole: true })).toBe(3);
        pair.ourSpace.ip(`link set ${pair.ours.name} mtu 1420`);
        pair.theirSpace.ip(`link set ${pair.theirs.name} mtu 1420`);
        expect(await ping(pair.ourSpace, THEIRS.inner4, { size: 1392, whole: true })).toBe(3);
      }));

    it(
      'odd segment sizes over TCP',
      () =>
        withPair({}, async (pair) => {
          for (const words of [
            ['-M', '500', '-l', '1'],
            ['-M', '777', '-l', '1501'],
            ['-M', '1111', '-l', '65537', '-R'],
          ]) {
            const result = await iperf(pair.ourSpace, pair.theirSpace, THEIRS.inner4, ['-t', '1', ...words]);
            expect(result.receivedBytes).toBeGreaterThan(1000);
          }
        }),
      60_000,
    );
  });

  describe('offloads of the interfaces below', () => {
    const settings = {
      'as veth has them': [],
      'merging receiver': ['gro on'],
      'no segmentation': ['tx-udp-segmentation off', 'tso off', 'gso off', 'gro on'],
      'no checksums': ['tx off', 'rx off'],
    };
    for (const [name, switches] of Object.entries(settings)) {
      it(
        `${name}: packets of all sizes and streams arrive whole`,
        () =>
          withPair({}, async (pair) => {
            const links = [
              [pair.ourSpace, pair.ourLink],
              [pair.theirSpace, pair.theirLink],
            ] as const;
            for (const words of switches)
              for (const [space, link] of links)
                await space.run(['ethtool', '-K', link, ...words.split(' ')]);
            expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
            const packets = 1500;
            const most = 1392;
            const [ours, theirs] = [pair.ourSpace, pair.theirSpace];
            const arrived = [
              await burst({
                from: theirs,
                source: THEIRS.inner4,
                to: ours,
                destination: OURS.inner4,
                packets,
                most,
              }),
              await burst({
                from: ours,
                source: OURS.inner4,
                to: theirs,
                destination: THEIRS.inner4,
                packets,
                most,
              }),
            ];
            for (const each of arrived) expect(each.size).toBeGreaterThan(packets / 10);
            const bytes = 16 << 20;
            const digests = await Promise.all([
              transfer({ from: ours, to: theirs, address: THEIRS.inner4, bytes }),
              transfer({ from: theirs, to: ours, address: OURS.inner6, bytes }),
            ]);
            for (const [sent, received] of digests) expect(received).toBe(sent);
          }),
        60_000,
      );
    }
  });

  it(
    'two of a kind',
    () =>
      withPair({ alike: true }, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        expect(await ping(pair.theirSpace, OURS.inner6)).toBe(3);
        const bytes = 32 << 20;
        const digests = await Promise.all([
          transfer({ from: pair.ourSpace, to: pair.theirSpace, address: THEIRS.inner4, bytes }),
          transfer({ from: pair.theirSpace, to: pair.ourSpace, address: OURS.inner4, bytes }),
        ]);
        for (const [sent, received] of digests) expect(received).toBe(sent);
      }),
    60_000,
  );

  describe('roaming', () => {
    /** Gives an end another outer address instead of the one it has. */
    async function readdress(mover: TunnelEnd, link: string, from: string, to: string): Promise<void> {
      mover.space.ip(`address del ${from}/24 dev ${link}`);
      mover.space.ip(`address add ${to}/24 dev ${link}`);
      // wireguard-go of 2022 sticks to the address it answered from, because newer kernels refuse it with an
      // error it does not know; naming the endpoint again helps it.
      if (mover instanceof WireGuardGoEnd) {
        const [{ publicKey, endpoint }] = mover.config.peers;
        await mover.set('peer', base64(publicKey), 'endpoint', endpoint!);
      }
    }

    it('follows the other end to a new address', () =>
      withPair({}, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        await readdress(pair.theirs, pair.theirLink, THEIRS.v4, '10.51.0.33');
        expect(await ping(pair.theirSpace, OURS.inner4)).toBe(3);
        expect((await pair.ours.status(pair.theirs.publicKey)).endpoint).toBe(`10.51.0.33:${THEIRS.port}`);
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
      }));

    it('is followed when its own address changes', () =>
      withPair({}, async (pair) => {
        expect(await ping(pair.theirSpace, OURS.inner4)).toBe(3);
        await readdress(pair.ours, pair.ourLink, OURS.v4, '10.51.0.34');
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        expect((await pair.theirs.status(pair.ours.publicKey)).endpoint).toBe(`10.51.0.34:${OURS.port}`);
        expect(await ping(pair.theirSpace, OURS.inner4)).toBe(3);
      }));

    it('moves from IPv4 to IPv6 and back, whichever end does', () =>
      withPair({}, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        const move = async (end: 'ours' | 'theirs', endpoint: string) => {
          const [mover, other] = end === 'ours' ? [pair.ours, pair.theirs] : [pair.theirs, pair.ours];
          const key = base64(other.publicKey);
          await mover.set('peer', key, 'endpoint', endpoint);
          const to = end === 'ours' ? THEIRS.inner4 : OURS.inner4;
          expect(await ping(mover.space, to)).toBe(3);
          return (await other.status(mover.publicKey)).endpoint;
        };
        expect(await move('ours', `[${THEIRS.v6}]:${THEIRS.port}`)).toBe(`[${OURS.v6}]:${OURS.port}`);
        expect(await move('theirs', `${OURS.v4}:${OURS.port}`)).toBe(`${THEIRS.v4}:${THEIRS.port}`);
      }));

    it('survives a cable that is unplugged for a while', () =>
      withPair({}, async (pair) => {
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        pair.ourSpace.ip(`link set ${pair.ourLink} down`);
        expect(await ping(pair.ourSpace, THEIRS.inner4, { count: 3, interval: 0.2, patience: 1 })).toBe(0);
        pair.ourSpace.ip(`link set ${pair.ourLink} up`);
        await until('a ping after the cable is back', 10_000, () =>
          ping(pair.ourSpace, THEIRS.inner4, { count: 1, patience: 1 }),
        );
        expect(pair.ours.running).toBe(true);
      }));
  });
});
