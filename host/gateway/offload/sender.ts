/** From frames of TUN to sealed datagrams: the outward half of the pump. */

import { Batch } from '../../../src/packet/batch.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Keypair } from '../../../src/wireguard/keypair.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { type Kernel, type Lane, VNET_BYTES } from '../wasm/kernel.js';
import type { OffloadCounters } from './counters.js';

/** The largest IP packet. */
const MAX_PACKET = 65_535;
export const FRAME_BYTES = MAX_PACKET + VNET_BYTES;
/** Where in its first 16 bytes a frame begins, so that its packet is aligned. */
export const FRAME_SKEW = 16 - VNET_BYTES;

/** What the sender needs of the {@link DatagramPort}. */
export interface RunPort {
  /** Bytes of earlier runs are still in use; no run may be made. */
  readonly congested: boolean;
  sendRun(
    bytes: Uint8Array,
    at: number,
    length: number,
    stride: number,
    endpoints: Uint8Array,
    endpointAt: number,
  ): void;
  sendBatch(batch: Batch): void;
}

export class Sender {
  readonly #kernel: Kernel;
  readonly #lane: Lane;
  readonly #device: Device;
  readonly #port: RunPort;
  readonly #counters: OffloadCounters;
  /** For the rare pair without a slot in the kernel. */
  #portable: Batch | undefined;

  constructor(kernel: Kernel, lane: Lane, device: Device, port: RunPort, counters: OffloadCounters) {
    this.#kernel = kernel;
    this.#lane = lane;
    this.#device = device;
    this.#port = port;
    this.#counters = counters;
  }

  /** Cuts, seals and sends one frame. */
  frame(at: number, length: number): void {
    const { bytes } = this.#kernel;
    const counters = this.#counters;
    const { call } = this.#lane;
    counters.framesRead++;
    const packets = call.takeFrame(at, length);
    if (packets < 0) {
      counters.badFrames++;
      return;
    }
    counters.packetsCut += packets;
    const peer = this.#device.routeDestination(bytes, at + VNET_BYTES, length - VNET_BYTES);
    if (peer === undefined) {
      this.#device.counters.noRoute += packets;
      return;
    }
    const keypair = peer.keypairForSending();
    if (keypair === undefined) {
      this.#stage(peer, packets);
      return;
    }
    if (!peer.hasEndpoint) {
      this.#device.counters.noEndpoint += packets;
      return;
    }
    if (keypair.slot < 0) this.#sendPortable(packets);
    else this.#seal(peer, keypair, packets);
  }

  #seal(peer: Peer, keypair: Keypair, packets: number): void {
    const { call, output } = this.#lane;
    const { bytes } = this.#kernel;
    const { mtu } = this.#device;
    const port = this.#port;
    if (!keypair.takeCounters(packets)) return;
    let low = keypair.takenLow;
    let high = keypair.takenHigh;
    let done = 0;
    let sent = 0;
    while (done < packets) {
      if (port.congested) {
        // Only between the runs of one frame; otherwise nothing is read while the socket is full.
        this.#counters.sendDropped += packets - done;
        break;
      }
      const count = call.sealRun(keypair.slot, low, high, done, packets, mtu);
      if (count === 0) {
        this.#device.counters.tooLarge += packets - done;
        break;
      }
      port.sendRun(bytes, output, call.runBytes(), call.runStride(), peer.endpoint, 0);
      sent += call.runBytes();
      done += count;
      low += count;
      if (low > 0xffff_ffff) {
        low -= 0x1_0000_0000;
        high++;
      }
    }
    if (done > 0) peer.noteSent(keypair, done, sent, done);
  }

  /** No session yet: the packets wait in the device, each for itself. */
  #stage(peer: Peer, packets: number): void {
    const { call, output } = this.#lane;
    if (!peer.hasEndpoint) this.#device.counters.noEndpoint += packets;
    for (let i = 0; i < packets; i++) {
      peer.stage(this.#kernel.bytes, output, call.writeSegment(i, output));
    }
  }

  #sendPortable(packets: number): void {
    const { call, output } = this.#lane;
    this.#portable ??= new Batch(this.#device.limits.packetSize);
    const batch = this.#portable;
    for (let i = 0; i < packets; ) {
      batch.clear();
      for (; i < packets && !batch.full; i++) {
        const length = call.writeSegment(i, output);
        if (batch.push(this.#kernel.bytes, output, length) < 0) this.#device.counters.tooLarge++;
      }
      this.#device.seal(batch);
      this.#port.sendBatch(batch);
    }
  }
}
