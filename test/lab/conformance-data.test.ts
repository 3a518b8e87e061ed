import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REJECT_AFTER_MESSAGES } from '../wireguard/reference/replay.js';
import { counterOf, padded, type Session } from '../wireguard/reference/session.js';
import { ascii, concat } from '../wireguard/reference/symmetric.js';
import {
  DESTINATION_OPTIONS,
  echoMessage,
  echoRequest,
  ICMP,
  ICMPV6,
  ipv4,
  ipv6,
  NO_NEXT_HEADER,
  udpPacket,
} from './inner-packet.js';
import { OURS } from './pair.js';
import { ProbeLab } from './probe-lab.js';
import { DATA, type Prober, typeOf } from './prober.js';
import { changed, PATIENCE, SILENCE } from './probing.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';

labSuite(`${SUBJECT}: conformance, data`, NEEDS, () => {
  let lab: ProbeLab;
  beforeAll(async () => {
    lab = await ProbeLab.start();
  }, 30_000);
  afterAll(() => lab?.close());

  describe('row 11: counters and the replay window', () => {
    const echo = (prober: Prober, session: Session, sequence: number, counter: bigint) =>
      session.seal(
        padded(echoRequest({ source: prober.inner4, destination: OURS.inner4, sequence })),
        counter,
      );

    it('accepts 9000 - 8128 after 9000, and neither 9000 - 8129 nor 9000 again', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const accepts = async (counter: bigint, expected: boolean) => {
        const sequence = 0x4000 + Number(counter);
        await prober.send(echo(prober, session, sequence, counter));
        const within = expected ? PATIENCE : SILENCE;
        expect(await prober.echoed(session, sequence, within), `${counter}`).toBe(expected);
      };
      await accepts(9000n, true);
      await accepts(9000n - 8128n, true);
      await accepts(9000n - 8129n, false);
      await accepts(9000n, false);
      await accepts(9000n - 8128n, false);
      await accepts(8999n, true);
    });

    it('checks the window after the tag: a forged high counter does not move it', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const forged = echo(prober, session, 1, 1_000_000n);
      forged[forged.length - 1] ^= 1;
      await prober.send(forged);
      expect(await prober.ping(session)).toBe(true);
    });

    it('keeps apart counters that are equal in their low 32 bits, and stops at the limit', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      let sequence = 100;
      const accepts = async (counter: bigint, expected: boolean) => {
        await prober.send(echo(prober, session, ++sequence, counter));
        const within = expected ? PATIENCE : SILENCE;
        expect(await prober.echoed(session, sequence, within), `${counter}`).toBe(expected);
      };
      const edges = [2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 5n, 2n ** 33n + 5n, 2n ** 53n, 2n ** 53n + 1n];
      for (const counter of edges) await accepts(counter, true);
      for (const counter of edges.slice(-2)) await accepts(counter, false);
      await accepts(5n, false);
      await accepts(REJECT_AFTER_MESSAGES - 1n, true);
      await accepts(REJECT_AFTER_MESSAGES, false);
      await accepts(2n ** 64n - 1n, false);
      await accepts(2n ** 60n, false);
    });

    it('sends counters 0, 1, 2 ... itself, each once', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      for (let i = 0; i < 20; i++) expect(await prober.ping(session)).toBe(true);
      const counters = prober.port.captured
        .filter((datagram) => typeOf(datagram) === DATA)
        .map((datagram) => counterOf(datagram.bytes));
      expect(counters).toEqual(counters.map((_, i) => BigInt(i)));
      expect(counters.length).toBeGreaterThanOrEqual(20);
    });
  });

  describe('row 12: padding and lengths', () => {
    it('pads to 16 bytes with zeros and never beyond the MTU', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const inside = await lab.inside();
      for (const length of [28, 29, 43, 44, 45, 1000, 1404, 1405, 1419, 1420]) {
        await inside.send(new Uint8Array(length - 28).fill(0xa5), { address: prober.inner4, port: 9 });
        const content = await prober.content(session);
        expect(content!.length, `a packet of ${length}`).toBe(Math.min((length + 15) & ~15, 1420));
        expect(content!.slice(length).every((byte) => byte === 0)).toBe(true);
        expect((content![2] << 8) | content![3]).toBe(length);
      }
      inside.close();
    });

    it('accepts packets without padding and with too much of it', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      for (const extra of [0, 1, 5, 16, 100]) {
        const sequence = 0x3000 + extra;
        const packet = echoRequest({
          source: prober.inner4,
          destination: OURS.inner4,
          sequence,
          size: 33,
        });
        await prober.send(session.seal(concat(packet, new Uint8Array(extra))));
        expect(await prober.echoed(session, sequence), `${extra} bytes behind the packet`).toBe(true);
      }
    });

    it('drops packets whose length field is beyond the message or below the header, and odd versions', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const inside = await lab.inside();
      const to = { destinationPort: inside.port, sourcePort: 7, data: ascii('bad') };
      const good4 = padded(udpPacket({ source: prober.inner4, destination: OURS.inner4, ...to }));
      const good6 = padded(udpPacket({ source: prober.inner6, destination: OURS.inner6, ...to }));
      const bad = [
        changed(good4, 3, good4.length + 1),
        changed(good4, 2, 0xff),
        changed(good4, 3, 19),
        changed(changed(good4, 2, 0), 3, 0),
        changed(good4, 0, 0x55),
        changed(good4, 0, 0x05),
        changed(good6, 5, good6.length),
        changed(good6, 4, 0xff),
        good4.slice(0, 19),
        good4.slice(0, 1),
        good6.slice(0, 39),
      ];
      for (const content of bad) await prober.send(session.seal(content));
      expect(await inside.during(SILENCE)).toEqual([]);
      await prober.send(session.seal(good4));
      expect(await inside.next(() => true)).toBeDefined();
      inside.close();
    });
  });

  describe('whatever IP carries', () => {
    it('IPv6 extension headers', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const [source, destination] = [prober.inner6, OURS.inner6];
      // Options for experiments that a receiver skips (RFC 8200 section 4.2, RFC 4727 section 3.3), header after header.
      const options = (next: number, octets: number) =>
        concat(new Uint8Array([next, octets / 8 - 1, 0x1e, octets - 4]), new Uint8Array(octets - 4));
      let sequence = 0x5000;
      for (const octets of [[8], [16, 8], [256], [256, 256, 64]]) {
        const headers = octets.map((length, i) =>
          options(i + 1 < octets.length ? DESTINATION_OPTIONS : ICMPV6, length),
        );
        const payload = concat(...headers, echoMessage({ source, destination, sequence: ++sequence }));
        const packet = ipv6({ source, destination, protocol: DESTINATION_OPTIONS, payload });
        await prober.send(session.seal(padded(packet)));
        expect(await prober.echoed(session, sequence), `options of ${octets} bytes`).toBe(true);
      }
    });

    it('IPv4 fragments, in any order', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const [source, destination] = [prober.inner4, OURS.inner4];
      const whole = echoMessage({ source, destination, sequence: 0x5100, size: 3000 });
      const fragments = [0, 1, 2].map((i) =>
        ipv4({
          ...{ source, destination, protocol: ICMP, identification: 77 },
          payload: whole.slice(i * 1024, (i + 1) * 1024),
          fragmentOffset: i * 1024,
          moreFragments: i < 2,
        }),
      );
      for (const i of [2, 0, 1]) await prober.send(session.seal(padded(fragments[i])));
      expect(await prober.echoed(session, 0x5100)).toBe(true);
    });

    it('protocols it does not know, and packets without any payload', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const [source, destination] = [prober.inner6, OURS.inner6];
      const empty = new Uint8Array(0);
      for (const protocol of [NO_NEXT_HEADER, 253, 0])
        await prober.send(session.seal(padded(ipv6({ source, destination, protocol, payload: empty }))));
      await prober.send(
        session.seal(
          padded(ipv4({ source: prober.inner4, destination: OURS.inner4, protocol: 253, payload: empty })),
        ),
      );
      expect(await prober.ping(session)).toBe(true);
      const { received } = await lab.subject.status(prober.keys.publicKey);
      // All of them were authentic: initiation, keepalive, four packets, one echo request.
      expect(received).toBe(148 + 32 + 3 * (48 + 32) + (32 + 32) + (48 + 32));
    });

    it('no byte of a data message can be changed', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const inside = await lab.inside();
      const { inner4: source } = prober;
      const to = { destination: OURS.inner4, destinationPort: inside.port, sourcePort: 7 };
      const message = session.seal(padded(udpPacket({ source, ...to, data: ascii('x') })));
      for (let at = 0; at < message.length; at++)
        await prober.send(changed(message, at, message[at] ^ (1 << (at & 7))));
      expect(await inside.during(SILENCE)).toEqual([]);
      await prober.send(message);
      expect(await inside.next(() => true)).toBeDefined();
      inside.close();
    });
  });
});
