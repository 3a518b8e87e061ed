import { describe, expect, it } from 'vitest';
import { A_TO_B, B_TO_A, nodePrimitives, pair, privateKeyOf } from './virtual/world.js';

const publicKeyOf = (name: string): Uint8Array => {
  const key = new Uint8Array(32);
  nodePrimitives().x25519PublicKey(key, privateKeyOf(name));
  return key;
};

describe('a change of the static key', () => {
  it('loses no packet in either direction at any step', () => {
    const { world, a, b } = pair();
    const atB = [...b.device.peers()][0];
    const old = a.publicKey;
    let sent = 0;
    const traffic = (ms: number): void => {
      for (let t = 0; t < ms; t += 500) {
        a.send(A_TO_B());
        b.send(B_TO_A());
        sent++;
        world.run(500);
      }
      expect([a.delivered.length, b.delivered.length]).toEqual([sent, sent]);
    };
    traffic(5_000);

    a.device.addPrivateKey(privateKeyOf('new a'));
    traffic(200_000);
    b.device.setNextPublicKey(atB, publicKeyOf('new a'));
    traffic(200_000);
    expect(atB.usesNextKey).toBe(false);

    a.device.switchKeys();
    traffic(6_000);
    expect(atB.usesNextKey).toBe(true);
    expect(a.publicKey).toEqual(publicKeyOf('new a'));
    traffic(200_000);

    b.device.promoteNextPublicKey(atB);
    a.device.dropOtherKey();
    traffic(400_000);
    expect(b.device.peer(old)).toBeUndefined();
    expect(b.device.peer(publicKeyOf('new a'))).toBe(atB);
    expect(b.device.peerCount).toBe(1);
  });

  it('is undone without loss when the new key does not work', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    world.exchange();
    a.device.addPrivateKey(privateKeyOf('new a'));
    a.device.switchKeys();
    // B never heard of the new key: the old session still carries.
    for (let i = 0; i < 60; i++) {
      a.send(A_TO_B());
      world.run(1_000);
    }
    a.device.switchKeys();
    a.device.dropOtherKey();
    for (let i = 0; i < 300; i++) {
      a.send(A_TO_B());
      world.run(1_000);
    }
    expect(b.delivered.length).toBe(361);
  });

  it('of both ends at once converges', () => {
    const { world, a, b } = pair();
    const [atA] = a.device.peers();
    const [atB] = b.device.peers();
    a.device.addPrivateKey(privateKeyOf('new a'));
    b.device.addPrivateKey(privateKeyOf('new b'));
    a.device.setNextPublicKey(atA, publicKeyOf('new b'));
    b.device.setNextPublicKey(atB, publicKeyOf('new a'));
    a.send(A_TO_B());
    world.exchange();
    a.device.switchKeys();
    b.device.switchKeys();
    for (let i = 0; i < 400; i++) {
      a.send(A_TO_B());
      b.send(B_TO_A());
      world.run(1_000);
    }
    expect([a.delivered.length, b.delivered.length]).toEqual([400, 401]);
    a.device.promoteNextPublicKey(atA);
    b.device.promoteNextPublicKey(atB);
    a.device.dropOtherKey();
    b.device.dropOtherKey();
    for (let i = 0; i < 400; i++) {
      a.send(A_TO_B());
      b.send(B_TO_A());
      world.run(1_000);
    }
    expect([a.delivered.length, b.delivered.length]).toEqual([800, 801]);
  });

  it('refuses a key that is another peer’s or our own', () => {
    const { a, b } = pair();
    const [atA] = a.device.peers();
    const other = a.device.addPeer(publicKeyOf('other'));
    expect(() => a.device.setNextPublicKey(atA, other.publicKey)).toThrow(RangeError);
    expect(() => a.device.setNextPublicKey(atA, a.publicKey)).toThrow(RangeError);
    a.device.setNextPublicKey(atA, publicKeyOf('next'));
    expect(() => a.device.setNextPublicKey(other, publicKeyOf('next'))).toThrow(RangeError);
    a.device.setNextPublicKey(atA, undefined);
    a.device.setNextPublicKey(other, publicKeyOf('next'));
    a.device.removePeer(other);
    expect(a.device.peer(publicKeyOf('next'))).toBeUndefined();
    expect(a.device.peer(b.publicKey)).toBe(atA);
  });
});
