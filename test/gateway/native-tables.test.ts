/** What the data plane's threads read beside the device, and its erasure while they may be using it. */

import { describe, expect, it } from 'vitest';
import { SharedIndices } from '../../host/gateway/native/shared-indices.js';
import { SharedTables } from '../../host/gateway/native/shared-tables.js';
import { ENDPOINT_BYTES } from '../../src/packet/endpoint.js';
import type { Keypair } from '../../src/wireguard/keypair.js';
import { Seeded } from '../crypto/seeded.js';
import { A_TO_B, B_TO_A, pair } from '../wireguard/virtual/world.js';
import { makeKernel } from './built-kernel.js';

function tables() {
  const kernel = makeKernel();
  const lane = kernel.laneAt(kernel.allocateLane());
  return { kernel, lane, tables: new SharedTables(kernel, lane) };
}

/** Two devices in session that keep their keys in the same tables. */
function session(seed: number) {
  const made = tables();
  const own = pair(seed, { keypairs: made.tables });
  own.a.send(A_TO_B());
  own.world.exchange();
  own.b.send(B_TO_A());
  own.world.exchange();
  made.tables.follow(own.a.device);
  const current = own.a.peer.keypairs.current;
  if (current === undefined) throw new Error('no session');
  return { ...made, a: own.a, b: own.b, world: own.world, current };
}

describe('the table of receiver indices', () => {
  it('finds what a map finds, through additions, removals and growth', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const kernel = makeKernel();
      const { call } = kernel.lane(0);
      const random = new Seeded(seed);
      const indices = new SharedIndices(kernel);
      const expected = new Map<number, number>();
      // Few different low bits, so that searches collide.
      const some = () => (random.below(2 ** 16) * 2 ** 16 + random.below(64)) >>> 0;
      for (let i = 0; i < 3000; i++) {
        const known = [...expected.keys()];
        if (known.length > 0 && random.below(3) === 0) {
          const index = random.pick(known);
          indices.delete(index);
          const slot = expected.get(index) ?? 0;
          expected.delete(index);
          kernel.words[(kernel.slotAddress(slot) + kernel.constant('SLOT_LOCAL_INDEX')) >> 2] = 0;
          kernel.releaseSlot(slot);
          expect(call.findSlot(index)).toBe(0);
          continue;
        }
        const index = some();
        if (index === 0 || expected.has(index)) continue;
        const slot = kernel.takeSlot(new Uint8Array(32), new Uint8Array(32), 0);
        kernel.words[(kernel.slotAddress(slot) + kernel.constant('SLOT_LOCAL_INDEX')) >> 2] = index;
        indices.set(index, slot);
        expected.set(index, slot);
      }
      for (const [index, slot] of expected) {
        expect(call.findSlot(index), `seed ${seed}`).toBe(kernel.slotAddress(slot));
      }
      for (let i = 0; i < 1000; i++) {
        const index = some();
        if (!expected.has(index)) expect(call.findSlot(index), `seed ${seed}`).toBe(0);
      }
    }
  });
});

describe('the copy of the routes', () => {
  it('answers like the device, also after every change', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const { kernel, lane, tables: shared } = tables();
      const { world, a } = pair(seed, { keypairs: shared });
      const random = new Seeded(seed);
      const peers = [a.peer];
      for (let i = 0; i < 20; i++) peers.push(a.device.addPeer(random.bytes(32)));
      shared.follow(a.device);
      const place = kernel.allocate(16);
      const some = (bytes: 4 | 16) =>
        random.bytes(bytes).map((byte, i) => (i === 0 ? byte & 7 : byte & 0x81));
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 10; i++) {
          const bytes = random.pick([4, 16] as const);
          const prefix = random.below(bytes * 8 + 1);
          const peer = random.pick(peers);
          if (random.below(4) === 0) a.device.allowedIps.remove(some(bytes), prefix, peer);
          else a.device.allowedIps.insert(some(bytes), prefix, peer);
        }
        a.device.allowedIps.settle();
        for (let i = 0; i < 100; i++) {
          const bytes = random.pick([4, 16] as const);
          const address = some(bytes);
          kernel.all.set(address, place);
          const { allowedIps } = a.device;
          const peer = bytes === 4 ? allowedIps.lookup4(address, 0) : allowedIps.lookup6(address, 0);
          const found = lane.call.route(place, bytes === 4 ? 4 : 6);
          // A peer that nothing was published of has no record; the others' blocks are there.
          const record = peer === undefined ? 0 : lane.call.peerAt(peer.id);
          expect(found, `seed ${seed}, round ${round}`).toBe(record);
          if (peer !== undefined) expect(record).not.toBe(0);
        }
      }
      world.exchange();
    }
  });
});

describe('a key pair in shared memory', () => {
  const holds = (memory: Uint8Array, key: Uint8Array) => Buffer.from(memory).includes(Buffer.from(key));
  const copyOf = ({ sendKey, receiveKey }: Keypair) => [
    Uint8Array.from(sendKey),
    Uint8Array.from(receiveKey),
  ];

  it('is there while it lives and erased with it', () => {
    const { kernel, a, b, current } = session(1);
    const keys = copyOf(current);
    for (const key of keys) expect(holds(kernel.all, key)).toBe(true);
    a.peer.eraseKeys();
    b.peer.eraseKeys();
    for (const key of keys) expect(holds(kernel.all, key)).toBe(false);
  });

  it('is not erased under the hands of a thread, but right after', () => {
    const { kernel, a, b, tables: shared, current } = session(2);
    const keys = copyOf(current);
    const user = kernel.allocate(64);
    shared.addUser(user);
    kernel.words[user >> 2] = kernel.slotAddress(current.slot);
    let asked = 0;
    shared.onCondemned = () => {
      asked++;
    };
    a.peer.eraseKeys();
    b.peer.eraseKeys();
    expect(asked).toBeGreaterThan(0);
    for (const key of keys) expect(holds(kernel.all, key)).toBe(true);
    expect(shared.eraseCondemned()).toBe(false);
    // From now on no thread may begin to use it, and none can find it.
    kernel.words[user >> 2] = 0;
    expect(shared.eraseCondemned()).toBe(true);
    for (const key of keys) expect(holds(kernel.all, key)).toBe(false);
  });

  it('is erased at the end, whatever a thread that died was using', () => {
    const { kernel, tables: shared, current } = session(3);
    const keys = copyOf(current);
    const user = kernel.allocate(64);
    shared.addUser(user);
    kernel.words[user >> 2] = kernel.slotAddress(current.slot);
    shared.eraseAll();
    for (const key of keys) expect(holds(kernel.all, key)).toBe(false);
  });

  it('gives every counter once, whoever asks, and none past the last', () => {
    const { kernel, lane, current } = session(4);
    expect(current.takeCounters(3)).toBe(true);
    const first = current.takenLow;
    // As the sending thread does it.
    expect(lane.call.takeSlotCounters(current.slot, 5)).toBe(1);
    expect(current.takeCounters(1)).toBe(true);
    expect(current.takenLow).toBe(first + 8);
    const counter = (kernel.slotAddress(current.slot) + kernel.constant('SLOT_COUNTER')) >> 2;
    kernel.words[counter] = 0xffff_dffc | 0;
    kernel.words[counter + 1] = -1;
    expect(current.takeCounters(4)).toBe(false);
    expect(current.takeCounters(3)).toBe(true);
    expect([current.takenHigh, current.takenLow]).toEqual([0xffff_ffff, 0xffff_dffc]);
    expect(current.takeCounters(1)).toBe(false);
    expect(current.sendExhausted).toBe(true);
  });

  it('is what the peer sends with from the moment it is current', () => {
    const { lane, kernel, a, current } = session(5);
    const slotOf = () => kernel.words[(lane.call.peerAt(a.peer.id) + 4) >> 2];
    expect(slotOf()).toBe(kernel.slotAddress(current.slot));
    a.peer.eraseKeys();
    expect(slotOf()).toBe(0);
  });
});

describe('a peer’s endpoint in shared memory', () => {
  it('follows the device’s', () => {
    const { lane, kernel, a } = session(6);
    const at = () => lane.call.peerAt(a.peer.id) + kernel.constant('PEER_RECORD');
    const record = () => Uint8Array.from(kernel.all.subarray(at(), at() + ENDPOINT_BYTES));
    expect(record()).toEqual(a.peer.endpoint);
    const other = Uint8Array.from(a.peer.endpoint);
    other[3] ^= 1;
    a.peer.setEndpoint(other, 0);
    expect(record()).toEqual(other);
  });

  it('can be written again after a thread died while writing it', () => {
    const { lane, kernel, a, tables: shared } = session(7);
    const turn = lane.call.peerAt(a.peer.id) >> 2;
    kernel.words[turn]++;
    const user = kernel.allocate(64);
    shared.healAfter(user, [a.peer]);
    const other = Uint8Array.from(a.peer.endpoint);
    other[3] ^= 1;
    a.peer.setEndpoint(other, 0);
    const at = lane.call.peerAt(a.peer.id) + kernel.constant('PEER_RECORD');
    expect(Uint8Array.from(kernel.all.subarray(at, at + ENDPOINT_BYTES))).toEqual(other);
  });
});
