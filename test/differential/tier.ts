/** What the comparison asks of a tier: its two halves between virtual devices, without descriptors and sockets. */

import { KeySlots } from '../../host/gateway/offload/key-slots.js';
import { Kernel, type Lane } from '../../host/gateway/wasm/kernel.js';
import type { KeypairObserver } from '../../src/wireguard/keypair.js';
import { FastReceiver, FastSender } from '../gateway/fast-end.js';
import type { VirtualNode } from '../wireguard/virtual/world.js';

/** One direction of traffic. */
export interface Direction {
  /** A frame from TUN; the datagrams that it becomes, in order. */
  send(frame: Uint8Array): readonly Uint8Array[];
  /** Datagrams that arrive as one merged buffer from an endpoint record. */
  receive(buffer: readonly Uint8Array[], source: Uint8Array): void;
  /** Everything taken so far goes out: frames for TUN since the last call, and the device knows of it. */
  flush(): readonly Uint8Array[];
  /** Frames that `send` refused. */
  readonly badFrames: number;
}

export interface Tier {
  readonly name: string;
  /**
   * Whether it is told where the datagrams of a merged buffer begin. Otherwise it finds out, and foreign bytes between
   * them may cost the order in which they are delivered.
   */
  readonly knowsStride: boolean;
  /** For the devices of a case; each case has its own two. */
  readonly keypairs: KeypairObserver;
  /** `sender` and `receiver` have a session. */
  direction(sender: VirtualNode, receiver: VirtualNode): Direction;
}

/** T0: the pump's sender and receiver around the WebAssembly kernel. */
class T0 implements Tier {
  readonly name = 't0';
  readonly knowsStride = false;
  readonly keypairs: KeypairObserver;
  readonly #kernel: Kernel;
  readonly #lanes: readonly [Lane, Lane];

  constructor(kernelFile: string | undefined) {
    this.#kernel = new Kernel(kernelFile);
    this.keypairs = new KeySlots(this.#kernel);
    this.#lanes = [this.#kernel.lane(0), this.#kernel.lane(1)];
  }

  direction(from: VirtualNode, to: VirtualNode): Direction {
    const sender = new FastSender(this.#kernel, from, this.#lanes[0]);
    const receiver = new FastReceiver(this.#kernel, to, this.#lanes[1]);
    return {
      send: (frame) => sender.frame(frame),
      receive: (buffer, source) => receiver.buffer(buffer, source),
      flush: () => {
        receiver.flush();
        return receiver.frames.splice(0);
      },
      get badFrames() {
        return sender.counters.badFrames;
      },
    };
  }
}

/** Every tier that this machine can run. `kernelFile` is the compiled kernel; the one in `dist/` when absent. */
export const TIERS: Readonly<Record<string, (kernelFile?: string) => Tier>> = {
  t0: (kernelFile) => new T0(kernelFile),
};
