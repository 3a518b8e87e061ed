import { afterEach, expect, it } from 'vitest';
import { PROGRAM } from './gateway-end.js';
import { Flow, PROXY, RELAY_PROGRAM, ReachLab } from './reach-lab.js';
import { IP, labSuite, NFT, PING } from './requirements.js';
import { sleep } from './wait.js';

const OPENSSL = { program: 'openssl', package: 'openssl' } as const;
const SS = { program: 'ss', package: 'iproute2' } as const;
const NEEDS = ['root', IP, NFT, PING, OPENSSL, SS, { file: PROGRAM }, { file: RELAY_PROGRAM }] as const;

/**
 * ms without an answered ping. The rule is a second, which `test/transport/path.test.ts` holds in virtual time and
 * `npm run lab:switching` measures; here a busy machine has its share.
 */
const GAP = 3_000;

labSuite('reach', NEEDS, () => {
  let lab: ReachLab | undefined;
  afterEach(() => {
    lab?.close();
    lab = undefined;
  });

  const handshakes = async () => (await lab!.a.status())?.counters.handshakesCompleted;

  it.each(['masque', 'websocket'] as const)(
    'UDP blocked: comes up over %s, to a peer that knows nothing of it',
    async (kind) => {
      lab = await ReachLab.start({ firewallA: 'no-udp', a: { peer: [`Transports = udp, ${kind}`] } });
      const flow = await new Flow(lab.a.space, '10.97.0.2', 2).result();
      expect(flow.received).toBeGreaterThan(flow.sent / 2);
      const peer = await lab.a.uses(kind);
      expect(peer.path?.reason).toBe('first-that-works');
      expect((await lab.b.peer())?.transport).toBe('udp');
      const text = await lab.a.space.get([process.execPath, PROGRAM, 'explain', peer.publicKey.slice(0, 12)]);
      expect(text).toMatch(
        new RegExp(`  ${kind} for [0-9.]+ s, because: the first through which the peer was heard`),
      );
      expect(text).toMatch(new RegExp(`  \\* ${kind} 203\\.0\\.113\\.100: open \\(ready\\)`));
      expect(text).toMatch(/decisions, oldest first:/);
    },
  );

  it('both shut in: they meet at the relay by their names', async () => {
    lab = await ReachLab.start({
      firewallA: 'https-only',
      firewallB: 'https-only',
      a: { peer: ['Transports = udp, masque, websocket', 'RelayName = b'] },
      b: { peer: ['Transports = udp, masque, websocket', 'RelayName = a'] },
    });
    const flow = await new Flow(lab.a.space, '10.97.0.2', 3).result();
    expect(flow.received).toBeGreaterThan(flow.sent / 2);
    expect((await lab.a.uses('masque')).state).toBe('established');
    await lab.b.uses('masque');
  });

  it('climbs to direct under ping, falls back when it is cut, survives the relay, all in one session', {
    timeout: 90_000,
  }, async () => {
    lab = await ReachLab.start({
      firewallA: 'no-udp',
      // Asks soon and often, so that the test is short.
      a: {
        own: ['PathOptions = returnFirst=1000, returnMost=2000, stability=2000, dwell=2000, cooldown=2000'],
        peer: ['Transports = udp, masque, websocket'],
      },
    });
    await new Flow(lab.a.space, '10.97.0.2', 1).result();
    await lab.a.uses('masque');
    const session = await handshakes();

    // UDP comes back: planned, so nothing is lost or doubled.
    const climb = new Flow(lab.a.space, '10.97.0.2', 6);
    await sleep(500);
    lab.a.firewall('open');
    await lab.a.uses('udp', 30_000);
    const climbed = await climb.result();
    expect(climbed.received).toBe(climbed.sent);
    expect(climbed.duplicates).toBe(0);

    // Cut in the middle of the flow.
    const cut = new Flow(lab.a.space, '10.97.0.2', 5);
    await sleep(1_500);
    lab.a.firewall('no-udp');
    const fallen = await cut.result();
    await lab.a.uses('masque');
    expect(fallen.longestGap).toBeLessThanOrEqual(GAP);
    expect(fallen.duplicates).toBe(0);

    // The relay dies; direct is there again, and silent relays are not waited for.
    lab.a.firewall('open');
    lab.killRelay();
    const killed = await new Flow(lab.a.space, '10.97.0.2', 4).result();
    await lab.a.uses('udp');
    expect(killed.longestGap).toBeLessThanOrEqual(GAP);
    expect(await handshakes()).toBe(session);
    const { path } = (await lab.a.peer())!;
    expect(path?.decisions.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining([
        'first-that-works',
        'better-path',
        'active-suspected',
        'active-silent',
        'active-closed',
      ]),
    );
  });

  it('nothing but an HTTP proxy: asks it with credentials, and verifies the relay through it', async () => {
    lab = await ReachLab.start({
      firewallA: 'proxy-only',
      a: {
        own: [`Proxy = http://${PROXY.address}:${PROXY.port}`],
        peer: ['Transports = udp, masque, websocket'],
      },
    });
    // Without credentials first: it says what is missing.
    await sleep(1_500);
    const refused = (await lab.a.peer())?.path?.transports.find(({ kind }) => kind === 'masque');
    expect(refused?.reason).toBe('proxy-authentication');
    lab.addLine(lab.a, 'ProxyCredentials', 'proxy.user');
    lab.a.process?.kill('SIGHUP');
    const flow = await new Flow(lab.a.space, '10.97.0.2', 4).result();
    expect(flow.received).toBeGreaterThan(0);
    await lab.a.uses('masque');
  });
});
