/** src/wireguard against the slow twin: the same bytes for the same keys, and one understands the other. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortablePrimitives } from '../../../src/crypto/portable.js';
import { Batch } from '../../../src/packet/batch.js';
import { ENDPOINT_BYTES, writeEndpoint } from '../../../src/packet/endpoint.js';
import type { Store } from '../../../src/ports.js';
import { Device } from '../../../src/wireguard/device.js';
import type { Limits } from '../../../src/wireguard/limits.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';
import { cookieFor, createCookieReply, mac2IsValid, openCookieReply } from './cookie.js';
import { hex, type KeyPair, keyPair } from './identity.js';
import { Initiation, ReceivedInitiation } from './noise.js';
import { REJECT_AFTER_MESSAGES, ReplaySet } from './replay.js';
import { padded, readU32, type Session, u32 } from './session.js';
import type { Bytes } from './symmetric.js';
import { tai64n } from './tai64n.js';

const OUR_INNER = [10, 99, 0, 1];
const TWIN_INNER = [10, 99, 0, 2];
const TWIN_ENDPOINT = new Uint8Array(ENDPOINT_BYTES);
writeEndpoint(TWIN_ENDPOINT, 0, new Uint8Array([192, 0, 2, 7]), 4711);

class MemoryStore implements Store {
  readonly #values = new Map<string, Uint8Array>();
  get(name: string): Uint8Array | undefined {
    return this.#values.get(name);
  }
  set(name: string, value: Uint8Array): void {
    this.#values.set(name, value.slice());
  }
  delete(name: string): void {
    this.#values.delete(name);
  }
}

/** An IPv4 packet with nothing but its lengths and addresses right. */
function packet(from: number[], to: number[], length: number): Bytes {
  const bytes = new Uint8Array(length).fill(0xc3);
  bytes.set([0x45, 0, length >> 8, length, 0, 0, 0, 0, 64, 17, 0, 0, ...from, ...to]);
  return bytes;
}

/** A device with one peer, the twin, at a time and with random bytes that the test chooses. */
class Bench {
  readonly keys = keyPair();
  readonly twin = keyPair();
  readonly device: Device;
  readonly peer: Peer;
  now = 1_000;
  wall = 1_700_000_000_000;
  /** Given out, in order, for requests of their length; then real random bytes. */
  readonly chosen: Bytes[] = [];

  constructor(presharedKey?: Bytes, limits?: Partial<Limits>) {
    const clock = { monotonic: () => this.now, wall: () => this.wall };
    const random = (out: Uint8Array) => {
      const at = this.chosen.findIndex((bytes) => bytes.length === out.length);
      out.set(at < 0 ? randomBytes(out.length) : this.chosen.splice(at, 1)[0]);
    };
    this.device = new Device({
      primitives: new PortablePrimitives(random),
      clock,
      timestamps: new TimestampSource(clock, new MemoryStore()),
      limits: { rekeyJitter: 0, ...limits },
    });
    this.device.setPrivateKey(this.keys.privateKey);
    this.peer = this.device.addPeer(this.twin.publicKey);
    if (presharedKey) this.peer.presharedKey = presharedKey;
    this.peer.setEndpoint(TWIN_ENDPOINT, 0);
    this.device.allowedIps.insert(new Uint8Array(TWIN_INNER), 32, this.peer);
  }

  /** What the device has sent by itself since the last call. */
  outbox(): Bytes[] {
    const { outbox } = this.device;
    const messages: Bytes[] = [];
    for (let i = 0; i < outbox.count; i++) {
      const { [i]: offset } = outbox.offset;
      if (outbox.length[i] > 0) messages.push(outbox.bytes.slice(offset, offset + outbox.length[i]));
    }
    outbox.clear();
    return messages;
  }

  /** Gives the device a datagram; the packet it delivers, if any. */
  open(message: Bytes): Bytes | undefined {
    const batch = new Batch(2000, 1);
    batch.push(message, 0, message.length);
    batch.endpoints.set(TWIN_ENDPOINT);
    this.device.open(batch);
    this.device.advance();
    return batch.length[0] > 0
      ? batch.bytes.slice(batch.offset[0], batch.offset[0] + batch.length[0])
      : undefined;
  }

  /** Gives the device a packet to send; the datagram, unless it waits for a session. */
  seal(content: Bytes): Bytes | undefined {
    const batch = new Batch(2000, 1);
    batch.push(content, 0, content.length);
    this.device.seal(batch);
    return batch.length[0] > 0
      ? batch.bytes.slice(batch.offset[0], batch.offset[0] + batch.length[0])
      : undefined;
  }

  stamp(): Bytes {
    this.wall += 100;
    return tai64n(BigInt(this.wall) * 1_000_000n);
  }

  initiation(more: Partial<{ ephemeral: KeyPair; presharedKey: Bytes; cookie: Bytes }> = {}): Initiation {
    this.now += 100;
    return new Initiation({
      static: this.twin,
      responderPublicKey: this.keys.publicKey,
      timestamp: this.stamp(),
      ...more,
    });
  }

  /** A session that the twin has opened and confirmed. */
  session(presharedKey?: Bytes): Session {
    const initiation = this.initiation({ presharedKey });
    this.open(initiation.message);
    const session = initiation.complete(this.outbox()[0])!;
    this.open(session.seal());
    return session;
  }
}

describe('src/wireguard against the slow twin', () => {
  for (const presharedKey of [undefined, keyPair().privateKey]) {
    const name = presharedKey ? 'with a preshared key' : 'without a preshared key';

    it(`writes the very same initiation, ${name}`, () => {
      const bench = new Bench(presharedKey);
      const ephemeral = keyPair();
      bench.chosen.push(u32(0x01020304), ephemeral.privateKey);
      expect(bench.seal(packet(OUR_INNER, TWIN_INNER, 100))).toBe(undefined);
      bench.device.advance();
      const [message] = bench.outbox();
      const { timestamp } = ReceivedInitiation.read(message, bench.twin)!;
      const twin = new Initiation({
        static: bench.keys,
        responderPublicKey: bench.twin.publicKey,
        timestamp,
        presharedKey,
        ephemeral,
        senderIndex: readU32(message, 4),
      });
      expect(hex(message)).toBe(hex(twin.message));
    });

    it(`writes the very same response, ${name}`, () => {
      const bench = new Bench(presharedKey);
      const ephemeral = keyPair();
      const initiation = bench.initiation({ presharedKey });
      bench.chosen.push(ephemeral.privateKey);
      bench.open(initiation.message);
      const [message] = bench.outbox();
      const twin = ReceivedInitiation.read(initiation.message, bench.keys)!.respond({
        presharedKey,
        ephemeral,
        senderIndex: readU32(message, 4),
      });
      expect(hex(message)).toBe(hex(twin.message));
      expect(hex(message.slice(12, 44))).toBe(hex(ephemeral.publicKey));
    });

    it(`carries packets of every length both ways as responder, ${name}`, () => {
      const bench = new Bench(presharedKey);
      const session = bench.session(presharedKey);
      for (let length = 20; length <= 1420; length += length < 64 ? 1 : 27) {
        const out = packet(OUR_INNER, TWIN_INNER, length);
        const content = session.open(bench.seal(out)!)!;
        expect(hex(content)).toBe(hex(padded(out).slice(0, 1420)));
        const back = packet(TWIN_INNER, OUR_INNER, length);
        expect(hex(bench.open(session.seal(padded(back)))!)).toBe(hex(back));
      }
    });

    it(`carries packets both ways as initiator, ${name}`, () => {
      const bench = new Bench(presharedKey);
      const staged = packet(OUR_INNER, TWIN_INNER, 77);
      bench.seal(staged);
      bench.device.advance();
      const received = ReceivedInitiation.read(bench.outbox()[0], bench.twin)!;
      const { message, session } = received.respond({ presharedKey });
      bench.open(message);
      const [first] = bench.outbox();
      expect(hex(session.open(first)!)).toBe(hex(padded(staged)));
      const back = packet(TWIN_INNER, OUR_INNER, 333);
      expect(hex(bench.open(session.seal(padded(back)))!)).toBe(hex(back));
    });
  }

  it('seals a data message to the very same bytes', () => {
    const bench = new Bench();
    const session = bench.session();
    const out = packet(OUR_INNER, TWIN_INNER, 501);
    const message = bench.seal(out)!;
    // The twin in our place: our sending key is its receiving key.
    const { receiveKey, localIndex } = session;
    const mirrored = Object.assign(Object.create(Object.getPrototypeOf(session)), {
      sendKey: receiveKey,
      remoteIndex: localIndex,
    }) as Session;
    expect(hex(message)).toBe(hex(mirrored.seal(padded(out), 0n)));
  });

  it('accepts and refuses counters as the set of all counters does', () => {
    const content = padded(packet(TWIN_INNER, OUR_INNER, 20));
    // Mostly around the greatest counter so far and the window's edge; sometimes far ahead, up to the limit itself.
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ after: fc.bigInt(-40n, 40n) }) },
      { weight: 4, arbitrary: fc.record({ after: fc.bigInt(-8135n, -8120n) }) },
      { weight: 4, arbitrary: fc.record({ after: fc.bigInt(-9000n, 9000n) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          at: fc.constantFrom(2n ** 32n, 2n ** 53n, 2n ** 60n, REJECT_AFTER_MESSAGES),
          after: fc.bigInt(-70n, 70n),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 300 }), (steps) => {
        const bench = new Bench();
        const session = bench.session();
        const model = new ReplaySet();
        model.accept(0n);
        for (const { after, ...place } of steps) {
          const counter = ('at' in place ? place.at : model.greatest) + after;
          if (counter < 0n || counter >= 2n ** 64n) continue;
          const before = model.greatest;
          const delivered = bench.open(session.seal(content, counter)) !== undefined;
          expect(delivered, `counter ${counter} after ${before}`).toBe(model.accept(counter));
        }
      }),
      { numRuns: 15 },
    );
  });

  it('lets no message through that has any byte changed', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.outbox();
    const data = session.seal(padded(packet(TWIN_INNER, OUR_INNER, 60)));
    const initiation = bench.initiation().message;
    for (const [message, end] of [
      [data, data.length],
      // An idle device does not read mac2.
      [initiation, initiation.length - 16],
    ] as const) {
      for (let at = 0; at < end; at++) {
        const changed = message.slice();
        changed[at] ^= 1 << (at & 7);
        expect(bench.open(changed), `byte ${at}`).toBe(undefined);
        expect(bench.outbox(), `byte ${at}`).toEqual([]);
      }
    }
    expect(bench.open(data)).toBeDefined();
    bench.open(initiation);
    expect(bench.outbox().length).toBe(1);
  });

  it('asks for cookies that the twin can read, and takes them back', () => {
    // Under load from the first message on.
    const bench = new Bench(undefined, { underLoadQueue: 1, underLoadHold: 60_000 });
    const first = bench.initiation();
    bench.open(first.message);
    const [reply] = bench.outbox();
    const cookie = openCookieReply(reply, first.message, bench.keys.publicKey)!;
    expect(cookie.length).toBe(16);
    const second = bench.initiation({ cookie });
    bench.open(second.message);
    expect(second.complete(bench.outbox()[0])).toBeDefined();
    const wrong = bench.initiation({ cookie: new Uint8Array(randomBytes(16)) });
    bench.open(wrong.message);
    expect(bench.outbox()[0][0]).toBe(3);
  });

  it('uses the twin’s cookie in its next initiation, for two minutes', () => {
    const bench = new Bench();
    bench.seal(packet(OUR_INNER, TWIN_INNER, 100));
    bench.device.advance();
    const [first] = bench.outbox();
    const cookie = cookieFor(new Uint8Array(randomBytes(32)), new Uint8Array([1, 2, 3, 4]));
    bench.open(createCookieReply(first, bench.twin.publicKey, cookie));
    expect(bench.outbox()).toEqual([]);
    const next = (ms: number) => {
      const end = bench.now + ms;
      while (bench.now < end) {
        bench.now = Math.min(end, Math.max(bench.now + 1, bench.device.nextDeadline()));
        bench.wall += 1;
        bench.device.advance();
      }
      return bench.outbox();
    };
    const [second] = next(5_400);
    expect(mac2IsValid(second, cookie)).toBe(true);
    next(85_000);
    next(40_000);
    bench.seal(packet(OUR_INNER, TWIN_INNER, 100));
    bench.device.advance();
    const [late] = bench.outbox();
    expect(late[0]).toBe(1);
    expect(mac2IsValid(late, cookie)).toBe(false);
  });
});
