/** What the security tests attack with. */
import { expect } from 'vitest';
import { type KeyPair, keyPair } from './reference/identity.js';
import { Initiation } from './reference/noise.js';
import { tai64n } from './reference/tai64n.js';
import {
  A_TO_B,
  B_TO_A,
  type Datagram,
  endpointOf,
  pair,
  privateKeyOf,
  type VirtualNode,
  type World,
} from './virtual/world.js';

export const ATTACKER = endpointOf(203, 0, 113, 66, 6666);
export const A_KEYS: KeyPair = keyPair(privateKeyOf('a'));

export function established(seed = 1): { world: World; a: VirtualNode; b: VirtualNode } {
  const { world, a, b } = pair(seed);
  a.send(A_TO_B());
  world.exchange();
  b.send(B_TO_A());
  world.exchange();
  a.delivered.length = 0;
  b.delivered.length = 0;
  return { world, a, b };
}

/** Initiations of `a`, made by the slow twin, each a second later than the one before. */
export function initiations(b: VirtualNode, count: number, from = 1): Initiation[] {
  return Array.from(
    { length: count },
    (_, i) =>
      new Initiation({
        static: A_KEYS,
        responderPublicKey: b.publicKey,
        timestamp: tai64n(BigInt(from + i) * 1_000_000_000n),
      }),
  );
}

export function from(source: Uint8Array, to: VirtualNode, bytes: Uint8Array): Datagram {
  return { bytes, from: source, to: to.address, at: to.world.clock.monotonic() };
}

/** Fills a device's handshake queue faster than it can work. */
export function overload(node: VirtualNode, count = 200): void {
  const junk = new Uint8Array(148);
  junk[0] = 1;
  for (let i = 0; i < count; i++) node.device.queueHandshake(junk, 0, junk.length, ATTACKER, 0);
}

export const v6 = (last: number): Uint8Array => new Uint8Array([0xfd, ...Array(14).fill(0), last]);

/** A message from `node` that says what it likes, past every check on sending. */
export function sealedBy(node: VirtualNode, packet: Uint8Array): Datagram {
  const { world, device, peer } = node;
  const keypair = peer.keypairs.current!;
  expect(keypair.takeCounters(1)).toBe(true);
  const bytes = new Uint8Array(packet.length + 32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, keypair.remoteIndex, true);
  view.setUint32(8, keypair.takenLow, true);
  view.setUint32(12, keypair.takenHigh, true);
  bytes.set(packet, 16);
  const nothing = new Uint8Array(0);
  const { takenLow, takenHigh, sendKey } = keypair;
  world.primitives.aeadSeal(sendKey, takenLow, takenHigh, bytes, 16, packet.length, nothing);
  expect(device.counters.tooLarge).toBe(0);
  return { bytes, from: node.address, to: peer.endpoint.slice(), at: world.clock.monotonic() };
}
