/**
 * Cookies in both roles, rows 9 and 10 of the conformance checklist: a subject that is flooded asks for cookies, and a
 * subject that is asked sends them.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  cookieFor,
  createCookieReply,
  mac1IsValid,
  mac2IsValid,
  mac2Of,
  openCookieReply,
  withMacs,
} from '../wireguard/reference/cookie.js';
import { hex, keyPair } from '../wireguard/reference/identity.js';
import type { Initiation } from '../wireguard/reference/noise.js';
import { readU32 } from '../wireguard/reference/session.js';
import { ascii, type Bytes, concat } from '../wireguard/reference/symmetric.js';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { ProbeLab } from './probe-lab.js';
import { COOKIE_REPLY, type Prober, RESPONSE, typeOf } from './prober.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';
import { type Target, UdpPort } from './udp-port.js';
import { sleep, until } from './wait.js';

/** Initiations nobody can read but with a valid mac1: what an attacker sends who knows only the public key. */
function junkInitiations(count: number, responderPublicKey: Bytes): Bytes[] {
  return Array.from({ length: count }, () =>
    withMacs(concat(new Uint8Array([1, 0, 0, 0]), new Uint8Array(randomBytes(112))), responderPublicKey),
  );
}

/**
 * Bursts that fill the queue of handshakes again and again, until it is stopped. In between there is room for others:
 * under load and drowned are two things.
 */
class Flood {
  readonly #timer: NodeJS.Timeout;

  constructor(port: UdpPort, target: Target, junk: readonly Bytes[]) {
    this.#timer = setInterval(() => port.flood(junk, target), 250);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

labSuite(`${SUBJECT} under load`, NEEDS, () => {
  let lab: ProbeLab;
  let junk: Bytes[];
  let attacker: UdpPort;
  let flood: Flood | undefined;

  beforeAll(async () => {
    lab = await ProbeLab.start();
    junk = junkInitiations(600, lab.subject.publicKey);
    attacker = await lab.port('10.51.1.2');
  }, 30_000);
  beforeEach(async () => {
    flood = undefined;
    await calm(await lab.prober());
    return () => flood?.stop();
  }, 30_000);
  afterAll(() => lab?.close());

  /** Floods until the subject says that it is under load. */
  async function putUnderLoad(): Promise<void> {
    attacker.drain();
    flood = new Flood(attacker, lab.target(), junk);
    expect(await attacker.next((each) => typeOf(each) === COOKIE_REPLY, 10_000)).toBeDefined();
  }

  /** Waits until initiations are answered without a cookie. */
  async function calm(prober: Prober): Promise<void> {
    await until('the load is over', 10_000, async () => {
      const plain = prober.initiation();
      await prober.send(plain.message);
      const answer = await prober.answerTo(plain, 500);
      return answer && typeOf(answer) === RESPONSE;
    });
  }

  /** Sends fresh initiations until one gets an answer of any kind; a flooded subject may drop some. */
  async function answered(
    prober: Prober,
    make: () => Initiation,
    port = prober.port,
  ): Promise<{ initiation: Initiation; type: number; bytes: Bytes }> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const initiation = make();
      await prober.send(initiation.message, port);
      const answer = await prober.answerTo(initiation, 500, port);
      if (answer) return { initiation, type: typeOf(answer), bytes: answer.bytes };
    }
    throw new Error('no answer to 20 initiations under load');
  }

  async function cookieOf(prober: Prober): Promise<Bytes> {
    const { initiation, type, bytes } = await answered(prober, () => prober.initiation());
    expect(type).toBe(COOKIE_REPLY);
    const cookie = openCookieReply(bytes, initiation.message, lab.subject.publicKey);
    expect(cookie?.length).toBe(16);
    return cookie!;
  }

  it('asks for a cookie, answers with it, and answers without it once the load is over', async () => {
    const prober = await lab.prober();
    await putUnderLoad();
    const cookie = await cookieOf(prober);
    const { initiation, type, bytes } = await answered(prober, () => prober.initiation({ cookie }));
    expect(type).toBe(RESPONSE);
    const session = initiation.complete(bytes)!;
    await prober.send(session.seal());
    flood?.stop();
    expect(await prober.ping(session)).toBe(true);
    await calm(prober);
  }, 30_000);

  it('takes a cookie only from the address and port it was given to', async () => {
    const prober = await lab.prober();
    await putUnderLoad();
    const cookie = await cookieOf(prober);
    for (const address of [THEIRS.v4, '10.51.1.2']) {
      const elsewhere = await lab.port(address);
      const { type } = await answered(prober, () => prober.initiation({ cookie }), elsewhere);
      expect(type).toBe(COOKIE_REPLY);
    }
    const wrong = new Uint8Array(randomBytes(16));
    expect((await answered(prober, () => prober.initiation({ cookie: wrong }))).type).toBe(COOKIE_REPLY);
  }, 30_000);

  it('never answers a bad mac1, whatever its mac2', async () => {
    const prober = await lab.prober();
    await putUnderLoad();
    const cookie = await cookieOf(prober);
    const { message } = prober.initiation();
    const bad = withMacs(message.slice(0, 116), keyPair().publicKey, cookie);
    prober.port.drain();
    for (let i = 0; i < 10; i++) await prober.send(bad);
    expect(await prober.port.during(500)).toEqual([]);
    expect((await answered(prober, () => prober.initiation({ cookie }))).type).toBe(RESPONSE);
  }, 30_000);

  it('answers one source no more than a burst and then 20 times a second', async () => {
    await putUnderLoad();
    // Several peers behind one address: the limit is the address's, not the peer's.
    const probers: Prober[] = [];
    for (let i = 0; i < 12; i++) {
      const known = await lab.prober();
      probers.push(known);
    }
    const cookies = new Map<Prober, Bytes>();
    for (const prober of probers) cookies.set(prober, await cookieOf(prober));
    await sleep(500);
    const before = probers.map((prober) => prober.port.captured.length);
    for (const prober of probers)
      await prober.send(prober.initiation({ cookie: cookies.get(prober) }).message);
    await sleep(300);
    const answers = probers.flatMap((prober, i) =>
      prober.port.captured.slice(before[i]).filter((each) => typeOf(each) === RESPONSE),
    );
    expect(answers.length).toBeGreaterThan(0);
    // A burst of 5, and one more every 50 ms while the twelve were under way.
    expect(answers.length).toBeLessThan(12);
  }, 30_000);

  it('keeps an open session going while it is flooded', async () => {
    const prober = await lab.prober();
    const session = await prober.connect();
    expect(await prober.ping(session)).toBe(true);
    await putUnderLoad();
    let replies = 0;
    for (let i = 0; i < 10; i++) if (await prober.ping(session)) replies++;
    expect(replies).toBeGreaterThanOrEqual(8);
  }, 30_000);
});

labSuite(`${SUBJECT} asked for a cookie`, NEEDS, () => {
  it('waits for its next retry, then sends mac2; a reply to something else changes nothing', async () => {
    const lab = await ProbeLab.start();
    try {
      const inside = await lab.inside();
      const scenario = async (spoil: (reply: Bytes) => Bytes, expectCookie: boolean) => {
        const prober = await lab.prober({ reachable: true });
        await inside.send(ascii('wake up'), { address: prober.inner4, port: 9 });
        const first = (await prober.awaitInitiation())!.datagram;
        expect(hex(mac2Of(first.bytes))).toBe('00'.repeat(16));
        const cookie = cookieFor(new Uint8Array(randomBytes(32)), ascii('where it came from'));
        await prober.send(spoil(createCookieReply(first.bytes, prober.keys.publicKey, cookie)));
        const second = (await prober.awaitInitiation(8000))!.datagram;
        // Rekey-Timeout is 5 s: the reply does not make it hurry.
        expect(second.at - first.at).toBeGreaterThan(4800);
        expect(readU32(second.bytes, 4)).not.toBe(readU32(first.bytes, 4));
        expect(mac1IsValid(second.bytes, prober.keys.publicKey)).toBe(true);
        expect(mac2IsValid(second.bytes, cookie)).toBe(expectCookie);
        if (!expectCookie) expect(hex(mac2Of(second.bytes))).toBe('00'.repeat(16));
      };
      await Promise.all([
        scenario((reply) => reply, true),
        scenario((reply) => {
          reply[63] ^= 1;
          return reply;
        }, false),
        scenario((reply) => {
          reply[4] ^= 1;
          return reply;
        }, false),
        scenario((reply) => reply.slice(0, 63), false),
      ]);
      inside.close();
    } finally {
      lab.close();
    }
  }, 30_000);

  it('reaches a wireguard-go that is under load', async () => {
    const pair = await Pair.start({ endpoints: 'ours' });
    try {
      const attacker = await UdpPort.open(pair.ourSpace, { address: OURS.v4 });
      const target = { address: THEIRS.v4, port: THEIRS.port };
      const flood = new Flood(attacker, target, junkInitiations(600, pair.theirs.publicKey));
      try {
        expect(await attacker.next((each) => typeOf(each) === COOKIE_REPLY, 10_000)).toBeDefined();
        // The first initiation is answered with a cookie, the retry after 5 s with a response.
        const start = performance.now();
        await until('a ping while the other end is flooded', 30_000, () =>
          ping(pair.ourSpace, THEIRS.inner4, { count: 1, patience: 1 }),
        );
        expect(performance.now() - start).toBeGreaterThan(4000);
      } finally {
        flood.stop();
      }
      expect((await pair.ours.status(pair.theirs.publicKey)).latestHandshake).toBeGreaterThan(0);
    } finally {
      pair.close();
    }
  }, 60_000);
});
