import { describe, expect, it } from 'vitest';
import { PortableDigests } from '../../src/crypto/portable-digests.js';
import {
  classifyDatagram,
  DATAGRAM_CHANNEL_DATA,
  DATAGRAM_STUN,
  DATAGRAM_UNKNOWN,
  DATAGRAM_WIREGUARD,
} from '../../src/ice/demultiplex.js';
import { parseDescription } from '../../src/ice/description.js';
import { makeRestCredentials, restExpiry } from '../../src/ice/rest-credentials.js';
import { checkFingerprint, StunIntegrity } from '../../src/ice/stun-integrity.js';
import { type StunTransaction, StunTransactions } from '../../src/ice/stun-transactions.js';
import { StunView } from '../../src/ice/stun-view.js';
import { StunWriter } from '../../src/ice/stun-writer.js';
import { Random } from '../fuzz/random.js';
import { attribute, decode, encode, isSigned, type TwinMessage } from './virtual/stun-twin.js';

const digests = new PortableDigests();
const integrity = new StunIntegrity(digests);

describe('STUN messages and their slow twin', () => {
  const seed = Date.now() >>> 0;
  const random = new Random();

  it(`agree on 500 random messages (seed ${seed})`, () => {
    for (let i = 0; i < 500; i++) {
      random.reseed(seed, i);
      const message = randomMessage(random);
      const key = Buffer.from(bytes(random, 1 + random.below(80)));
      const [sha1, sha256, fingerprint] = [random.once(2), random.once(2), random.once(2)];
      const secrets = { sha1: sha1 ? key : undefined, sha256: sha256 ? key : undefined, fingerprint };
      const theirs = encode(message, secrets);

      const writer = new StunWriter(digests, 8_192);
      writer.begin(message.class, message.method, message.id, 0);
      for (const [type, value] of message.attributes) writer.attribute(type, value);
      if (sha1) writer.integrity(key);
      if (sha256) writer.integritySha256(key);
      if (fingerprint) writer.fingerprint();
      const ours = Buffer.from(writer.bytes.subarray(0, writer.length));
      expect(ours.equals(theirs), `message ${i}`).toBe(true);

      const view = new StunView();
      expect(view.at(theirs, 0, theirs.length)).toBe(true);
      expect([view.class, view.method]).toEqual([message.class, message.method]);
      const again = decode(ours);
      for (const [type] of message.attributes) {
        expect(view.find(type)).toBe(true);
        // The first of several of one type is the one that counts.
        expect(Buffer.from(view.copyValue()).equals(attribute(again, type)!), `message ${i}`).toBe(true);
      }
      expect(integrity.sha1(view, key)).toBe(sha1 ? 'right' : 'absent');
      expect(integrity.sha256(view, key)).toBe(sha256 ? 'right' : 'absent');
      expect(checkFingerprint(view)).toBe(fingerprint ? 'right' : 'absent');
      expect(isSigned(ours, key, 0x0008)).toBe(sha1);

      // One bit anywhere is noticed by what covers it.
      if (!sha1 && !sha256 && !fingerprint) continue;
      const changed = Buffer.from(theirs);
      changed[8 + random.below(12)] ^= 1 << random.below(8);
      expect(view.at(changed, 0, changed.length)).toBe(true);
      if (sha1) expect(integrity.sha1(view, key)).toBe('wrong');
      if (sha256) expect(integrity.sha256(view, key)).toBe('wrong');
      if (fingerprint) expect(checkFingerprint(view)).toBe('wrong');
      key[0] ^= 1;
      expect(view.at(theirs, 0, theirs.length)).toBe(true);
      if (sha1) expect(integrity.sha1(view, key)).toBe('wrong');
    }
  });

  it('ignores what stands behind the integrity, but for the fingerprint', () => {
    const inner: TwinMessage = {
      class: 0,
      method: 1,
      id: Buffer.alloc(12, 1),
      attributes: [[6, Buffer.from('a')]],
    };
    const signed = encode(inner, { sha1: Buffer.from('key') });
    const more = Buffer.concat([signed, Buffer.from([0, 0x25, 0, 0])]);
    more.writeUInt16BE(more.length - 20, 2);
    const view = new StunView();
    expect(view.at(more, 0, more.length)).toBe(true);
    // USE-CANDIDATE was appended by somebody who cannot sign.
    expect(view.find(0x25)).toBe(false);
    expect(integrity.sha1(view, Buffer.from('key'))).toBe('right');
  });

  it.each([
    ['shorter than a header', Buffer.alloc(19)],
    ['with another cookie', Buffer.alloc(20)],
    ['with a length that is wrong', header(4)],
    ['with an attribute that stands over', Buffer.concat([header(8), Buffer.from([0, 6, 0, 5, 1, 2, 3, 4])])],
    ['with a length that is no multiple of four', Buffer.concat([header(5), Buffer.alloc(5)])],
    ['with more attributes than anybody needs', Buffer.concat([header(400), Buffer.alloc(400)])],
  ])('refuses a message %s', (_what, message) => {
    expect(new StunView().at(message, 0, message.length)).toBe(false);
  });
});

describe('the demultiplexer', () => {
  const wireGuard = (type: number, length: number) =>
    Buffer.concat([Buffer.from([type, 0, 0, 0]), Buffer.alloc(length - 4, 9)]);

  it.each([
    ['an initiation', wireGuard(1, 148), DATAGRAM_WIREGUARD],
    ['a response', wireGuard(2, 92), DATAGRAM_WIREGUARD],
    ['a cookie reply', wireGuard(3, 64), DATAGRAM_WIREGUARD],
    ['a keepalive', wireGuard(4, 32), DATAGRAM_WIREGUARD],
    ['a Binding request', header(0), DATAGRAM_STUN],
    ['ChannelData', Buffer.from([0x40, 0, 0, 1, 7]), DATAGRAM_CHANNEL_DATA],
    ['DTLS', Buffer.alloc(64, 22), DATAGRAM_UNKNOWN],
    ['RTP', Buffer.alloc(64, 0x80), DATAGRAM_UNKNOWN],
    ['nothing', Buffer.alloc(0), DATAGRAM_UNKNOWN],
    ['a message type of WireGuard that does not exist', wireGuard(5, 64), DATAGRAM_UNKNOWN],
  ])('knows %s', (_what, message, kind) => {
    expect(classifyDatagram(message, 0, message.length)).toBe(kind);
  });

  it('takes no WireGuard message for STUN, whatever its index', () => {
    for (const type of [1, 2, 3, 4]) {
      for (const length of [148, 92, 64, 32, 1_452]) {
        const message = wireGuard(type, length);
        // The sender's or receiver's index is by chance the magic cookie.
        message.writeUInt32BE(0x2112a442, 4);
        expect(classifyDatagram(message, 0, length)).toBe(DATAGRAM_WIREGUARD);
      }
    }
  });
});

describe('transactions', () => {
  function world(options: ConstructorParameters<typeof StunTransactions>[1]) {
    const random = new Random();
    random.reseed(5, 0);
    const transactions = new StunTransactions((out) => out.set(bytes(random, out.length)), options);
    const sent: number[] = [];
    const ended: string[] = [];
    let now = 0;
    let believe = true;
    const owner = {
      transmit: () => sent.push(now),
      answered: () => {
        ended.push(`answered ${now}`);
        return believe;
      },
      expired: () => ended.push(`expired ${now}`),
    };
    const start = (): StunTransaction | undefined => {
      const writer = new StunWriter(digests, 64);
      writer.begin(0, 1, transactions.newId(), 0);
      return transactions.start(owner, 0, undefined, writer.bytes, writer.length, now);
    };
    const run = () => {
      while (transactions.deadline !== Number.POSITIVE_INFINITY) {
        now = transactions.deadline;
        transactions.advance(now);
      }
    };
    const answer = (transaction: StunTransaction) => {
      const view = new StunView();
      const message = encode({
        class: 2,
        method: 1,
        id: Buffer.from(transaction.request.subarray(8, 20)),
        attributes: [],
      });
      view.at(message, 0, message.length);
      return transactions.receive(view, new Uint8Array(24), 0, 0, now);
    };
    return { transactions, sent, ended, start, run, answer, trust: (yes: boolean) => (believe = yes) };
  }

  it('are sent when RFC 8489 section 6.2.1 says', () => {
    const { sent, ended, start, run, transactions } = world({});
    start();
    run();
    expect(sent).toEqual([0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expect(ended).toEqual(['expired 39500']);
    expect(transactions.pending).toBe(0);
  });

  it('are sent once over a stream', () => {
    const { sent, ended, start, run } = world({ reliable: true });
    start();
    run();
    expect([sent, ended]).toEqual([[0], ['expired 39500']]);
  });

  it('end with an answer that is believed, and once', () => {
    const { ended, start, answer, trust, transactions } = world({});
    const transaction = start()!;
    trust(false);
    expect(answer(transaction)).toBe(false);
    expect(transactions.pending).toBe(1);
    trust(true);
    const copy = { ...transaction, request: transaction.request.slice() } as StunTransaction;
    expect(answer(transaction)).toBe(true);
    expect(answer(copy)).toBe(false);
    expect(ended).toEqual(['answered 0', 'answered 0']);
  });

  it('are limited', () => {
    const { start, sent } = world({ most: 3 });
    expect([start(), start(), start(), start()].map((one) => one !== undefined)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(sent).toHaveLength(3);
  });
});

it('makes the credentials that coturn calls REST', () => {
  // echo -n 1700000000:gateway | openssl dgst -sha1 -hmac secret -binary | base64
  const credentials = makeRestCredentials(digests, 'secret', 'gateway', 1_700_000_000.7);
  expect(credentials).toEqual({ username: '1700000000:gateway', password: 'sxhOGTuDv3OttuHRz208ju4I8II=' });
  expect(restExpiry(credentials.username)).toBe(1_700_000_000_000);
  expect(restExpiry('somebody')).toBe(Number.POSITIVE_INFINITY);
});

it("reads a browser's description", () => {
  const sdp = [
    ...['v=0', 'o=- 4611 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', 'a=msid-semantic: WMS'],
    ...['m=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', 'a=ice-ufrag:Ab1+'],
    ...[
      'a=ice-pwd:0123456789abcdefghijklmn',
      'a=ice-options:trickle',
      'a=fingerprint:sha-256 00:11',
      'a=setup:actpass',
    ],
    ...[
      'a=mid:0',
      'a=candidate:1 1 udp 2113937151 192.0.2.7 5000 typ host generation 0',
      'a=end-of-candidates',
    ],
  ].join('\r\n');
  expect(parseDescription(sdp)).toEqual({
    ufrag: 'Ab1+',
    password: '0123456789abcdefghijklmn',
    candidates: ['candidate:1 1 udp 2113937151 192.0.2.7 5000 typ host generation 0'],
    trickle: true,
    ended: true,
  });
  expect(parseDescription(sdp.replace('ice-pwd:0123456789abcdefghijklmn', 'ice-pwd:short'))).toBeUndefined();
});

function header(length: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(0x0001, 0);
  bytes.writeUInt16BE(length, 2);
  bytes.writeUInt32BE(0x2112a442, 4);
  return bytes;
}

function bytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.next());
}

function randomMessage(random: Random): TwinMessage {
  const attributes: [number, Buffer][] = [];
  for (let i = random.below(6); i > 0; i--) {
    // Types that no part of STUN gives a meaning to.
    attributes.push([0x3000 + random.below(4), Buffer.from(bytes(random, random.below(70)))]);
  }
  return {
    class: random.below(4),
    method: random.below(0x1000),
    id: Buffer.from(bytes(random, 12)),
    attributes,
  };
}
