/** Hosts behind both ends: the gateway as the router of a site, and a hub between two peers. */
import { expect, it } from 'vitest';
import { base64, keyPair } from '../wireguard/reference/identity.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT, subject } from './subject.js';
import { burst, transfer } from './traffic.js';
import { WireGuardGoEnd } from './wireguard-go-end.js';

const FORWARDING = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.forwarding': '1',
  // A router asks for its neighbours from a link-local address.
  'net.ipv6.conf.default.addr_gen_mode': '0',
};

/** A host with one cable to its router, over which everything goes. */
function hostBehind(lab: Lab, router: Namespace, site: number): Namespace {
  const host = lab.namespace(`host${site}`);
  router.sysctl(FORWARDING);
  lab.link(
    { space: router, addresses: [`10.${site}.0.1/24`, `fd${site}::1/64`] },
    { space: host, addresses: [`10.${site}.0.2/24`, `fd${site}::2/64`] },
  );
  host.ip(`route add default via 10.${site}.0.1`);
  host.ip(`-6 route add default via fd${site}::1`);
  return host;
}

labSuite(`${SUBJECT} as a router`, NEEDS, () => {
  it('a host behind it reaches a host behind the peer, and back', async () => {
    const pair = new Pair({
      ourPeer: { allowedIps: [`${THEIRS.inner4}/32`, `${THEIRS.inner6}/128`, '10.62.0.0/24', 'fd62::/64'] },
      theirPeer: { allowedIps: [`${OURS.inner4}/32`, `${OURS.inner6}/128`, '10.61.0.0/24', 'fd61::/64'] },
    });
    try {
      const here = hostBehind(pair.lab, pair.ourSpace, 61);
      const there = hostBehind(pair.lab, pair.theirSpace, 62);
      await Promise.all([pair.ours.start(), pair.theirs.start()]);
      expect(await ping(here, '10.62.0.2')).toBe(3);
      expect(await ping(there, 'fd61::2')).toBe(3);
      // Larger than the tunnel's MTU on the hosts' cables: in fragments, or after "packet too big".
      expect(await ping(here, '10.62.0.2', { size: 1472 })).toBe(3);
      expect(await ping(here, '10.62.0.2', { size: 5000 })).toBe(3);
      expect(await ping(there, 'fd61::2', { size: 5000 })).toBe(3);
      const bytes = 16 << 20;
      const digests = await Promise.all([
        transfer({ from: here, to: there, address: '10.62.0.2', bytes }),
        transfer({ from: there, to: here, address: 'fd61::2', bytes }),
      ]);
      for (const [sent, received] of digests) expect(received).toBe(sent);
      const all = { packets: 1000, most: 1300 };
      const arrived = [
        await burst({ from: here, source: '10.61.0.2', to: there, destination: '10.62.0.2', ...all }),
        await burst({ from: there, source: 'fd62::2', to: here, destination: 'fd61::2', ...all }),
      ];
      for (const each of arrived) expect(each.size).toBeGreaterThan(all.packets / 10);
      // A host of the site that the peer has no right to speak for.
      pair.theirSpace.ip(`address add 10.61.0.77/32 dev ${pair.theirs.name}`);
      const { stdout } = await pair.theirSpace.run([
        'ping',
        '-n',
        '-c',
        '1',
        '-W',
        '1',
        '-I',
        '10.61.0.77',
        '10.61.0.2',
      ]);
      expect(stdout).toContain(' 0 received');
    } finally {
      pair.close();
    }
  }, 60_000);

  it('joins two peers that know only the hub', async () => {
    const lab = new Lab();
    try {
      const hub = lab.namespace('hub');
      hub.sysctl(FORWARDING);
      const hubKeys = keyPair();
      const spokes = [1, 2].map((n) => {
        const space = lab.namespace(`spoke${n}`);
        lab.link({ space: hub, addresses: [`10.71.${n}.1/24`] }, { space, addresses: [`10.71.${n}.2/24`] });
        return new WireGuardGoEnd(lab, space, {
          keys: keyPair(),
          addresses: [`10.99.0.${n + 1}/32`, `fd99::${n + 1}/128`],
          peers: [
            {
              publicKey: hubKeys.publicKey,
              endpoint: `10.71.${n}.1:${OURS.port}`,
              allowedIps: ['10.99.0.0/24', 'fd99::/64'],
              persistentKeepalive: 5,
            },
          ],
        });
      });
      const ours = subject(lab, hub, {
        keys: hubKeys,
        listenPort: OURS.port,
        addresses: ['10.99.0.1/24', 'fd99::1/64'],
        peers: spokes.map((spoke, i) => ({
          publicKey: spoke.publicKey,
          allowedIps: [`10.99.0.${i + 2}/32`, `fd99::${i + 2}/128`],
        })),
      });
      await ours.start();
      await Promise.all(spokes.map((spoke) => spoke.start()));
      const [one, two] = spokes.map((spoke) => spoke.space);
      expect(await ping(one, '10.99.0.3')).toBe(3);
      expect(await ping(two, 'fd99::2')).toBe(3);
      const bytes = 8 << 20;
      const digests = await Promise.all([
        transfer({ from: one, to: two, address: '10.99.0.3', bytes }),
        transfer({ from: two, to: one, address: 'fd99::2', bytes }),
      ]);
      for (const [sent, received] of digests) expect(received).toBe(sent);
      // The address moves from one spoke to the other, and the traffic with it.
      await ours.set('peer', base64(spokes[0].publicKey), 'allowed-ips', '10.99.0.2/32,10.99.0.3/32');
      expect(await ping(hub, '10.99.0.3', { count: 1, patience: 1 })).toBe(0);
      await ours.set('peer', base64(spokes[1].publicKey), 'allowed-ips', '10.99.0.3/32,fd99::3/128');
      expect(await ping(hub, '10.99.0.3')).toBe(3);
    } finally {
      lab.close();
    }
  }, 60_000);
});
