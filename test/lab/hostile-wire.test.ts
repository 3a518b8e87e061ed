/** A man in the middle between the subject and wireguard-go, who flips, doubles, reorders, delays and replays. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { counterOf, readU32 } from '../wireguard/reference/session.js';
import { ascii, type Bytes } from '../wireguard/reference/symmetric.js';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { DATA } from './prober.js';
import { flipped, HONEST, Relay } from './relay.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';
import { transfer } from './traffic.js';
import { UdpPort } from './udp-port.js';
import { sleep } from './wait.js';

const RELAY = '10.51.0.9';
const PORTS = { left: 40_001, right: 40_002 };

labSuite(`${SUBJECT} on a hostile wire`, NEEDS, () => {
  let pair: Pair;
  let relay: Relay;

  beforeEach(async () => {
    pair = new Pair({
      ourPeer: { endpoint: `${RELAY}:${PORTS.left}` },
      theirPeer: { endpoint: `${RELAY}:${PORTS.right}` },
    });
    pair.theirSpace.ip(`address add ${RELAY}/24 dev ${pair.theirLink}`);
    relay = await Relay.open(
      pair.theirSpace,
      RELAY,
      PORTS,
      { address: OURS.v4, port: OURS.port },
      { address: THEIRS.v4, port: THEIRS.port },
    );
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
  }, 30_000);
  afterEach(() => {
    relay?.close();
    pair?.close();
  });

  it('datagrams with a bit flipped arrive as losses, never as other bytes', async () => {
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    let flips = 0;
    relay.tamper = (bytes) => {
      if (Math.random() >= 0.02) return HONEST(bytes, 'to-left');
      flips++;
      return [{ bytes: flipped(bytes), delay: 0 }];
    };
    const bytes = 2 << 20;
    const digests = await Promise.all([
      transfer({ from: pair.ourSpace, to: pair.theirSpace, address: THEIRS.inner4, bytes }),
      transfer({ from: pair.theirSpace, to: pair.ourSpace, address: OURS.inner6, bytes }),
    ]);
    for (const [sent, received] of digests) expect(received).toBe(sent);
    expect(flips).toBeGreaterThan(10);
  }, 120_000);

  it('doubled, reordered and delayed datagrams deliver everything once', async () => {
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    relay.tamper = (bytes) => {
      const dice = Math.random();
      if (dice < 0.1) return [0, 0, 15].map((delay) => ({ bytes, delay }));
      if (dice < 0.3) return [{ bytes, delay: 1 + Math.random() * 30 }];
      return [{ bytes, delay: 0 }];
    };
    const receiver = await UdpPort.open(pair.ourSpace, { address: OURS.inner4 });
    const sender = await UdpPort.open(pair.theirSpace, { address: THEIRS.inner4 });
    const count = 500;
    for (let i = 0; i < count; i++) {
      await sender.send(ascii(`${i}`), { address: OURS.inner4, port: receiver.port });
      if (i % 10 === 0) await sleep(2);
    }
    await sleep(300);
    const arrived = receiver.captured.map(({ bytes }) => Number(Buffer.from(bytes).toString()));
    expect(arrived.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    const bytes = 2 << 20;
    const [sent, received] = await transfer({
      from: pair.ourSpace,
      to: pair.theirSpace,
      address: THEIRS.inner6,
      bytes,
    });
    expect(received).toBe(sent);
  }, 120_000);

  it('a replayed packet is neither delivered nor does it move the endpoint', async () => {
    const receiver = await UdpPort.open(pair.ourSpace, { address: OURS.inner4 });
    const sender = await UdpPort.open(pair.theirSpace, { address: THEIRS.inner4 });
    const target = { address: OURS.inner4, port: receiver.port };
    await sender.send(ascii('once'), target);
    expect(await receiver.next(() => true, 3000)).toBeDefined();
    const { endpoint } = await pair.ours.status(pair.theirs.publicKey);
    expect(endpoint).toBe(`${RELAY}:${PORTS.left}`);
    // Everything that ever went to us, handshake messages included, again from elsewhere.
    const thief = await UdpPort.open(pair.theirSpace, { address: THEIRS.v4 });
    const recorded: Bytes[] = [...relay.passed['to-left']];
    expect(recorded.some((bytes) => readU32(bytes, 0) === DATA && counterOf(bytes) >= 0n)).toBe(true);
    for (let i = 0; i < 3; i++)
      for (const bytes of recorded) await thief.send(bytes, { address: OURS.v4, port: OURS.port });
    expect(await thief.during(200)).toEqual([]);
    expect(receiver.captured.length).toBe(1);
    expect((await pair.ours.status(pair.theirs.publicKey)).endpoint).toBe(endpoint);
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
  });

  it('handshakes that lose, double and reorder messages still end in a tunnel', async () => {
    let n = 0;
    relay.tamper = (bytes) => {
      // The first two messages vanish; of the others each comes twice.
      if (n++ < 2) return [];
      return [0, 3].map((delay) => ({ bytes, delay }));
    };
    expect(await ping(pair.ourSpace, THEIRS.inner4, { count: 15, interval: 1, patience: 2 })).toBeGreaterThan(
      2,
    );
  }, 40_000);
});
