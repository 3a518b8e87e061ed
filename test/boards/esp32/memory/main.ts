/**
 * What the gateway of a chip keeps in the machine's memory, told line by line: nothing yet, a gateway without peers,
 * its configuration, sessions with all peers. The other ends live in the same machine for a moment only.
 */

import { readConfiguration } from '../../../../boards/esp32/firmware/configuration.js';
import { CHIP_BATCH, CHIP_LIMITS } from '../../../../boards/esp32/firmware/limits.js';
import { NativePrimitives } from '../../../../boards/native/primitives.js';
import { keyToBase64 } from '../../../../src/crypto/key-text.js';
import { applyConfig } from '../../../../src/gateway/apply-config.js';
import { Gateway } from '../../../../src/gateway.js';
import { Batch } from '../../../../src/packet/batch.js';
import { writeEndpoint } from '../../../../src/packet/endpoint.js';
import type { Clock, DatagramSocket, PacketDevice, Store } from '../../../../src/ports.js';
import { Device } from '../../../../src/wireguard/device.js';
import { TimestampSource } from '../../../../src/wireguard/tai64n.js';

const PACKET = 40;

class Measure {
  get peers(): number {
    return native('xs_measure_peers').call(this);
  }

  get packets(): number {
    return native('xs_measure_packets').call(this);
  }

  print(text: string): void {
    native('xs_measure_print').call(this, text);
  }

  memory(out: ArrayBuffer): void {
    native('xs_measure_memory').call(this, out);
  }
}

class TestClock implements Clock {
  now = 1_000_000;

  monotonic(): number {
    return this.now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.now;
  }
}

/** A store that forgets. */
class NoStore implements Store {
  get(): Uint8Array | undefined {
    return undefined;
  }

  set(): void {}

  delete(): void {}
}

/** Both sides of a gateway that nobody drives. */
class Idle {
  readonly port = 51820;
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;

  readBatch(): number {
    return 0;
  }

  writeBatch(): void {}

  receiveBatch(): number {
    return 0;
  }

  sendBatch(): void {}

  close(): void {}
}

export default function main(): void {
  const host = new Measure();
  const figures = new Float64Array(5);
  const tell = (what: string): void => {
    host.memory(figures.buffer);
    const [slots, slotBytes, chunks, mostSlots, mostChunks] = figures;
    const live = `${slots * slotBytes} ${chunks}`;
    host.print(`${what}: ${live} (most: ${mostSlots * slotBytes} ${mostChunks}; a slot: ${slotBytes})\n`);
  };
  const { peers } = host;
  const clock = new TestClock();
  const primitives = new NativePrimitives();
  tell('start');

  const options = { primitives, clock, limits: { ...CHIP_LIMITS, maxPeers: 64 } };
  const device = new Device({ ...options, timestamps: new TimestampSource(clock, new NoStore()) });
  const idle: PacketDevice & DatagramSocket = new Idle();
  const timer = { schedule(): void {}, cancel(): void {} };
  const gateway = new Gateway({
    device,
    tunnel: idle,
    socket: idle,
    clock,
    timer,
    batchCapacity: CHIP_BATCH,
  });
  gateway.start();
  tell('gateway');

  const keys: Uint8Array[] = [];
  const read = readConfiguration(configurationFor(peers, keys, primitives), 'tunnel', primitives);
  if (read.config === undefined) throw new Error(read.problems.join('\n'));
  applyConfig(device, read.config, undefined, new Map());
  tell('configured');

  for (let i = 0; i < peers; i++) {
    clock.now += 100;
    establish(device, keys[i], i, clock, primitives);
  }
  for (const peer of device.peers()) if (!peer.keypairForSending()) throw new Error('a peer has no session');
  keys.length = 0;
  tell('sessions');
  sealPackets(device, host.packets);
}

/** Work for an instruction counter around this program: packets of 1420 bytes to the first peer, in the chip's batches. */
function sealPackets(device: Device, packets: number): void {
  const packet = new Uint8Array(1420);
  packet[0] = 0x45;
  packet[2] = 1420 >> 8;
  packet[3] = 1420 & 0xff;
  packet.set([10, 9, 0, 1, 10, 9, 1, 1], 12);
  const batch = new Batch(1420, CHIP_BATCH);
  for (let sealed = 0; sealed < packets; sealed += CHIP_BATCH) {
    batch.clear();
    for (let i = 0; i < CHIP_BATCH; i++) batch.claim(1420);
    for (let i = 0; i < CHIP_BATCH; i++) batch.bytes.set(packet, batch.offset[i]);
    device.seal(batch);
    if (batch.length[0] <= 1420) throw new Error('a packet was not sealed');
  }
}

/** The text of a configuration as it lies in flash, and the private keys of its peers. */
function configurationFor(peers: number, keys: Uint8Array[], primitives: NativePrimitives): Uint8Array {
  const fresh = (): Uint8Array => {
    const key = new Uint8Array(32);
    primitives.random(key);
    return key;
  };
  let text = `[Interface]\nPrivateKey = ${keyToBase64(fresh())}\nAddress = 10.9.0.1/16\nListenPort = 51820\n`;
  for (let i = 0; i < peers; i++) {
    const key = fresh();
    const publicKey = new Uint8Array(32);
    primitives.x25519PublicKey(publicKey, key);
    keys.push(key);
    text += `\n[Peer]\nPublicKey = ${keyToBase64(publicKey)}\nAllowedIPs = 10.9.1.${i + 1}/32, 10.10.${i}.0/24\n`;
    text += `Endpoint = 198.51.100.${i + 1}:51820\n`;
  }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A session between the device and a short-lived other end that has the private key of its peer `i`. */
function establish(
  device: Device,
  key: Uint8Array,
  i: number,
  clock: Clock,
  primitives: NativePrimitives,
): void {
  const limits = { ...CHIP_LIMITS, outbox: 2, rateLimiterEntries: 4 };
  const timestamps = new TimestampSource(clock, new NoStore());
  const other = new Device({ primitives, clock, timestamps, limits });
  other.setPrivateKey(key);
  const peer = other.addPeer(device.publicKey!);
  other.allowedIps.insert(Uint8Array.of(10, 9, 0, 0), 16, peer);

  const packet = new Uint8Array(PACKET);
  packet[0] = 0x45;
  packet[3] = PACKET;
  packet.set([10, 9, 0, 1, 10, 9, 1, i + 1], 12);
  const batch = new Batch(1500, 4);
  batch.push(packet, 0, PACKET);
  device.outbox.clear();
  device.seal(batch);
  carry(device, other, batch, i);
  carry(other, device, batch, i);
  carry(device, other, batch, i);
  other.close();
}

/** What one end's outbox holds, to the other. */
function carry(from: Device, to: Device, batch: Batch, i: number): void {
  from.advance();
  const { outbox } = from;
  batch.clear();
  for (let n = 0; n < outbox.count; n++) batch.push(outbox.bytes, outbox.offset[n], outbox.length[n]);
  for (let n = 0; n < batch.count; n++) {
    writeEndpoint(batch.endpoints, n * 24, Uint8Array.of(198, 51, 100, i + 1), 51820);
  }
  outbox.clear();
  to.open(batch);
  to.advance();
}
