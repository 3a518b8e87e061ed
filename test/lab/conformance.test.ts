/**
 * The conformance checklist as probes from outside: one gateway, a fresh peer for every test. LAB_CONTROL=1 runs the
 * same probes against wireguard-go. A test for silence always ends by showing that the subject still answers.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withMacs } from '../wireguard/reference/cookie.js';
import { base64, hex, keyPair } from '../wireguard/reference/identity.js';
import { REJECT_AFTER_MESSAGES } from '../wireguard/reference/replay.js';
import { counterOf, padded, readU32, type Session, u32 } from '../wireguard/reference/session.js';
import { ascii, type Bytes, concat, hash, hmacHash } from '../wireguard/reference/symmetric.js';
import { nanosecondsOf } from '../wireguard/reference/tai64n.js';
import { LOW_ORDER_POINTS } from '../wireguard/reference/x25519.js';
import {
  ACK,
  DESTINATION_OPTIONS,
  echoMessage,
  echoRequest,
  ICMP,
  ICMPV6,
  ipv4,
  ipv6,
  NO_NEXT_HEADER,
  readTcp,
  SYN,
  tcpPacket,
  udpPacket,
} from './inner-packet.js';
import { OURS } from './pair.js';
import { ProbeLab } from './probe-lab.js';
import { DATA, freshTimestamp, INITIATION, type Prober, RESPONSE, typeOf } from './prober.js';
import { labSuite } from './requirements.js';
import { CONTROL, NEEDS, NODE_SOCKETS, SUBJECT } from './subject.js';
import { sleep, until } from './wait.js';

/** How long a test listens for an answer that must not come; answers on this cable take a few ms. */
const SILENCE = 150;
/** How long it waits for an answer that must come. */
const PATIENCE = 2000;

labSuite(`${SUBJECT}: conformance`, NEEDS, () => {
  let lab: ProbeLab;
  beforeAll(async () => {
    lab = await ProbeLab.start();
  }, 30_000);
  afterAll(() => lab?.close());

  /** Sends each message; nothing may come back, and the subject must still be there afterwards. */
  async function expectSilence(prober: Prober, messages: readonly Bytes[]): Promise<void> {
    for (const message of messages) await prober.send(message);
    const heard = await prober.port.during(SILENCE);
    expect(heard.map((datagram) => hex(datagram.bytes))).toEqual([]);
    expect(await prober.ping(await prober.connect())).toBe(true);
  }

  function changed(message: Bytes, at: number, value: number): Bytes {
    const copy = message.slice();
    copy[at] = value;
    return copy;
  }

  describe('row 1: type and size', () => {
    it('is silent when a reserved byte is not zero', async () => {
      const prober = await lab.prober();
      // The macs are made over the changed header, so that only the reserved bytes are wrong.
      const messages = [1, 2, 3].map((at) => {
        const { message } = prober.initiation();
        return withMacs(changed(message.slice(0, 116), at, 1), lab.subject.publicKey);
      });
      await expectSilence(prober, messages);
    });

    it('is silent to an initiation one byte too short or too long', async () => {
      const prober = await lab.prober();
      const { message } = prober.initiation();
      const long = withMacs(concat(message.slice(0, 116), new Uint8Array(1)), lab.subject.publicKey);
      const short = withMacs(message.slice(0, 115), lab.subject.publicKey);
      await expectSilence(prober, [
        message.slice(0, 147),
        concat(message, new Uint8Array(1)),
        long,
        short,
        new Uint8Array(0),
        message.slice(0, 1),
        message.slice(0, 4),
      ]);
    });

    it('drops data messages shorter than 32 bytes and of unknown receivers', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      const good = session.seal(padded(prober.echo(session).packet));
      await prober.send(good.slice(0, 31));
      await prober.send(good.slice(0, 16));
      await prober.send(good.slice(0, 15));
      await prober.send(concat(good.slice(0, 4), u32(session.remoteIndex ^ 1), good.slice(8)));
      expect(await prober.port.during(SILENCE)).toEqual([]);
      expect(await prober.ping(session)).toBe(true);
    });
  });

  describe('row 2: mac1', () => {
    it('is silent when a bit of mac1 or of what it covers is flipped', async () => {
      const prober = await lab.prober();
      const { message } = prober.initiation();
      const messages = [4, 8, 40, 88, 115, 116, 131].map((at) => changed(message, at, message[at] ^ 0x10));
      await expectSilence(prober, messages);
    });

    it('is silent when mac1 is an HMAC instead of a keyed hash', async () => {
      const prober = await lab.prober();
      const body = prober.initiation().message.slice(0, 116);
      const wrong = hmacHash(hash(ascii('mac1----'), lab.subject.publicKey), body).slice(0, 16);
      await expectSilence(prober, [concat(body, wrong, new Uint8Array(16))]);
    });

    it('does not read mac2 when it is not under load', async () => {
      const prober = await lab.prober();
      const initiation = prober.initiation({ cookie: new Uint8Array(randomBytes(16)) });
      await prober.send(initiation.message);
      expect(initiation.complete((await prober.answerTo(initiation))!.bytes)).toBeDefined();
    });
  });

  describe('row 3: silence', () => {
    it('to an unknown static key', async () => {
      const prober = await lab.prober();
      await expectSilence(prober, [prober.initiation({ static: keyPair() }).message]);
    });

    it('to a known static key without its private key', async () => {
      const prober = await lab.prober();
      const thief = { privateKey: keyPair().privateKey, publicKey: prober.keys.publicKey };
      await expectSilence(prober, [prober.initiation({ static: thief }).message]);
    });

    it('to responses, cookie replies and data nobody asked for, and to noise of every length', async () => {
      const prober = await lab.prober();
      const noise = (type: number, length: number) =>
        concat(new Uint8Array([type, 0, 0, 0]), new Uint8Array(randomBytes(length - 4)));
      const response = withMacs(noise(2, 60), lab.subject.publicKey);
      const lengths = [4, 8, 12, 31, 32, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1452];
      const types = [0, 1, 2, 3, 4, 5, 255];
      await expectSilence(prober, [
        response,
        noise(3, 64),
        ...types.flatMap((type) => lengths.map((length) => noise(type, length))),
      ]);
    });
  });

  describe('row 4: timestamps', () => {
    it('is silent to the same initiation twice and to an older or equal stamp', async () => {
      const prober = await lab.prober();
      const older = freshTimestamp();
      const initiation = prober.initiation();
      await prober.send(initiation.message);
      expect(await prober.answerTo(initiation)).toBeDefined();
      const equalStamp = freshTimestamp();
      await sleep(30);
      await prober.initiate({ timestamp: equalStamp });
      await sleep(30);
      await expectSilence(prober, [initiation.message]);
      await sleep(30);
      const before = prober.port.captured.length;
      for (const timestamp of [older, equalStamp]) {
        await prober.send(prober.initiation({ timestamp }).message);
        await sleep(30);
      }
      await sleep(SILENCE);
      expect(prober.port.captured.slice(before).filter((each) => typeOf(each) === RESPONSE)).toEqual([]);
      expect(await prober.ping(await prober.connect())).toBe(true);
    });

    it('still knows the greatest stamp after the peer was configured anew', async () => {
      const prober = await lab.prober();
      const old = prober.initiation();
      await sleep(30);
      await prober.connect();
      const key = base64(prober.keys.publicKey);
      await lab.subject.set('peer', key, 'persistent-keepalive', '60', 'allowed-ips', '10.99.250.0/24');
      await lab.subject.set('peer', key, 'persistent-keepalive', '0', 'allowed-ips', `${prober.inner4}/32`);
      await sleep(30);
      prober.port.drain();
      await expectSilence(prober, [old.message]);
    });

    it('does not let a stamp far in the future of a stranger matter', async () => {
      const prober = await lab.prober();
      const far = new Uint8Array(12).fill(0xff);
      await expectSilence(prober, [prober.initiation({ static: keyPair(), timestamp: far }).message]);
    });
  });

  it('row 5: answers one of two initiations within 20 ms', async () => {
    const prober = await lab.prober();
    const pair = [prober.initiation(), prober.initiation()];
    prober.port.flood(
      pair.map((initiation) => initiation.message),
      prober.target,
    );
    await prober.answerTo(pair[0]);
    await sleep(SILENCE);
    const answers = prober.port.captured.filter((datagram) => typeOf(datagram) === RESPONSE);
    expect(answers.length).toBe(1);
    expect(readU32(answers[0].bytes, 8)).toBe(pair[0].senderIndex);
    expect(await prober.ping(await prober.connect())).toBe(true);
  });

  describe('row 6: points of low order', () => {
    it('is silent to an initiation whose ephemeral key is of low order', async () => {
      const prober = await lab.prober();
      const zero = new Uint8Array(32);
      for (const publicKey of LOW_ORDER_POINTS) {
        const { message } = prober.initiation({
          ephemeral: { privateKey: keyPair().privateKey, publicKey },
          ephemeralSecret: zero,
        });
        await prober.send(message);
        await sleep(25);
      }
      expect(await prober.port.during(SILENCE)).toEqual([]);
      expect(await prober.ping(await prober.connect())).toBe(true);
    });

    it('opens no session on a response whose ephemeral key is of low order', async () => {
      // Debian's wireguard-go of 2022 checks the two DH results of the initiation only.
      if (CONTROL) return;
      const prober = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      await inside.send(ascii('wake up'), { address: prober.inner4, port: 9 });
      await prober.respond(1000, {
        ephemeral: { privateKey: keyPair().privateKey, publicKey: LOW_ORDER_POINTS[0] },
        ephemeralSecret: new Uint8Array(32),
      });
      const data = await prober.port.during(SILENCE, (datagram) => typeOf(datagram) === DATA);
      expect(data).toEqual([]);
      inside.close();
    });
  });

  describe('row 7: preshared keys', () => {
    it('opens a session with the right key, and none with a wrong one or without', async () => {
      const presharedKey = keyPair().privateKey;
      const prober = await lab.prober({ presharedKey });
      expect(await prober.ping(await prober.connect())).toBe(true);
      for (const wrong of [keyPair().privateKey, undefined]) {
        await sleep(30);
        // The key is mixed in last: the response comes, but does not open.
        const initiation = prober.initiation({ presharedKey: wrong });
        await prober.send(initiation.message);
        expect(initiation.complete((await prober.answerTo(initiation))!.bytes)).toBe(undefined);
      }
    });
  });

  it('row 8: sender indices over 50 rekeys are unique and not in sequence', async () => {
    const prober = await lab.prober();
    const indices: number[] = [];
    for (let i = 0; i < 50; i++) {
      const initiation = prober.initiation();
      await prober.send(initiation.message);
      const answer = await prober.answerTo(initiation);
      indices.push(readU32(answer!.bytes, 4));
      await sleep(21);
    }
    expect(new Set(indices).size).toBe(50);
    const steps = new Set(indices.slice(1).map((index, i) => (index - indices[i]) >>> 0));
    expect(steps.size).toBe(49);
    // 50 random numbers all below 2^28 happen once in 2^200 runs.
    expect(Math.max(...indices)).toBeGreaterThan(2 ** 28);
  }, 15_000);

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

  describe('row 29: inner checksums are the receiver’s to judge', () => {
    for (const family of [4, 6] as const) {
      it(`IPv${family}: a UDP packet with a wrong checksum is not delivered`, async () => {
        const prober = await lab.prober();
        const session = await prober.connect();
        const inside = await lab.inside(family);
        const [source, destination] =
          family === 4 ? [prober.inner4, OURS.inner4] : [prober.inner6, OURS.inner6];
        const to = { source, destination, sourcePort: 7, destinationPort: inside.port };
        const packets = Array.from({ length: 20 }, (_, i) => {
          const packet = udpPacket({ ...to, data: concat(u32(i), new Uint8Array(500)) });
          // A byte of the payload, as a broken router on the way would change it.
          return i % 3 === 1 ? changed(packet, packet.length - 9, 0x77) : packet;
        });
        prober.port.flood(
          packets.map((packet) => session.seal(padded(packet))),
          prober.target,
        );
        await inside.next(({ bytes }) => readU32(bytes, 0) === 18, PATIENCE);
        await sleep(SILENCE);
        const arrived = inside.captured.map((datagram) => readU32(datagram.bytes, 0));
        expect(arrived).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((i) => i % 3 !== 1));
        inside.close();
      });

      it(`IPv${family}: a TCP segment with a wrong checksum is not repaired among good ones`, async () => {
        const prober = await lab.prober();
        const session = await prober.connect();
        const [source, destination] =
          family === 4 ? [prober.inner4, OURS.inner4] : [prober.inner6, OURS.inner6];
        const stop = await discardServer(destination);
        const to = { source, destination, sourcePort: 4000, destinationPort: DISCARD };
        const send = (packets: Bytes[]) =>
          prober.port.flood(
            packets.map((packet) => session.seal(padded(packet))),
            prober.target,
          );
        const answer = async (within = 1000) => {
          const content = await prober.content(session, within);
          return content && readTcp(content);
        };
        send([tcpPacket({ ...to, sequence: 999, acknowledgement: 0, flags: SYN })]);
        const synAck = (await answer())!;
        expect(synAck.flags).toBe(SYN | ACK);
        const acknowledgement = (synAck.sequence + 1) >>> 0;
        const size = 1000;
        const segment = (i: number) =>
          tcpPacket({
            ...to,
            sequence: 1000 + i * size,
            acknowledgement,
            flags: ACK,
            data: new Uint8Array(size).fill(65 + i),
          });
        const segments = Array.from({ length: 12 }, (_, i) => segment(i));
        send([tcpPacket({ ...to, sequence: 1000, acknowledgement, flags: ACK })]);
        send(segments.map((packet, i) => (i === 5 ? changed(packet, packet.length - 3, 0x77) : packet)));
        /** The greatest acknowledgement, once `expected` has come and a while has passed. */
        const acknowledged = async (expected: number) => {
          let most = 0;
          for (;;) {
            const each = await answer(most < expected ? PATIENCE : SILENCE);
            if (!each) return most;
            most = Math.max(most, each.acknowledgement);
          }
        };
        expect(await acknowledged(1000 + 5 * size)).toBe(1000 + 5 * size);
        send([segments[5]]);
        expect(await acknowledged(1000 + 12 * size)).toBe(1000 + 12 * size);
        stop();
      });
    }

    const DISCARD = 5009;

    /** A TCP server inside that takes everything and says nothing; the function ends it. */
    async function discardServer(address: string): Promise<() => void> {
      const server = lab.space.spawn(
        [
          process.execPath,
          '-e',
          `require('node:net').createServer((s) => s.resume()).listen(${DISCARD}, '${address}')`,
        ],
        { logFile: `${lab.lab.directory}/discard.log` },
      );
      await until('the discard server', 5000, async () =>
        (await lab.space.get(['ss', '-Hltn', `sport = :${DISCARD}`])).includes(`:${DISCARD}`),
      );
      return () => server.kill('SIGKILL');
    }
  });

  describe('row 13: allowed addresses', () => {
    it('drops inner sources that belong to another peer or to nobody, IPv4 and IPv6', async () => {
      const prober = await lab.prober();
      const other = await lab.prober();
      const session = await prober.connect();
      const inside4 = await lab.inside(4);
      const inside6 = await lab.inside(6);
      const send = (source: string, destination: string, port: number) =>
        prober.send(
          session.seal(
            padded(
              udpPacket({ source, destination, sourcePort: 7, destinationPort: port, data: ascii('spoof') }),
            ),
          ),
        );
      for (const source of [other.inner4, OURS.inner4, '10.99.200.1', '127.0.0.1', '8.8.8.8'])
        await send(source, OURS.inner4, inside4.port);
      for (const source of [other.inner6, OURS.inner6, 'fd99::ffff', '::1', '2001:db8::1'])
        await send(source, OURS.inner6, inside6.port);
      expect(await inside4.during(SILENCE)).toEqual([]);
      expect(inside6.captured).toEqual([]);
      await send(prober.inner4, OURS.inner4, inside4.port);
      await send(prober.inner6, OURS.inner6, inside6.port);
      expect((await inside4.next(() => true))?.from.address).toBe(prober.inner4);
      expect((await inside6.next(() => true))?.from.address).toBe(prober.inner6);
      inside4.close();
      inside6.close();
    });

    it('sends by the longest prefix, and a prefix given to another peer moves', async () => {
      const wide = await lab.prober({ allowedIps: ['10.99.64.0/18', 'fd99::4000:0/98'] });
      const narrow = await lab.prober({ allowedIps: ['10.99.65.7/24', 'fd99::4000:100/120'] });
      const sessions = [await wide.connect(), await narrow.connect()];
      const arrivals = async (address: string) => {
        const inside = await lab.inside(address.includes(':') ? 6 : 4);
        const first = [wide, narrow].map((prober) => prober.port.captured.length);
        await inside.send(ascii('whom'), { address, port: 9 });
        const takers = () =>
          [wide, narrow].map((prober, i) =>
            prober.port.captured.slice(first[i]).some(({ bytes }) => sessions[i].decrypt(bytes)?.length),
          );
        await until('the packet comes out', PATIENCE, () => takers().includes(true), 5);
        await sleep(SILENCE / 3);
        inside.close();
        const [byWide, byNarrow] = takers();
        return `${byWide ? 'wide' : ''}${byNarrow ? 'narrow' : ''}`;
      };
      expect(await arrivals('10.99.65.200')).toBe('narrow');
      expect(await arrivals('10.99.66.1')).toBe('wide');
      expect(await arrivals('fd99::4000:1ff')).toBe('narrow');
      expect(await arrivals('fd99::4000:200')).toBe('wide');
      // Host bits were masked: what was given as 10.99.65.7/24 is a network.
      expect((await lab.subject.status(narrow.keys.publicKey)).allowedIps).toContain('10.99.65.0/24');
      const key = base64(wide.keys.publicKey);
      await lab.subject.set('peer', key, 'allowed-ips', `${wide.inner4}/32,10.99.64.0/18,10.99.65.0/24`);
      expect(await arrivals('10.99.65.200')).toBe('wide');
      expect((await lab.subject.status(narrow.keys.publicKey)).allowedIps).not.toContain('10.99.65.0/24');
    });
  });

  describe('row 14: endpoints', () => {
    it('follows authenticated data to a new port and address', async () => {
      const prober = await lab.prober();
      const session = await prober.connect();
      for (const address of ['10.51.0.2', '10.51.1.2']) {
        const port = await lab.port(address);
        expect(await prober.ping(session, 8, 4, port)).toBe(true);
        const { endpoint } = await lab.subject.status(prober.keys.publicKey);
        expect(endpoint).toBe(`${address}:${port.port}`);
      }
    });

    it('stays for a wrong tag, a replay, a replayed initiation and plain noise', async () => {
      const prober = await lab.prober();
      const initiation = prober.initiation();
      await prober.send(initiation.message);
      const session = initiation.complete((await prober.answerTo(initiation))!.bytes)!;
      const first = prober.echo(session);
      await prober.send(first.message);
      expect(await prober.echoed(session, first.sequence)).toBe(true);
      const { endpoint } = await lab.subject.status(prober.keys.publicKey);
      const forged = prober.echo(session).message;
      forged[20] ^= 1;
      const thief = await lab.port('10.51.1.2');
      for (const message of [first.message, forged, initiation.message, changed(first.message, 4, 0)])
        await thief.send(message, prober.target);
      expect(await thief.during(SILENCE)).toEqual([]);
      expect((await lab.subject.status(prober.keys.publicKey)).endpoint).toBe(endpoint);
      expect(await prober.ping(session)).toBe(true);
      expect(thief.captured).toEqual([]);
    });

    it('follows a valid initiation from a new place', async () => {
      const prober = await lab.prober();
      await prober.connect();
      await sleep(30);
      const port = await lab.port('10.51.1.2');
      const session = await prober.initiate({}, port);
      expect((await lab.subject.status(prober.keys.publicKey)).endpoint).toBe(`10.51.1.2:${port.port}`);
      expect(await prober.ping(session, 8, 4, port)).toBe(true);
    });

    it('works over IPv6 outside and moves between the families', async () => {
      const prober = await lab.prober({ outer: 6 });
      const session = await prober.connect();
      expect(await prober.ping(session, 100, 6)).toBe(true);
      prober.target = lab.target(4);
      const port = await lab.port();
      expect(await prober.ping(session, 100, 6, port)).toBe(true);
      expect((await lab.subject.status(prober.keys.publicKey)).endpoint).toBe(`10.51.0.2:${port.port}`);
    });
  });

  // Node's own sockets do not tell which address a datagram was sent to, so the tiers made of them answer from the one
  // that routing picks. This is known to fail there, and says so as soon as it no longer does.
  const stickySource = CONTROL || !NODE_SOCKETS ? it : it.fails;
  stickySource('row 15: answers from the address that was asked', async () => {
    for (const [family, second] of [
      [4, '10.51.1.1'],
      [6, 'fd51::1:1'],
    ] as const) {
      const prober = await lab.prober({ outer: family });
      prober.target = { address: second, port: OURS.port };
      const session = await prober.connect();
      expect(await prober.ping(session)).toBe(true);
      expect(new Set(prober.port.captured.map((datagram) => datagram.from.address))).toEqual(
        new Set([second]),
      );
    }
  });

  describe('rows 16 to 18: key pairs', () => {
    it('sends nothing on a new pair before its initiator has', async () => {
      const prober = await lab.prober();
      const session = await prober.initiate();
      const inside = await lab.inside();
      await inside.send(ascii('too early'), { address: prober.inner4, port: 9 });
      const early = await prober.port.during(SILENCE, (datagram) => typeOf(datagram) === DATA);
      expect(early).toEqual([]);
      await prober.send(session.seal());
      expect((await prober.content(session))?.slice(28, 37)).toEqual(ascii('too early'));
      const first = prober.port.captured.find((datagram) => typeOf(datagram) === DATA)!;
      expect(counterOf(first.bytes)).toBe(0n);
      inside.close();
    });

    it('keeps using the old pair until the new one is confirmed', async () => {
      const prober = await lab.prober();
      const old = await prober.connect();
      expect(await prober.ping(old)).toBe(true);
      await sleep(30);
      const next = await prober.initiate();
      const inside = await lab.inside();
      await inside.send(ascii('on the old one'), { address: prober.inner4, port: 9 });
      expect(await prober.content(old)).toBeDefined();
      await prober.send(next.seal());
      await sleep(30);
      await inside.send(ascii('on the new one'), { address: prober.inner4, port: 9 });
      expect(await prober.content(next)).toBeDefined();
      // Row 18: what was under way on the old pair still gets in.
      const late = prober.echo(old);
      await prober.send(late.message);
      expect(await prober.echoed(next, late.sequence)).toBe(true);
      inside.close();
    });

    it('forgets pairs that others have replaced', async () => {
      const prober = await lab.prober();
      const sessions: Session[] = [];
      // The paper keeps one behind the current pair; our gateway one more, for packets under way while initiations cross.
      for (let i = 0; i < 4; i++) {
        sessions.push(await prober.connect());
        await sleep(30);
      }
      const late = prober.echo(sessions[0]);
      await prober.send(late.message);
      expect(await prober.echoed(sessions[3], late.sequence, SILENCE)).toBe(false);
      expect(await prober.ping(sessions[3])).toBe(true);
    });

    it('as initiator uses its pair at once: the staged packet, or a keepalive when there is none', async () => {
      const staged = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      await inside.send(ascii('staged'), { address: staged.inner4, port: 9 });
      const session = await staged.respond();
      expect((await staged.content(session))?.slice(28, 34)).toEqual(ascii('staged'));
      inside.close();
      const idle = await lab.prober({ reachable: true, persistentKeepalive: 25 });
      const other = await idle.respond();
      const first = await idle.port.next((datagram) => typeOf(datagram) === DATA);
      expect(first!.bytes.length).toBe(32);
      expect(counterOf(first!.bytes)).toBe(0n);
      expect(other.open(first!.bytes)?.length).toBe(0);
    });

    it('as initiator ignores a second response to the same initiation', async () => {
      const prober = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      await inside.send(ascii('one'), { address: prober.inner4, port: 9 });
      const received = await prober.awaitInitiation();
      const first = received!.initiation.respond();
      await prober.send(first.message);
      expect(await prober.content(first.session)).toBeDefined();
      const second = received!.initiation.respond();
      await prober.send(second.message);
      await sleep(50);
      await inside.send(ascii('two'), { address: prober.inner4, port: 9 });
      expect(await prober.content(first.session)).toBeDefined();
      inside.close();
    });
  });

  it('sends its own stamps growing and cut to steps of 16.8 ms', async () => {
    const prober = await lab.prober({ reachable: true });
    const inside = await lab.inside();
    const stamps: bigint[] = [];
    const key = base64(prober.keys.publicKey);
    for (let i = 0; i < 4; i++) {
      // A peer that is made anew starts a handshake at once.
      await inside.send(ascii('wake up'), { address: prober.inner4, port: 9 });
      stamps.push(nanosecondsOf((await prober.awaitInitiation())!.initiation.timestamp));
      await lab.subject.set('peer', key, 'remove');
      await lab.subject.set(
        'peer',
        key,
        'endpoint',
        `10.51.0.2:${prober.port.port}`,
        'allowed-ips',
        `${prober.inner4}/32`,
      );
      await sleep(40);
    }
    for (let i = 1; i < stamps.length; i++) expect(stamps[i]).toBeGreaterThan(stamps[i - 1]);
    for (const stamp of stamps) expect((stamp % 1_000_000_000n) % 2n ** 24n).toBe(0n);
    inside.close();
  });

  it('row 26: keeps the last 128 packets that wait for a session', async () => {
    const prober = await lab.prober({ reachable: true });
    const inside = await lab.inside();
    for (let i = 0; i < 200; i++) await inside.send(u32(i), { address: prober.inner4, port: 9 });
    await sleep(200);
    const session = await prober.respond();
    const numbers: number[] = [];
    for (;;) {
      const content = await prober.content(session, 300);
      if (!content) break;
      numbers.push(readU32(content, 28));
    }
    expect(numbers).toEqual(Array.from({ length: 128 }, (_, i) => 72 + i));
    inside.close();
  });

  it('row 27: simultaneous initiations converge', async () => {
    for (let round = 0; round < 10; round++) {
      const prober = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      const mine = prober.initiation();
      await inside.send(ascii('hello'), { address: prober.inner4, port: 9 });
      const theirs = await prober.awaitInitiation();
      await prober.send(mine.message);
      const answer = await prober.answerTo(mine);
      // Both handshakes complete; whichever the subject uses, packets flow both ways.
      const ours = mine.complete(answer!.bytes)!;
      const { message, session } = theirs!.initiation.respond();
      await prober.send(message);
      await sleep(20);
      const { message: echo, sequence } = prober.echo(ours);
      await prober.send(echo);
      const reply = await prober.port.next(
        (datagram) => [ours, session].some((each) => each.decrypt(datagram.bytes)?.length === 48),
        1000,
      );
      expect(reply, `round ${round}, echo ${sequence}`).toBeDefined();
      inside.close();
    }
  });

  it('does not answer an initiation for a peer that was removed', async () => {
    const prober = await lab.prober();
    const session = await prober.connect();
    await lab.subject.set('peer', base64(prober.keys.publicKey), 'remove');
    prober.port.drain();
    await prober.send(prober.initiation().message);
    await prober.send(prober.echo(session).message);
    expect(await prober.port.during(SILENCE)).toEqual([]);
    const other = await lab.prober();
    expect(await other.ping(await other.connect())).toBe(true);
  });

  it('never sent an initiation to a peer without a reason', async () => {
    const prober = await lab.prober({ reachable: true });
    const heard = await prober.port.during(500, (datagram) => typeOf(datagram) === INITIATION);
    expect(heard).toEqual([]);
  });
});
