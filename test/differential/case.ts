/**
 * One case: the same traffic through a tier and through the portable path, under the same keys and counters. Every
 * datagram must be the same byte for byte, and so must every packet that comes out, in the order of its connection, and
 * everything the devices counted.
 */

import {
  ECN_DROP,
  type EcnMode,
  outerTrafficClass,
  takeOverEcn,
  trafficClassOf,
} from '../../src/packet/ecn.js';
import { Seeded } from '../crypto/seeded.js';
import { merge } from '../gateway/fast-end.js';
import { get16, onesSum, VNET } from '../gateway/frames.js';
import { segmentFrame } from '../gateway/segment-twin.js';
import { A_TO_B, B_TO_A, endpointOf, type VirtualNode, World } from '../wireguard/virtual/world.js';
import { type Direction, other, type Sealed, type Side, type Tier } from './tier.js';
import { type Addresses, Frames, hostileWire } from './traffic.js';

/** A tier and the portable path did not do the same. */
export class Difference extends Error {
  override name = 'Difference';
}

export interface CaseCounts {
  /** Packets that went in. */
  readonly packets: number;
  /** Of them, those cut from super-packets. */
  readonly cut: number;
  readonly delivered: number;
  /** Frames in which they came out. */
  readonly frames: number;
  /** Datagrams that were refused. */
  readonly refused: number;
}

const V6 = { a: new Uint8Array(16).fill(0xfd), b: new Uint8Array(16).fill(0xfe) };
const V4 = { a: Uint8Array.of(10, 0, 0, 1), b: Uint8Array.of(10, 0, 0, 2) };
const ELSEWHERE = endpointOf(203, 0, 113, 9, 1000);
/** Frames of a case. */
const FRAMES = 48;
/** Longest packet that the virtual devices carry. */
const LONGEST = 2_000;

interface Universe {
  readonly world: World;
  readonly a: VirtualNode;
  readonly b: VirtualNode;
}

/** Two ends that know each other. */
function universe(seed: number, tier: Tier | undefined): Universe {
  const world = new World(seed);
  const add = (name: Side, last: number): VirtualNode =>
    world.add({ name, address: endpointOf(192, 0, 2, last, 51820), keypairs: tier?.keypairs(name) });
  const nodes = { a: add('a', 1), b: add('b', 2) };
  for (const side of ['a', 'b'] as const) {
    const far = other(side);
    const { device } = nodes[side];
    const peer = device.addPeer(nodes[far].publicKey);
    device.allowedIps.insert(V4[far], 32, peer);
    device.allowedIps.insert(V6[far], 128, peer);
    peer.setEndpoint(nodes[far].address, 0);
  }
  return { world, ...nodes };
}

/** Gives them a session that both have used. */
function connect({ world, a, b }: Universe): void {
  a.send(A_TO_B());
  world.exchange();
  b.send(B_TO_A());
  world.exchange();
  a.delivered.length = b.delivered.length = 0;
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'nothing' : Buffer.from(bytes).toString('hex');
}

/** The seed says all: which way, which frames, what the network does. Throws a {@link Difference}. */
export function runCase(tier: Tier, seed: number): CaseCounts {
  const random = new Seeded(seed);
  const reference = universe(seed, undefined);
  const tested = universe(seed, tier);
  const showsMarks = tier.carriesMarks && random.below(2) === 0;
  tier.begin(tested, showsMarks);
  connect(reference);
  connect(tested);
  const from = random.pick(['a', 'b'] as const);
  const to = other(from);
  const comparison = new Comparison(tier, seed, showsMarks, {
    sender: reference[from],
    receiver: reference[to],
    testedSender: tested[from],
    testedReceiver: tested[to],
    direction: tier.direction(from, tested),
  });
  const addresses: Addresses = {
    source: { 4: V4[from], 6: V6[from] },
    destination: { 4: V4[to], 6: V6[to] },
  };
  try {
    return comparison.run(random, new Frames(random, addresses, reference.a.device.mtu));
  } finally {
    for (const node of [reference.a, reference.b, tested.a, tested.b]) node.device.close();
  }
}

interface Nodes {
  readonly sender: VirtualNode;
  readonly receiver: VirtualNode;
  readonly testedSender: VirtualNode;
  readonly testedReceiver: VirtualNode;
  readonly direction: Direction;
}

class Comparison {
  readonly #tier: Tier;
  readonly #seed: number;
  readonly #mode: EcnMode;
  readonly #nodes: Nodes;

  constructor(tier: Tier, seed: number, showsMarks: boolean, nodes: Nodes) {
    this.#tier = tier;
    this.#seed = seed;
    this.#mode = showsMarks ? 'normal' : 'compatibility';
    this.#nodes = nodes;
  }

  #differ(what: string, details: Readonly<Record<string, string>>): never {
    const lines = Object.entries(details).map(([name, value]) => `  ${name}: ${value}`);
    throw new Difference(`${this.#tier.name}, seed ${this.#seed}: ${what}\n${lines.join('\n')}`);
  }

  run(random: Seeded, frames: Frames): CaseCounts {
    const { sender, receiver, testedSender, testedReceiver, direction } = this.#nodes;
    let packets = 0;
    let cut = 0;
    let refusedFrames = 0;
    const sent: Uint8Array[] = [];
    for (let i = 0; i < FRAMES; ) {
      // Some wait together, so that packets of several frames may go in one send.
      const waiting: Uint8Array[] = [];
      const expected: Sealed[] = [];
      for (let n = 1 + random.below(5); n > 0; n--, i++) {
        const frame = frames.next();
        const segmented = segmentFrame(frame);
        // Made by damage to the offload header; no path carries such packets, and each says so elsewhere.
        if ('packets' in segmented && segmented.packets.some(({ length }) => length > LONGEST)) continue;
        waiting.push(frame);
        if ('refused' in segmented) {
          refusedFrames++;
          continue;
        }
        packets += segmented.packets.length;
        if (segmented.packets.length > 1) cut += segmented.packets.length;
        expected.push(...segmented.packets.flatMap((packet) => this.#seal(packet)));
      }
      this.#compareDatagrams(waiting, expected, direction.send(waiting));
      sent.push(...expected.map(({ bytes }) => bytes));
    }
    if (direction.badFrames !== refusedFrames)
      this.#differ('refused frames', { portable: `${refusedFrames}`, tier: `${direction.badFrames}` });
    this.#compareDevices('the sender', sender, testedSender, true);

    const merged = random.below(3) > 0;
    const rate = random.pick([0, 8, 40, 1_000]);
    const arriving = rate === 0 ? sent : hostileWire(random, sent, rate);
    const written = this.#receive(random, direction, arriving, merged);
    const certain = rate === 0 || this.#tier.knowsStride;
    this.#comparePackets(receiver.delivered, written, certain || !merged);
    this.#compareDevices('the receiver', receiver, testedReceiver, certain);
    const { badTag, replayed, malformed, unknownIndex } = receiver.device.counters;
    const refused = badTag + replayed + malformed + unknownIndex;
    return { packets, cut, delivered: receiver.delivered.length, frames: written.length, refused };
  }

  /** What the portable path makes of a packet, and the traffic class that its outer header has to have. */
  #seal(packet: Uint8Array): Sealed[] {
    const { sender } = this.#nodes;
    const trafficClass = outerTrafficClass(trafficClassOf(packet, 0), this.#mode);
    sender.send(packet);
    return sender.take().map(({ bytes }) => ({ bytes, trafficClass }));
  }

  #compareDatagrams(
    frames: readonly Uint8Array[],
    expected: readonly Sealed[],
    got: readonly Sealed[],
  ): void {
    const count = Math.max(expected.length, got.length);
    for (let n = 0; n < count; n++) {
      const [a, b] = [expected[n], got[n]];
      if (a && b && Buffer.compare(a.bytes, b.bytes) === 0 && a.trafficClass === b.trafficClass) continue;
      this.#differ(`datagram ${n} of ${expected.length} and ${got.length}`, {
        frames: frames.map(hex).join(' '),
        portable: `class ${a?.trafficClass} ${hex(a?.bytes)}`,
        tier: `class ${b?.trafficClass} ${hex(b?.bytes)}`,
      });
    }
  }

  /** The network's buffers, from one place and at last from another; frames that came out. */
  #receive(
    random: Seeded,
    direction: Direction,
    datagrams: readonly Uint8Array[],
    merged: boolean,
  ): Uint8Array[] {
    const { receiver, testedReceiver, sender } = this.#nodes;
    const buffers = merged ? merge(datagrams) : datagrams.map((one) => [one]);
    const moves = random.below(buffers.length + 1);
    const frames: Uint8Array[] = [];
    for (const [i, buffer] of buffers.entries()) {
      const source = i < moves ? sender.address : ELSEWHERE;
      const trafficClass = this.#tier.carriesMarks && random.below(4) === 0 ? random.below(256) : 0;
      const before = receiver.delivered.length;
      for (const bytes of buffer) receiver.receive({ bytes, from: source, to: receiver.address, at: 0 });
      mark(receiver.delivered, before, trafficClass);
      direction.receive(buffer, source, trafficClass);
      if (random.below(4) === 0) frames.push(...direction.flush());
    }
    frames.push(...direction.flush());
    testedReceiver.settle();
    return frames;
  }

  /** What the receiving stack sees: frames taken apart again, each connection in its order. */
  #comparePackets(expected: readonly Uint8Array[], frames: readonly Uint8Array[], ordered: boolean): void {
    const got = frames.flatMap((frame) => {
      const segmented = segmentFrame(frame);
      // A packet that was damaged before it was sealed passes as it is.
      return 'packets' in segmented ? segmented.packets : [frame.subarray(VNET)];
    });
    const [a, b] = [byConnection(expected), byConnection(got)];
    for (const connection of new Set([...a.keys(), ...b.keys()])) {
      const [ours, theirs] = [a.get(connection) ?? [], b.get(connection) ?? []];
      if (!ordered) for (const packets of [ours, theirs]) packets.sort(Buffer.compare);
      const count = Math.max(ours.length, theirs.length);
      for (let n = 0; n < count; n++) {
        if (ours[n] !== undefined && theirs[n] !== undefined && Buffer.compare(ours[n], theirs[n]) === 0)
          continue;
        this.#differ(`packet ${n} of ${ours.length} and ${theirs.length} of connection ${connection}`, {
          portable: hex(ours[n]),
          tier: hex(theirs[n]),
        });
      }
    }
  }

  /** Unless `certain`, a forged datagram may have been taken for several, and its parts counted. */
  #compareDevices(who: string, reference: VirtualNode, tested: VirtualNode, certain: boolean): void {
    const parts = certain ? {} : { malformed: 0, unknownIndex: 0, badTag: 0, replayed: 0 };
    const state = (node: VirtualNode): Record<string, unknown> => ({
      received: node.peer.rxBytes,
      sent: node.peer.txBytes,
      endpoint: hex(node.peer.endpoint),
      state: node.peer.state,
      deadline: node.device.nextDeadline(),
      counters: { ...node.device.counters, ...parts },
    });
    const [a, b] = [state(reference), state(tested)].map((value) => JSON.stringify(value));
    if (a !== b) this.#differ(`${who} knows otherwise`, { portable: a, tier: b });
  }
}

/** What the outer header's marks make of the packets from place `from` on; those that must be dropped are taken out. */
function mark(packets: Uint8Array[], from: number, trafficClass: number): void {
  if (trafficClass === 0) return;
  const arrived = packets.splice(from);
  packets.push(...arrived.filter((packet) => takeOverEcn(packet, 0, trafficClass) !== ECN_DROP));
}

/**
 * Packets by addresses, protocol and ports; where there are none, by what stands in their place. Fragments and packets
 * with a wrong header belong to no connection, whatever stands there.
 */
function byConnection(packets: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const connections = new Map<string, Uint8Array[]>();
  for (const packet of packets) {
    const v4 = packet[0] >> 4 === 4;
    const addresses = v4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
    const transport = v4 ? (packet[0] & 15) * 4 : 40;
    const ports = packet.subarray(transport, transport + 4);
    const whole =
      !v4 || ((get16(packet, 6) & ~0x4000) === 0 && onesSum(packet.subarray(0, transport)) === 0xffff);
    const connection = `${whole ? '' : 'part of '}${hex(addresses)} ${packet[v4 ? 9 : 6]} ${hex(ports)}`;
    const known = connections.get(connection);
    if (known) known.push(packet);
    else connections.set(connection, [packet]);
  }
  return connections;
}
