import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { IP, labSuite, NFT, type Requirement } from '../lab/requirements.js';
import { COTURN, OPENSSL } from './real/coturn.js';
import { eventually } from './real/eventually.js';
import { GatewayEnd, type SignalLine } from './real/gateway-end.js';
import { INNER, NatLab, RELAY_ADDRESS, type RealNat } from './real/nat-lab.js';
import { Peer, type PeerKind, preparePeer } from './real/peer.js';

const PEERS: Readonly<Record<PeerKind, readonly Requirement[]>> = {
  werift: [],
  aioice: [{ file: '/usr/lib/python3/dist-packages/aioice/__init__.py' }],
  libnice: [{ program: 'gcc', package: 'gcc' }, { file: '/usr/include/nice/agent.h' }],
  pion: [
    { program: 'go', package: 'golang-go' },
    { file: '/usr/share/gocode/src/github.com/pion/ice/v2/agent.go' },
  ],
};
const STUN = `${RELAY_ADDRESS}:3478`;

/** Both kinds of NAT, and whether theory asks for a relay. */
const WAYS: readonly [RealNat, RealNat, boolean][] = [
  ['port', 'port', false],
  ['full', 'symmetric', false],
  ['symmetric', 'symmetric', true],
];

for (const kind of Object.keys(PEERS) as PeerKind[]) {
  labSuite(`ICE with ${kind}`, ['root', IP, NFT, COTURN, OPENSSL, ...PEERS[kind]], () => {
    let lab: NatLab;
    let command: readonly string[];
    const closing: { close(): void }[] = [];

    beforeAll(async () => {
      lab = await NatLab.open();
      command = preparePeer(kind, lab.lab.subdirectory('peer'));
      // Go compiles pion and the standard library the first time.
    }, 180_000);
    afterEach(() => {
      for (const one of closing.splice(0)) one.close();
    });
    afterAll(() => lab.close());

    it.each(
      WAYS.flatMap(([a, b, relay]) =>
        [true, false].map((controlling) => ({ a, b, relay, controlling })),
      ).filter(
        // Each role once with an easy and once with a hard pair is enough.
        ({ a, b, controlling }) => controlling || a === b,
      ),
    )('connects $a with $b, controlling: $controlling', async ({ a, b, relay, controlling }) => {
      lab.setNat(0, a);
      lab.setNat(1, b);
      const socket = await lab.hosts[0].udp({ address: '0.0.0.0' });
      let peer: Peer | undefined;
      const waiting: SignalLine[] = [];
      const gateway = new GatewayEnd({
        socket,
        addresses: [INNER[0]],
        controlling,
        stun: STUN,
        turn: { server: STUN, ...lab.coturn.credentials('gateway') },
        signal: (line) => {
          if (peer === undefined) waiting.push(line);
          else peer.take(line);
        },
      });
      closing.push(gateway);
      peer = new Peer(command, {
        space: lab.hosts[1],
        controlling: !controlling,
        stun: STUN,
        turn: { server: STUN, ...lab.coturn.credentials('peer') },
        signal: (line) => gateway.take(line),
      });
      closing.push(peer);
      // Credentials first: not every peer keeps candidates that come before them.
      for (const line of waiting.sort((x, y) => (y.ufrag ? 1 : 0) - (x.ufrag ? 1 : 0))) peer.take(line);
      const tell = () =>
        `${gateway.story.join(', ')}; ${gateway.way}; refused: ${gateway.refused.join()}\n${peer?.log.join('\n')}`;
      await eventually(() => gateway.agent.state === 'completed', 20_000, tell);
      await eventually(
        () => peer.states.some((state) => /connected|ready|completed/.test(state)),
        10_000,
        tell,
      );
      await eventually(
        () => {
          gateway.send('from the gateway');
          peer.send('from the peer');
          return gateway.received.includes('from the peer') && peer.received.includes('from the gateway');
        },
        10_000,
        tell,
      );
      // aioice, when it controls, takes the first pair that works, which may be a relayed one.
      if (controlling || kind !== 'aioice' || relay) expect(gateway.relayed, tell()).toBe(relay);
      expect(gateway.agent.controlling).toBe(controlling);
    });
  });
}
