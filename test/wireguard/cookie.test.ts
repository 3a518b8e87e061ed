import { describe, expect, it } from 'vitest';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import { TIMING } from '../../src/wireguard/constants.js';
import { CookieChecker, CookieGenerator } from '../../src/wireguard/cookie.js';
import * as reference from './reference/cookie.js';
import { keyPair } from './reference/identity.js';
import { endpointOf, nodePrimitives, privateKeyOf, Seed } from './virtual/world.js';

const responder = keyPair(privateKeyOf('responder'));
const SOURCE = endpointOf(192, 0, 2, 1, 51820);
const SOURCE_BYTES = new Uint8Array([192, 0, 2, 1, 51820 >> 8, 51820 & 0xff]);
const AT = 1_000_000;

function message(length: number, seed = new Seed(1)): Uint8Array {
  const bytes = new Uint8Array(length);
  seed.fill(bytes);
  return bytes;
}

const generator = (): CookieGenerator =>
  new CookieGenerator(nodePrimitives(new Seed(2)), TIMING, responder.publicKey);
const checker = (): CookieChecker =>
  new CookieChecker(nodePrimitives(new Seed(3)), TIMING, responder.publicKey);

function replyTo(from: CookieChecker, to: Uint8Array, source = SOURCE, now = AT): Uint8Array {
  const out = new Uint8Array(64 + 2).fill(0xee);
  from.reply(out, 1, to, 0x01020304, source, 0, now);
  expect([out[0], out[65]]).toEqual([0xee, 0xee]);
  return out.slice(1, 65);
}

describe.each([
  ['initiation', 148],
  ['response', 92],
])('the macs of an %s', (_name, length) => {
  it('are those of an independent construction', () => {
    const bytes = message(length);
    const macs = generator();
    macs.addMacs(bytes, AT);
    expect(bytes).toEqual(reference.withMacs(bytes.slice(0, length - 32), responder.publicKey));
    expect(checker().mac1Valid(bytes)).toBe(true);
    expect(reference.mac1IsValid(bytes, responder.publicKey)).toBe(true);
  });

  it('cover every bit of the message', () => {
    const bytes = message(length);
    generator().addMacs(bytes, AT);
    const check = checker();
    for (let bit = 0; bit < (length - 16) * 8; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      if (check.mac1Valid(bytes)) expect.fail(`bit ${bit}`);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    expect(check.mac1Valid(bytes)).toBe(true);
  });

  it('are addressed: another public key does not accept them', () => {
    const bytes = message(length);
    generator().addMacs(bytes, AT);
    const other = keyPair(privateKeyOf('other')).publicKey;
    expect(new CookieChecker(nodePrimitives(), TIMING, other).mac1Valid(bytes)).toBe(false);
  });
});

describe('cookies', () => {
  /** A message, the reply to it, and the parties. */
  function exchange(): { check: CookieChecker; macs: CookieGenerator; bytes: Uint8Array; reply: Uint8Array } {
    const check = checker();
    const macs = generator();
    const bytes = message(148);
    macs.addMacs(bytes, AT);
    return { check, macs, bytes, reply: replyTo(check, bytes) };
  }

  it('are read by an independent construction out of our reply', () => {
    const { check, bytes, reply } = exchange();
    expect([...reply.slice(0, 8)]).toEqual([3, 0, 0, 0, 4, 3, 2, 1]);
    bytes.set(reply.slice(4, 8), 4); // the reference wants the receiver to be the message's sender
    const cookie = reference.openCookieReply(reply, bytes, responder.publicKey);
    expect(cookie?.length).toBe(16);
    const retry = reference.withMacs(message(116, new Seed(4)), responder.publicKey, cookie);
    expect(check.mac2Valid(retry, SOURCE, 0, AT)).toBe(true);
  });

  it('are read by us out of an independent reply', () => {
    const { macs, bytes } = exchange();
    const cookie = reference.cookieFor(new Uint8Array(32).fill(9), SOURCE_BYTES);
    expect(macs.consume(reference.createCookieReply(bytes, responder.publicKey, cookie), AT)).toBe(true);
    const retry = message(148, new Seed(5));
    macs.addMacs(retry, AT + 5_000);
    expect(retry).toEqual(reference.withMacs(retry.slice(0, 116), responder.publicKey, cookie));
  });

  it('make mac2 valid for this source only', () => {
    const { check, macs, reply } = exchange();
    expect(macs.consume(reply, AT)).toBe(true);
    const retry = message(148, new Seed(6));
    macs.addMacs(retry, AT);
    expect(check.mac2Valid(retry, SOURCE, 0, AT)).toBe(true);
    expect(check.mac2Valid(retry, endpointOf(192, 0, 2, 1, 51821), 0, AT)).toBe(false);
    expect(check.mac2Valid(retry, endpointOf(192, 0, 2, 2, 51820), 0, AT)).toBe(false);
    for (let bit = 0; bit < 148 * 8; bit++) {
      retry[bit >> 3] ^= 1 << (bit & 7);
      if (check.mac2Valid(retry, SOURCE, 0, AT)) expect.fail(`bit ${bit}`);
      retry[bit >> 3] ^= 1 << (bit & 7);
    }
  });

  it('hold all sixteen bytes of an IPv6 source', () => {
    const { check, macs, bytes } = exchange();
    const source = new Uint8Array(ENDPOINT_BYTES);
    const address = new Uint8Array(16).map((_, i) => i);
    writeEndpoint(source, 0, address, 1234);
    expect(macs.consume(replyTo(check, bytes, source), AT)).toBe(true);
    const retry = message(148, new Seed(6));
    macs.addMacs(retry, AT);
    expect(check.mac2Valid(retry, source, 0, AT)).toBe(true);
    for (let i = 0; i < 16; i++) {
      const other = new Uint8Array(ENDPOINT_BYTES);
      writeEndpoint(other, 0, address.with(i, 0xff), 1234);
      expect(check.mac2Valid(retry, other, 0, AT), `byte ${i}`).toBe(false);
    }
  });

  it('are used for two minutes by us', () => {
    const { macs, reply } = exchange();
    macs.consume(reply, AT);
    const retry = message(148, new Seed(6));
    macs.addMacs(retry, AT + 119_999);
    expect(retry.slice(132).some((byte) => byte !== 0)).toBe(true);
    macs.addMacs(retry, AT + 120_000);
    expect(retry.slice(132).every((byte) => byte === 0)).toBe(true);
  });

  it('are refused by us as responder once the secret is older than two minutes, and made of a new one', () => {
    const { check, macs, bytes, reply } = exchange();
    macs.consume(reply, AT);
    const retry = message(148, new Seed(6));
    macs.addMacs(retry, AT);
    expect(check.mac2Valid(retry, SOURCE, 0, AT + 120_000)).toBe(true);
    expect(check.mac2Valid(retry, SOURCE, 0, AT + 120_001)).toBe(false);
    macs.addMacs(bytes, AT);
    replyTo(check, bytes, SOURCE, AT + 120_001);
    expect(check.mac2Valid(retry, SOURCE, 0, AT + 120_001)).toBe(false);
  });

  it('stay the same for one source while the secret lives, under a nonce that does not', () => {
    const { check, bytes, reply } = exchange();
    const again = replyTo(check, bytes, SOURCE, AT + 1_000);
    const cookieOf = (of: Uint8Array): Uint8Array | undefined => {
      const sender = new Uint8Array(bytes);
      sender.set(of.slice(4, 8), 4);
      return reference.openCookieReply(of, sender, responder.publicKey);
    };
    expect(again.slice(8, 32)).not.toEqual(reply.slice(8, 32));
    expect(cookieOf(again)).toEqual(cookieOf(reply));
    expect(cookieOf(reply)).toBeDefined();
  });

  it('are taken once, and only out of a reply to the last message', () => {
    const { check, macs, reply } = exchange();
    expect(macs.consume(reply, AT)).toBe(true);
    expect(macs.consume(reply, AT)).toBe(false);
    const [first, second] = [message(148, new Seed(7)), message(148, new Seed(8))];
    macs.addMacs(first, AT);
    const late = replyTo(check, first);
    macs.addMacs(second, AT);
    expect(macs.consume(late, AT)).toBe(false);
    expect(macs.consume(replyTo(check, second), AT)).toBe(true);
  });

  it('are not taken from a reply with any bit changed, nor before anything was sent', () => {
    const { macs, reply } = exchange();
    for (let bit = 8 * 8; bit < 64 * 8; bit++) {
      const forged = reply.slice();
      forged[bit >> 3] ^= 1 << (bit & 7);
      if (macs.consume(forged, AT)) expect.fail(`bit ${bit}`);
    }
    expect(generator().consume(reply, AT)).toBe(false);
    expect(macs.consume(reply, AT)).toBe(true);
  });

  it('are worth nothing after the checker was erased', () => {
    const { check, macs, reply } = exchange();
    macs.consume(reply, AT);
    const retry = message(148, new Seed(6));
    macs.addMacs(retry, AT);
    check.erase();
    expect(check.mac2Valid(retry, SOURCE, 0, AT)).toBe(false);
  });
});
