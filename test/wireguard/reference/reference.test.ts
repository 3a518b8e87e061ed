import { createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cookieFor,
  createCookieReply,
  mac1IsValid,
  mac2IsValid,
  openCookieReply,
  withMacs,
} from './cookie.js';
import { fromHex, hex, keyPair } from './identity.js';
import { Initiation, type InitiationOptions, ReceivedInitiation } from './noise.js';
import { REJECT_AFTER_MESSAGES, ReplaySet } from './replay.js';
import { padded } from './session.js';
import { ascii, type Bytes, hash, hmacHash } from './symmetric.js';
import { nanosecondsOf, tai64n } from './tai64n.js';
import { LOW_ORDER_POINTS, publicKeyOf, x25519 } from './x25519.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** X25519 by the OpenSSL inside Node. */
function opensslX25519(privateKey: Bytes, publicKey: Bytes): Bytes {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), privateKey]);
  const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), publicKey]);
  return new Uint8Array(
    diffieHellman({
      privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }),
      publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
    }),
  );
}

describe('the slow twin: primitives', () => {
  it('computes the X25519 vectors of RFC 7748 section 5.2', () => {
    const scalar = fromHex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const u = fromHex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    expect(hex(x25519(scalar, u))).toBe('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
    const nine = fromHex(`09${'00'.repeat(31)}`);
    expect(hex(x25519(nine, nine))).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
  });

  it('agrees with OpenSSL on random keys', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (a, b) => {
        const publicKey = publicKeyOf(b);
        expect(hex(x25519(a, publicKey))).toBe(hex(opensslX25519(a, publicKey)));
      }),
      { numRuns: 20 },
    );
  });

  it('gives zero for every point of low order', () => {
    const { privateKey } = keyPair();
    for (const point of LOW_ORDER_POINTS) expect(hex(x25519(privateKey, point))).toBe('00'.repeat(32));
  });

  it('computes BLAKE2s of RFC 7693 appendix B and the HMAC over it as OpenSSL does', () => {
    expect(hex(hash(ascii('abc')))).toBe('508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982');
    fc.assert(
      fc.property(bytes(32), fc.uint8Array({ maxLength: 200 }), (key, input) => {
        expect(hex(hash(input))).toBe(createHash('blake2s256').update(input).digest('hex'));
        expect(hex(hmacHash(key, input))).toBe(createHmac('blake2s256', key).update(input).digest('hex'));
      }),
    );
  });

  it('writes TAI64N labels that read back and compare as bytes', () => {
    // The label of the TAI64 document: 1992-06-02 08:07:09 TAI is 2^62 + 707 472 429 seconds.
    expect(hex(tai64n((707472429n - 10n) * 1_000_000_000n + 5n))).toBe('400000002a2b2c2d00000005');
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 62n), fc.bigInt(0n, 2n ** 62n), (a, b) => {
        expect(nanosecondsOf(tai64n(a))).toBe(a);
        expect(Math.sign(Buffer.compare(tai64n(a), tai64n(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});

describe('the slow twin: handshake', () => {
  const alice = keyPair();
  const bob = keyPair();
  const options: InitiationOptions = {
    static: alice,
    responderPublicKey: bob.publicKey,
    timestamp: tai64n(1_700_000_000_000_000_000n),
  };

  it('gives both roles the same keys and identities', () => {
    const initiation = new Initiation(options);
    const received = ReceivedInitiation.read(initiation.message, bob)!;
    expect(hex(received.initiatorPublicKey)).toBe(hex(alice.publicKey));
    expect(hex(received.timestamp)).toBe(hex(options.timestamp));
    const { message, session: responder } = received.respond();
    const initiator = initiation.complete(message)!;
    const packet = padded(ascii('a packet'));
    expect(hex(responder.open(initiator.seal(packet))!)).toBe(hex(packet));
    expect(hex(initiator.open(responder.seal(packet))!)).toBe(hex(packet));
  });

  it('ends without a session when the preshared keys differ', () => {
    const initiation = new Initiation({ ...options, presharedKey: keyPair().privateKey });
    const received = ReceivedInitiation.read(initiation.message, bob)!;
    expect(initiation.complete(received.respond({ presharedKey: keyPair().privateKey }).message)).toBe(
      undefined,
    );
    expect(initiation.complete(received.respond().message)).toBe(undefined);
  });

  it('refuses every message with a bit changed', () => {
    const initiation = new Initiation(options);
    const { message: response } = ReceivedInitiation.read(initiation.message, bob)!.respond();
    const flipped = (message: Bytes, bit: number) => {
      const changed = message.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      return changed;
    };
    // mac2 is not read by an idle receiver, so the last 16 bytes may change.
    for (let bit = 0; bit < (148 - 16) * 8; bit += 7)
      expect(ReceivedInitiation.read(flipped(initiation.message, bit), bob)).toBe(undefined);
    for (let bit = 0; bit < (92 - 16) * 8; bit += 7)
      expect(initiation.complete(flipped(response, bit))).toBe(undefined);
  });
});

describe('the slow twin: cookies', () => {
  const alice = keyPair();
  const bob = keyPair();

  it('opens only the reply made for its own message', () => {
    const cookie = cookieFor(keyPair().privateKey, new Uint8Array([10, 0, 0, 1, 0x12, 0x34]));
    const message = withMacs(new Uint8Array(116).fill(7), bob.publicKey);
    const reply = createCookieReply(message, bob.publicKey, cookie);
    expect(mac1IsValid(message, bob.publicKey)).toBe(true);
    expect(mac1IsValid(message, alice.publicKey)).toBe(false);
    expect(hex(openCookieReply(reply, message, bob.publicKey)!)).toBe(hex(cookie));
    const other = withMacs(new Uint8Array(116).fill(7).fill(8, 50), bob.publicKey);
    expect(openCookieReply(reply, other, bob.publicKey)).toBe(undefined);
    const again = withMacs(new Uint8Array(116).fill(7), bob.publicKey, cookie);
    expect(mac2IsValid(again, cookie)).toBe(true);
    expect(mac2IsValid(message, cookie)).toBe(false);
  });
});

describe('the slow twin: replay window', () => {
  it('accepts 8128 counters behind the greatest one and not one more', () => {
    const window = new ReplaySet();
    expect(window.accept(9000n)).toBe(true);
    expect(window.accept(9000n - 8128n)).toBe(true);
    expect(window.accept(9000n - 8129n)).toBe(false);
    expect(window.accept(9000n)).toBe(false);
    expect(window.accept(REJECT_AFTER_MESSAGES)).toBe(false);
    expect(window.accept(REJECT_AFTER_MESSAGES - 1n)).toBe(true);
    expect(window.accept(9001n)).toBe(false);
  });
});
