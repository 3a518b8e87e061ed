/** Forged messages end nothing and begin nothing. */
import { describe, expect, it } from 'vitest';
import lowOrder from '../crypto/vectors/low-order.json' with { type: 'json' };
import { A_KEYS, ATTACKER, from, overload } from './attacks.js';
import { withMacs } from './reference/cookie.js';
import { fromHex, type KeyPair, keyPair } from './reference/identity.js';
import { Initiation, ReceivedInitiation } from './reference/noise.js';
import { tai64n } from './reference/tai64n.js';
import { INITIATION, ofType } from './virtual/messages.js';
import { A_TO_B, ipv4Packet, pair, privateKeyOf, Seed } from './virtual/world.js';

describe('forgeries', () => {
  it('a forged response does not end a handshake that waits for the true one', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    const [initiation] = a.take();
    b.receive(initiation);
    const [response] = b.take();
    // Everything that the transcript covers; the indices are only under mac1, whose key is public.
    for (const at of [12, 43, 44, 59]) {
      const body = response.bytes.slice(0, 60);
      body[at] ^= 1;
      a.receive(from(ATTACKER, a, withMacs(body, a.publicKey)));
    }
    expect([a.device.counters.refusedResponses, a.peer.state]).toEqual([4, 'handshaking']);
    expect(a.peer.endpoint).toEqual(b.address);
    a.receive(response);
    world.exchange();
    expect(b.delivered).toEqual([A_TO_B()]);
  });

  it('a forged cookie reply is ignored, and so is a true one to another message', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    const [initiation] = a.take();
    const sender = new DataView(initiation.bytes.buffer).getUint32(4, true);
    const seed = new Seed(4);
    for (let i = 0; i < 50; i++) {
      const bytes = new Uint8Array(64);
      seed.fill(bytes);
      bytes.set([3, 0, 0, 0]);
      new DataView(bytes.buffer).setUint32(4, sender, true);
      a.receive(from(ATTACKER, a, bytes));
    }
    expect([a.device.counters.cookieRepliesReceived, a.peer.reason]).toEqual([0, 'awaiting-response']);
    const retry = ofType(world.run(6_000), INITIATION, a);
    expect(retry.every(({ bytes }) => bytes.slice(132).every((byte) => byte === 0))).toBe(true);
    overload(b);
    b.device.queueHandshake(initiation.bytes, 0, 148, a.address, 0);
    b.settle();
    for (const reply of b.take()) a.receive(reply);
    expect(a.device.counters.cookieRepliesReceived).toBe(0);
  });

  it.each(lowOrder.points)('a public key of low order is refused everywhere: $what', ({ u }) => {
    const point = fromHex(u);
    const zeros = new Uint8Array(32);
    const bogus: KeyPair = { privateKey: zeros, publicKey: point };
    const { world, a, b } = pair();

    // Configured as a peer.
    const peer = a.device.addPeer(point);
    peer.setEndpoint(ATTACKER, 0);
    a.device.allowedIps.insert(new Uint8Array([10, 9, 9, 9]), 32, peer);
    a.send(ipv4Packet([10, 0, 0, 1], [10, 9, 9, 9], 8));
    expect([world.run(10_000), peer.state, peer.reason]).toEqual([[], 'failed', 'invalid-public-key']);
    expect(a.device.indicesInUse).toBe(0);

    // As the ephemeral key of an initiation, the shared secret being known to all.
    const initiation = new Initiation({
      static: A_KEYS,
      responderPublicKey: b.publicKey,
      timestamp: tai64n(10n ** 18n),
      ephemeral: bogus,
      ephemeralSecret: zeros,
    });
    b.receive(from(ATTACKER, b, initiation.message));
    expect([b.take(), b.device.counters.refusedInitiations]).toEqual([[], 1]);

    // And of a response.
    a.send(A_TO_B());
    const received = ReceivedInitiation.read(a.take()[0].bytes, keyPair(privateKeyOf('b')))!;
    const { message } = received.respond({ ephemeral: bogus, ephemeralSecret: zeros });
    a.receive(from(b.address, a, message));
    expect([a.device.counters.refusedResponses, a.peer.state]).toEqual([1, 'handshaking']);
  });

  it('the same forged response with an honest key would be accepted: the test above is not vacuous', () => {
    const { a, b } = pair();
    a.send(A_TO_B());
    const received = ReceivedInitiation.read(a.take()[0].bytes, keyPair(privateKeyOf('b')))!;
    a.receive(from(b.address, a, received.respond().message));
    expect(a.peer.state).toBe('established');
  });
});
