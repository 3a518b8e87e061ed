/** The two halves of the T0 pump on a virtual node, with the TUN descriptor and the sockets left out. */

import { OffloadCounters } from '../../host/gateway/offload/counters.js';
import { Receiver } from '../../host/gateway/offload/receiver.js';
import { FRAME_SKEW, type RunPort, Sender } from '../../host/gateway/offload/sender.js';
import type { Kernel, Lane } from '../../host/gateway/wasm/kernel.js';
import type { VirtualNode } from '../wireguard/virtual/world.js';
import { VNET } from './frames.js';
import { segmentFrame } from './segment-twin.js';

export class FastSender {
  readonly counters = new OffloadCounters();
  /** Datagrams sent since the last `take`, and the sizes of the runs they were sent in. */
  datagrams: Uint8Array[] = [];
  runs: number[] = [];
  readonly #kernel: Kernel;
  readonly #sender: Sender;
  readonly #place: number;

  constructor(kernel: Kernel, node: VirtualNode, lane: Lane = kernel.lane(0)) {
    this.#kernel = kernel;
    const port: RunPort = {
      congested: false,
      sendRun: (bytes, at, length, stride) => {
        this.runs.push(Math.ceil(length / stride));
        for (let done = 0; done < length; done += stride) {
          this.datagrams.push(bytes.slice(at + done, at + Math.min(done + stride, length)));
        }
      },
      sendBatch: (batch) => {
        for (let i = 0; i < batch.count; i++) {
          const from = batch.offset[i];
          if (batch.length[i] > 0) this.datagrams.push(batch.bytes.slice(from, from + batch.length[i]));
        }
      },
    };
    this.#place = lane.input + FRAME_SKEW;
    this.#sender = new Sender(kernel, lane, node.device, port, this.counters);
  }

  frame(frame: Uint8Array): Uint8Array[] {
    this.datagrams = [];
    this.runs = [];
    this.#kernel.bytes.set(frame, this.#place);
    this.#sender.frame(this.#place, frame.length);
    return this.datagrams;
  }
}

export class FastReceiver {
  readonly counters = new OffloadCounters();
  /** Frames written to TUN. */
  readonly frames: Uint8Array[] = [];
  readonly #receiver: Receiver;

  constructor(kernel: Kernel, node: VirtualNode, lane: Lane = kernel.lane(1)) {
    const { device, world } = node;
    this.#receiver = new Receiver(kernel, lane, device, world.clock, this.counters, (bytes, at, length) => {
      this.frames.push(bytes.slice(at, at + length));
    });
  }

  /** One buffer as UDP_GRO hands it over. */
  buffer(datagrams: readonly Uint8Array[], source: Uint8Array): void {
    this.#receiver.buffer(Buffer.concat(datagrams), source);
  }

  flush(): void {
    this.#receiver.flush();
  }

  /** The packets that the receiving stack sees, the super-packets taken apart again. */
  get packets(): Uint8Array[] {
    return this.frames.flatMap((frame) => {
      const cut = segmentFrame(frame);
      return 'packets' in cut ? cut.packets : [frame.slice(VNET)];
    });
  }
}

/** What UDP_GRO does: neighbours of one length, and one shorter behind them, become one buffer. */
export function merge(datagrams: readonly Uint8Array[]): Uint8Array[][] {
  const buffers: Uint8Array[][] = [];
  let bytes = 0;
  let closed = true;
  for (const datagram of datagrams) {
    const buffer = buffers.at(-1);
    const size = buffer?.[0]?.length ?? 0;
    if (
      !closed &&
      buffer &&
      datagram.length <= size &&
      buffer.length < 64 &&
      bytes + datagram.length <= 65507
    ) {
      buffer.push(datagram);
      bytes += datagram.length;
      closed = datagram.length < size;
    } else {
      buffers.push([datagram]);
      bytes = datagram.length;
      closed = false;
    }
  }
  return buffers;
}
