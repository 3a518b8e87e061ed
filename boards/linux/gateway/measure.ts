/**
 * Work for an instruction counter: two devices in one process, on a clock of their own, do one thing so many times.
 * `npm run bench:xs` runs it under callgrind.
 */

import type { Primitives } from '../../../src/crypto/primitives.js';
import { Batch } from '../../../src/packet/batch.js';
import { ENDPOINT_BYTES, writeEndpoint } from '../../../src/packet/endpoint.js';
import type { Clock, Store } from '../../../src/ports.js';
import { Device } from '../../../src/wireguard/device.js';
import { DATA_OVERHEAD_BYTES } from '../../../src/wireguard/messages.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';
import { EXIT, GatewayError } from './gateway-error.js';

export const WORKS = Object.freeze(['handshake', 'packet']);

const PACKET_BYTES = 1420;
/** Longer than Rekey-Timeout, so that every handshake may follow the last. */
const STEP = 6_000;

class SteppedClock implements Clock {
  now = 1_000;
  monotonic(): number {
    return this.now;
  }
  wall(): number {
    return 1_700_000_000_000 + this.now;
  }
}

class NoStore implements Store {
  get(): undefined {
    return undefined;
  }
  set(): void {}
  delete(): void {}
}

class End {
  readonly device: Device;
  readonly key = new Uint8Array(32);
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  peer: Peer | undefined;

  constructor(primitives: Primitives, clock: Clock) {
    primitives.random(this.key);
    const timestamps = new TimestampSource(clock, new NoStore());
    this.device = new Device({ primitives, clock, timestamps });
    this.device.setPrivateKey(this.key);
    // Both have one: what one end sealed, the other can open where it lies.
    writeEndpoint(this.endpoint, 0, new Uint8Array([192, 0, 2, 1]), 51_820);
  }

  meet(other: End, address: Uint8Array): void {
    this.peer = this.device.addPeer(other.device.publicKey!);
    this.peer.setEndpoint(other.endpoint, 0);
    this.device.allowedIps.insert(address, 32, this.peer);
  }
}

/** Does `work` `count` times. Throws a {@link GatewayError} when it did not come out right. */
export function measure(work: string, count: number, primitives: Primitives): void {
  const clock = new SteppedClock();
  const here = new End(primitives, clock);
  const there = new End(primitives, clock);
  here.meet(there, new Uint8Array([10, 0, 0, 2]));
  there.meet(here, new Uint8Array([10, 0, 0, 1]));
  const wire = new Batch(PACKET_BYTES + DATA_OVERHEAD_BYTES);
  const packets = new Batch(PACKET_BYTES + DATA_OVERHEAD_BYTES);

  const carry = (from: End, to: End): void => {
    const { outbox } = from.device;
    wire.clear();
    for (let i = 0; i < outbox.count; i++) {
      const at = wire.push(outbox.bytes, outbox.offset[i], outbox.length[i]);
      wire.endpoints.set(from.endpoint, at * ENDPOINT_BYTES);
    }
    outbox.clear();
    to.device.open(wire);
    to.device.advance();
  };
  const shakeHands = (): void => {
    clock.now += STEP;
    here.peer!.initiate(false);
    carry(here, there);
    carry(there, here);
    carry(here, there);
  };
  shakeHands();
  // From 10.0.0.1 to 10.0.0.2, UDP.
  const header = [
    0x45,
    0,
    PACKET_BYTES >> 8,
    PACKET_BYTES & 255,
    0,
    0,
    0,
    0,
    64,
    17,
    0,
    0,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
  ];
  packets.bytes.set(header, packets.offset[packets.claim(PACKET_BYTES)]);
  let right = 0;
  for (let i = 0; i < count; i++) {
    if (work === 'handshake') {
      shakeHands();
      continue;
    }
    here.device.seal(packets);
    there.device.open(packets);
    if (packets.length[0] === PACKET_BYTES) right++;
  }
  if (work === 'handshake') right = there.device.counters.handshakesCompleted - 1;
  if (right !== count) throw new GatewayError(EXIT.failure, `${right} of ${count} came out right`);
}
