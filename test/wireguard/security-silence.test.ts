/** Whoever is not authenticated gets no answer. */
import { describe, expect, it } from 'vitest';
import { ATTACKER, established, from, initiations } from './attacks.js';
import { withMacs } from './reference/cookie.js';
import { keyPair } from './reference/identity.js';
import { Initiation } from './reference/noise.js';
import { tai64n } from './reference/tai64n.js';
import { RESPONSE, typeOf } from './virtual/messages.js';
import { B_TO_A, pair, privateKeyOf } from './virtual/world.js';

describe('silence', () => {
  const spoiled: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['a reserved byte set', (m) => m.with(1, 1)],
    ['another reserved byte set', (m) => m.with(3, 0x80)],
    ['type 0', (m) => m.with(0, 0)],
    ['type 5', (m) => m.with(0, 5)],
    ['one byte less', (m) => m.slice(0, -1)],
    ['one byte more', (m) => new Uint8Array([...m, 0])],
    ['nothing at all', () => new Uint8Array(0)],
    ['mac1 of one bit less', (m) => m.with(116, m[116] ^ 1)],
    [
      'a changed ephemeral key under a valid mac1',
      (m) => withMacs(m.slice(0, 116).with(9, m[9] ^ 1), B_PUBLIC),
    ],
    [
      'a changed static key under a valid mac1',
      (m) => withMacs(m.slice(0, 116).with(41, m[41] ^ 1), B_PUBLIC),
    ],
    [
      'a changed timestamp under a valid mac1',
      (m) => withMacs(m.slice(0, 116).with(90, m[90] ^ 1), B_PUBLIC),
    ],
  ];
  const B_PUBLIC = keyPair(privateKeyOf('b')).publicKey;

  it.each(spoiled)('meets an initiation with %s', (_what, spoil) => {
    const { world, b } = pair();
    const [good] = initiations(b, 1);
    b.receive(from(ATTACKER, b, spoil(good.message)));
    expect(b.take()).toEqual([]);
    expect(b.peer.endpoint).not.toEqual(ATTACKER);
    expect([b.device.indicesInUse, b.peer.rxBytes, b.peer.state]).toEqual([0, 0, 'idle']);
    world.clock.set(world.clock.monotonic() + 25);
    b.receive(from(ATTACKER, b, good.message));
    expect(b.take().map(typeOf)).toEqual([RESPONSE]);
  });

  it('meets strangers, old timestamps, and whoever speaks to a device without a key', () => {
    const { world, b } = pair();
    const stranger = keyPair(privateKeyOf('stranger'));
    const timestamp = tai64n(10n ** 9n);
    const foreign = new Initiation({ static: stranger, responderPublicKey: b.publicKey, timestamp });
    b.receive(from(ATTACKER, b, foreign.message));
    expect(b.take()).toEqual([]);
    const [older, same, newer] = initiations(b, 3);
    for (const [initiation, answers] of [
      [newer, 1],
      [newer, 0],
      [same, 0],
      [older, 0],
    ] as const) {
      world.clock.set(world.clock.monotonic() + 1_000);
      b.receive(from(ATTACKER, b, initiation.message));
      expect(b.take().length).toBe(answers);
    }
    b.device.setPrivateKey(undefined);
    b.receive(
      from(ATTACKER, b, initiations(b.world.add({ name: 'b', address: ATTACKER }), 1, 99)[0].message),
    );
    expect(b.take()).toEqual([]);
  });

  it('meets data for nobody, and old data after the keys are gone', () => {
    const { world, a, b } = established();
    b.send(B_TO_A());
    const [data] = b.take();
    a.receive({ ...data, bytes: data.bytes.with(4, data.bytes[4] ^ 1), from: ATTACKER });
    expect(a.device.counters.unknownIndex).toBe(1);
    world.run(600_000);
    a.receive({ ...data, from: ATTACKER });
    expect([a.take(), a.device.counters.unknownIndex]).toEqual([[], 2]);
  });
});
