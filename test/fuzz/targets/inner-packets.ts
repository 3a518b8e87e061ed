import { Batch } from '../../../src/packet/batch.js';
import { copyEndpoint } from '../../../src/packet/endpoint.js';
import { ipLength } from '../../../src/packet/ip.js';
import {
  DATA_COUNTER,
  DATA_HEADER_BYTES,
  DATA_OVERHEAD_BYTES,
  DATA_RECEIVER,
  TYPE_DATA,
  writeU32,
} from '../../../src/wireguard/messages.js';
import { A_TO_B, ipv4Packet, ipv6Packet, pair, type VirtualNode } from '../../wireguard/virtual/world.js';
import type { Random } from '../random.js';
import { demand, type Target } from '../target.js';

const NO_AD = new Uint8Array(0);
/** fd00:0:0:1::/64, the peer's own. */
const PREFIX6 = Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
const OTHER6 = Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1);

/**
 * What an authenticated peer sends inside the tunnel, mutated: it is delivered exactly when the header is consistent
 * and the source is the peer's own, trimmed to what the header says.
 */
export class InnerPackets implements Target {
  readonly name = 'inner-packets';
  readonly weight = 6;
  readonly samples = [
    ipv4Packet([10, 0, 0, 1], [10, 0, 0, 2], 0),
    ipv4Packet([10, 0, 0, 1], [10, 0, 0, 2], 77),
    ipv4Packet([10, 0, 0, 9], [10, 0, 0, 2], 20),
    ipv6Packet(PREFIX6, OTHER6, 0),
    ipv6Packet(PREFIX6, OTHER6, 64),
    ipv6Packet(OTHER6, PREFIX6, 64),
  ];
  readonly words = [Uint8Array.of(10, 0, 0, 1), PREFIX6.slice(0, 8)];
  readonly #sender: VirtualNode;
  readonly #receiver: VirtualNode;
  readonly #batch = new Batch(2304, 1);
  #delivered = 0;
  #badPacket = 0;
  #wrongSource = 0;

  constructor() {
    const { world, a, b } = pair(11);
    this.#sender = a;
    this.#receiver = b;
    b.device.allowedIps.insert(PREFIX6, 64, b.peer);
    a.send(A_TO_B(0));
    world.exchange();
  }

  run(message: Uint8Array, random: Random): void {
    const { device } = this.#receiver;
    const packet = message.length === 0 ? Uint8Array.of(0) : message;
    // Padding is whatever the sender likes (section 5.4.6 asks for zeros and a multiple of 16; nobody can check).
    const padded = packet.length + random.below(17);
    this.#seal(packet, padded);
    device.open(this.#batch);
    const delivered = this.#batch.length[0];

    const room = new Uint8Array(padded);
    room.set(packet);
    const expected = isOwn(room) ? ipLength(room, 0, padded) : 0;
    demand(delivered === expected, `${delivered} bytes were delivered, not ${expected}`);
    const at = this.#batch.offset[0];
    for (let i = 0; i < delivered; i++)
      demand(this.#batch.bytes[at + i] === room[i], 'the packet was damaged');
    demand(device.outbox.count === 0, 'the receiver answered');
    if (delivered > 0) this.#delivered++;
  }

  finish(): Readonly<Record<string, number>> {
    const { counters } = this.#receiver.device;
    this.#badPacket = counters.badPacket;
    this.#wrongSource = counters.wrongSource;
    return { delivered: this.#delivered, badPacket: this.#badPacket, wrongSource: this.#wrongSource };
  }

  /** As the sender's device would, but for any bytes at all. */
  #seal(packet: Uint8Array, padded: number): void {
    const keypair = this.#sender.peer.keypairForSending();
    demand(keypair?.takeCounters(1) === true, 'the session is gone');
    const batch = this.#batch;
    batch.clear();
    const i = batch.claim(padded + DATA_OVERHEAD_BYTES);
    const at = batch.offset[i];
    writeU32(batch.bytes, at, TYPE_DATA);
    writeU32(batch.bytes, at + DATA_RECEIVER, keypair.remoteIndex);
    writeU32(batch.bytes, at + DATA_COUNTER, keypair.takenLow);
    writeU32(batch.bytes, at + DATA_COUNTER + 4, keypair.takenHigh);
    const inner = at + DATA_HEADER_BYTES;
    batch.bytes.fill(0, inner, inner + padded);
    batch.bytes.set(packet, inner);
    this.#sender.world.primitives.aeadSeal(
      keypair.sendKey,
      keypair.takenLow,
      keypair.takenHigh,
      batch.bytes,
      inner,
      padded,
      NO_AD,
    );
    copyEndpoint(batch.endpoints, 0, this.#sender.address, 0);
  }
}

/** The sender's AllowedIPs at the receiver, in the plainest words. */
function isOwn(packet: Uint8Array): boolean {
  if (packet[0] >>> 4 === 4) {
    return packet[12] === 10 && packet[13] === 0 && packet[14] === 0 && packet[15] === 1;
  }
  return packet[0] >>> 4 === 6 && PREFIX6.subarray(0, 8).every((byte, i) => packet[8 + i] === byte);
}
