/** Life of the transport keys (paper, sections 5.4.5, 5.4.6 and 6.2): when they may be used, and when they are gone. */
import { describe, expect, it } from 'vitest';
import type { Primitives } from '../../src/crypto/primitives.js';
import type { Keypair } from '../../src/wireguard/keypair.js';
import { counterOf, DATA, INITIATION, isKeepalive, ofType, RESPONSE, typeOf } from './virtual/messages.js';
import {
  A_TO_B,
  B_TO_A,
  type Datagram,
  endpointOf,
  nodePrimitives,
  pair,
  privateKeyOf,
  Seed,
  type VirtualNode,
  type World,
} from './virtual/world.js';

function established(seed = 1): { world: World; a: VirtualNode; b: VirtualNode; since: number } {
  const { world, a, b } = pair(seed);
  a.send(A_TO_B());
  world.exchange();
  return { world, a, b, since: world.clock.monotonic() };
}

const until = (world: World, at: number): Datagram[] => world.run(at - world.clock.monotonic());
const isErased = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

function keysOf(node: VirtualNode): Keypair[] {
  const { older, previous, current, next } = node.peer.keypairs;
  return [older, previous, current, next].filter((keypair) => keypair !== undefined);
}

describe('the first messages of a session', () => {
  it('the responder says nothing until the initiator has, and then begins with counter 0', () => {
    const { world, a, b } = pair();
    a.peer.initiate(false);
    b.receive(a.take()[0]);
    for (let i = 0; i < 10; i++) b.send(B_TO_A(i));
    const [response, ...more] = b.take();
    expect([typeOf(response), more]).toEqual([RESPONSE, []]);
    world.clock.set(world.clock.monotonic() + 4_000);
    b.settle();
    expect(b.take()).toEqual([]);
    a.receive(response);
    const [confirmation] = a.take();
    expect(isKeepalive(confirmation)).toBe(true);
    expect(counterOf(confirmation)).toBe(0n);
    b.receive(confirmation);
    const data = world.exchange();
    expect(data.map(counterOf)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
    expect(a.delivered.map((packet) => packet.length)).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  });

  it('the initiator confirms with the packet that waits, if one does', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B(5));
    const travelled = world.exchange();
    expect(travelled.filter(isKeepalive)).toEqual([]);
    expect(b.delivered).toEqual([A_TO_B(5)]);
  });

  it('the last 128 of 200 packets that wait for an endpoint are delivered, in order', () => {
    const { world, a, b } = pair();
    a.peer.setEndpoint(new Uint8Array(24), 0);
    for (let i = 0; i < 200; i++) a.send(A_TO_B(i));
    expect(world.run(10_000)).toEqual([]);
    expect([a.peer.stagedPackets, a.device.counters.stagedDropped]).toEqual([128, 72]);
    expect(a.peer.reason).toBe('no-endpoint');
    a.peer.setEndpoint(b.address, 0);
    world.exchange();
    expect(b.delivered.map((packet) => packet.length - 20)).toEqual(
      Array.from({ length: 128 }, (_, i) => i + 72),
    );
  });

  it('a random index for each, never one in use, over fifty sessions', () => {
    const { world, a, b } = pair();
    const indices: number[] = [];
    for (let i = 0; i < 50; i++) {
      a.peer.initiate(false);
      for (const { bytes } of ofType(world.run(10_000), INITIATION)) {
        indices.push(new DataView(bytes.buffer).getUint32(4, true));
      }
    }
    expect(new Set(indices).size).toBe(50);
    expect(indices.some((index, i) => i > 0 && Math.abs(index - indices[i - 1]) < 1_000)).toBe(false);
    expect(keysOf(b).length).toBeLessThanOrEqual(3);
  });
});

describe('after a new handshake', () => {
  it('the previous pair still opens what is under way', () => {
    const { world, a, b, since } = established();
    until(world, since + 121_000);
    b.send(B_TO_A(7));
    const [late] = b.take();
    a.send(A_TO_B());
    expect(ofType(world.exchange(), RESPONSE).length).toBe(1);
    a.receive(late);
    expect(a.delivered).toEqual([B_TO_A(7)]);
  });

  it('the responder uses the old pair until the new one is confirmed', () => {
    const { world, a, b, since } = established();
    const old = a.peer.keypairs.current!;
    until(world, since + 121_000);
    a.peer.initiate(false);
    b.receive(a.take()[0]);
    const [response] = b.take();
    b.send(B_TO_A(7));
    const [data] = b.take();
    expect(new DataView(data.bytes.buffer).getUint32(4, true)).toBe(old.localIndex);
    a.receive(response);
    a.receive(data);
    expect(a.delivered).toEqual([B_TO_A(7)]);
    world.exchange();
    b.send(B_TO_A(8));
    expect(new DataView(b.take()[0].bytes.buffer).getUint32(4, true)).not.toBe(old.localIndex);
  });
});

describe('a pair older than 180 s', () => {
  it('is not used for sending: the packet waits for a new one', () => {
    const { world, a, b, since } = established();
    until(world, since + 180_001);
    a.send(A_TO_B(9));
    expect(a.take().map(typeOf)).toEqual([INITIATION]);
    expect(a.peer.stagedPackets).toBe(1);
    a.peer.initiate(false);
    world.run(6_000);
    expect(b.delivered.at(-1)).toEqual(A_TO_B(9));
  });

  it.each([
    [180_000, 1],
    [180_001, 0],
  ])('opens nothing: %d ms, %d delivered', (age, delivered) => {
    const { world, a, b, since } = established();
    until(world, since + 179_000);
    b.send(B_TO_A());
    const [late] = b.take();
    world.clock.set(since + age);
    a.receive(late);
    expect(a.delivered.length).toBe(delivered);
    expect(a.device.counters.expiredKeys).toBe(1 - delivered);
  });
});

describe('erasing', () => {
  it('zeroes every transport key 540 s after the last session was made', () => {
    const { world, a, b, since } = established();
    const keypairs = [...keysOf(a), ...keysOf(b)];
    expect(keypairs.length).toBe(2);
    until(world, since + 539_999);
    expect(keypairs.some((keypair) => isErased(keypair.sendKey) || isErased(keypair.receiveKey))).toBe(false);
    until(world, since + 540_000);
    for (const keypair of keypairs) {
      expect([isErased(keypair.sendKey), isErased(keypair.receiveKey), keypair.erased]).toEqual([
        true,
        true,
        true,
      ]);
    }
    expect([...keysOf(a), ...keysOf(b)]).toEqual([]);
    expect(a.device.keypairByIndex(keypairs[0].localIndex)).toBe(undefined);
    expect(a.peer.reason).toBe('session-expired');
    a.send(A_TO_B(3));
    world.exchange();
    expect(b.delivered.at(-1)).toEqual(A_TO_B(3));
  });

  it('is put off by a new session, and takes the oldest pairs when younger ones come', () => {
    const { world, a, since } = established();
    const [first] = keysOf(a);
    for (let second = 0; second < 600; second++) {
      a.send(A_TO_B());
      until(world, since + second * 1_000);
    }
    expect(isErased(first.sendKey) && isErased(first.receiveKey)).toBe(true);
    expect(keysOf(a).some((keypair) => isErased(keypair.sendKey))).toBe(false);
  });

  it('happens 540 s after a handshake was given up, to the keys before it', () => {
    const { world, a, since } = established();
    const [keypair] = keysOf(a);
    world.passes = () => false;
    until(world, since + 100_000);
    a.send(A_TO_B());
    until(world, since + 540_000);
    expect(isErased(keypair.sendKey)).toBe(true);
  });

  it('happens at once when the peer is removed, the private key changes or the device closes', () => {
    const ends: ((node: VirtualNode) => void)[] = [
      (node) => node.device.removePeer(node.peer),
      (node) => node.device.setPrivateKey(privateKeyOf('another')),
      (node) => node.device.setPrivateKey(undefined),
      (node) => node.device.close(),
    ];
    for (const end of ends) {
      const { a } = established();
      const [keypair] = keysOf(a);
      const { localIndex } = keypair;
      end(a);
      expect(isErased(keypair.sendKey) && isErased(keypair.receiveKey)).toBe(true);
      expect(a.device.keypairByIndex(localIndex)).toBe(undefined);
    }
  });

  it('leaves a removed peer with nothing to say, whoever still holds it', () => {
    const { world, a } = established();
    const { peer } = a;
    a.device.removePeer(peer);
    peer.initiate(false);
    peer.sendKeepalive();
    peer.persistentKeepalive = 1;
    peer.setEndpoint(endpointOf(192, 0, 2, 2, 1), 0);
    peer.stage(A_TO_B(), 0, 76);
    peer.flushStaged();
    expect(ofType(world.run(100_000), INITIATION, a)).toEqual([]);
    expect(a.device.indicesInUse).toBe(0);
  });

  it('takes the private key itself', () => {
    const { a } = established();
    const key = a.device.privateKey!;
    expect(isErased(key)).toBe(false);
    a.device.close();
    expect(isErased(key)).toBe(true);
    expect(a.device.privateKey).toBe(undefined);
  });

  it('takes ephemeral and chaining keys as soon as the handshake is over', () => {
    const { primitives, secrets } = watched(new Seed(1));
    const { world, a, b } = pair(1, { primitives });
    a.send(A_TO_B());
    world.exchange();
    expect(b.delivered.length).toBe(1);
    const lasting = [a.device.privateKey!, b.device.privateKey!].map((key) =>
      Buffer.from(key).toString('hex'),
    );
    const staticShared = new Uint8Array(32);
    nodePrimitives().x25519(staticShared, a.device.privateKey!, b.publicKey);
    lasting.push(Buffer.from(staticShared).toString('hex'));
    for (const keypair of [...keysOf(a), ...keysOf(b)]) {
      lasting.push(
        Buffer.from(keypair.sendKey).toString('hex'),
        Buffer.from(keypair.receiveKey).toString('hex'),
      );
    }
    const left = [...secrets].filter((array) => !isErased(array));
    expect(secrets.size).toBeGreaterThan(10);
    expect(left.filter((array) => !lasting.includes(Buffer.from(array).toString('hex')))).toEqual([]);
  });
});

/** Primitives that remember every array that held a secret key, a shared secret or a derived key. */
function watched(seed: Seed): { primitives: Primitives; secrets: Set<Uint8Array> } {
  const real = nodePrimitives(seed);
  const secrets = new Set<Uint8Array>();
  const primitives: Primitives = {
    name: 'watched',
    random: (out) => real.random(out),
    x25519PublicKey: (out, privateKey) => {
      secrets.add(privateKey);
      real.x25519PublicKey(out, privateKey);
    },
    x25519: (out, privateKey, publicKey) => {
      secrets.add(out).add(privateKey);
      return real.x25519(out, privateKey, publicKey);
    },
    aeadSeal: (key, ...rest) => {
      secrets.add(key);
      real.aeadSeal(key, ...rest);
    },
    aeadOpen: (key, ...rest) => {
      secrets.add(key);
      return real.aeadOpen(key, ...rest);
    },
    xaeadSeal: (...all) => real.xaeadSeal(...all),
    xaeadOpen: (...all) => real.xaeadOpen(...all),
    hash: (out, input) => real.hash(out, input),
    mac: (out, key, input) => real.mac(out, key, input),
    hmac: (out, key, input) => {
      secrets.add(out);
      real.hmac(out, key, input);
    },
  };
  return { primitives, secrets };
}

describe('send counters of a whole device', () => {
  it.each([
    ['2^32', 0, 0xffff_fffe],
    ['2^53', 0x001f_ffff, 0xffff_fffe],
    ['2^60', 0x0fff_ffff, 0xffff_fffe],
  ])('pass %s one by one, and are understood', (_name, high, low) => {
    const { world, a, b } = established();
    const keypair = a.peer.keypairs.current!;
    keypair.sendHigh = high;
    keypair.sendLow = low;
    const start = (BigInt(high) << 32n) | BigInt(low);
    const sent: Datagram[] = [];
    for (let i = 0; i < 6; i++) {
      a.send(A_TO_B(i));
      sent.push(...ofType(world.exchange(), DATA, a));
    }
    expect(sent.map(counterOf)).toEqual([0n, 1n, 2n, 3n, 4n, 5n].map((i) => start + i));
    expect(b.delivered.slice(1)).toEqual([0, 1, 2, 3, 4, 5].map((i) => A_TO_B(i)));
    for (const datagram of sent) b.receive(datagram);
    expect([b.delivered.length, b.device.counters.replayed]).toEqual([7, 6]);
  });

  it('stop at Reject-After-Messages; what comes then waits for new keys and is delivered', () => {
    const { world, a, b } = established();
    world.run(6_000);
    const keypair = a.peer.keypairs.current!;
    keypair.sendHigh = 0xffff_ffff;
    keypair.sendLow = 0xffff_dffd;
    world.passes = (datagram) => typeOf(datagram) === DATA;
    const sent: Datagram[] = [];
    for (let i = 0; i < 300; i++) {
      a.send(A_TO_B(i));
      sent.push(...world.run(100));
    }
    expect(ofType(sent, DATA, a).map(counterOf)).toEqual([
      2n ** 64n - 2n ** 13n - 3n,
      2n ** 64n - 2n ** 13n - 2n,
    ]);
    expect(b.delivered.length).toBe(3);
    world.passes = () => true;
    const after = world.run(6_000);
    expect(ofType(after, DATA, a).map(counterOf)).toEqual(Array.from({ length: 128 }, (_, i) => BigInt(i)));
    expect(b.delivered.length).toBe(3 + 128);
  });
});

describe('keys', () => {
  it('of a preshared key that both have make a session; wrong or one-sided they make none', () => {
    const [psk, other] = [privateKeyOf('psk'), privateKeyOf('other psk')];
    const cases: [Uint8Array | undefined, Uint8Array | undefined, boolean][] = [
      [undefined, undefined, true],
      [psk, psk, true],
      [new Uint8Array(32), undefined, true],
      [psk, undefined, false],
      [undefined, psk, false],
      [psk, other, false],
    ];
    for (const [ofA, ofB, works] of cases) {
      const { world, a, b } = pair();
      a.peer.presharedKey = ofA;
      b.peer.presharedKey = ofB;
      a.send(A_TO_B());
      world.run(20_000);
      expect(b.delivered.length).toBe(works ? 1 : 0);
      expect(a.peer.state === 'established').toBe(works);
      if (!works) expect(a.device.counters.refusedResponses).toBeGreaterThan(0);
    }
  });

  it('of a preshared key set later take effect with the next handshake', () => {
    const { world, a, b, since } = established();
    a.peer.presharedKey = b.peer.presharedKey = privateKeyOf('psk');
    b.send(B_TO_A());
    world.exchange();
    expect(a.delivered.length).toBe(1);
    until(world, since + 200_000);
    a.send(A_TO_B(1));
    world.exchange();
    expect(b.delivered.at(-1)).toEqual(A_TO_B(1));
  });

  it('of a changed identity end the session; the peer goes on once it knows the new one', () => {
    const { world, a, b } = established();
    a.device.setPrivateKey(privateKeyOf('a reborn'));
    a.send(A_TO_B(1));
    world.run(11_000);
    expect(b.delivered.length).toBe(1);
    expect(b.device.counters.refusedInitiations).toBeGreaterThan(0);
    b.device.removeAllPeers();
    const reborn = b.device.addPeer(a.publicKey);
    b.device.allowedIps.insert(new Uint8Array([10, 0, 0, 1]), 32, reborn);
    reborn.setEndpoint(endpointOf(192, 0, 2, 1, 51820), 0);
    world.run(6_000);
    expect(b.delivered.at(-1)).toEqual(A_TO_B(1));
    b.send(B_TO_A(2));
    world.exchange();
    expect(a.delivered.at(-1)).toEqual(B_TO_A(2));
  });

  it('of our own are never a peer, in either order', () => {
    const { a } = pair();
    expect(() => a.device.addPeer(a.publicKey)).toThrow(RangeError);
    const future = privateKeyOf('future');
    const publicKey = new Uint8Array(32);
    nodePrimitives().x25519PublicKey(publicKey, future);
    a.device.addPeer(publicKey);
    a.device.setPrivateKey(future);
    expect(a.device.peer(publicKey)).toBe(undefined);
    expect(a.device.peerCount).toBe(1);
  });
});
