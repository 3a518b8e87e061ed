/** What the comparison asks of a tier: its two halves between virtual devices, without descriptors and sockets. */

import { NativeMissingError } from '../../host/gateway/native/linux.js';
import { loadOpenSsl } from '../../host/gateway/native/openssl.js';
import { KeySlots } from '../../host/gateway/offload/key-slots.js';
import { Kernel, type Lane } from '../../host/gateway/wasm/kernel.js';
import type { KeypairObserver } from '../../src/wireguard/keypair.js';
import { FastReceiver, FastSender } from '../gateway/fast-end.js';
import type { VirtualNode } from '../wireguard/virtual/world.js';
import { NativeEnd } from './native-end.js';

/** A datagram and the traffic class of its outer header. */
export interface Sealed {
  readonly bytes: Uint8Array;
  readonly trafficClass: number;
}

/** One direction of traffic. */
export interface Direction {
  /** Frames that wait in TUN; the datagrams that they become, in order. */
  send(frames: readonly Uint8Array[]): readonly Sealed[];
  /** Datagrams that arrive as one merged buffer from an endpoint record, under one traffic class. */
  receive(buffer: readonly Uint8Array[], source: Uint8Array, trafficClass: number): void;
  /** Everything taken so far goes out: frames for TUN since the last call, and the device knows of it. */
  flush(): readonly Uint8Array[];
  /** Frames that `send` refused. */
  readonly badFrames: number;
}

export type Side = 'a' | 'b';

export interface Tier {
  readonly name: string;
  /**
   * Whether it is told where the datagrams of a merged buffer begin. Otherwise it finds out, and foreign bytes between
   * them may cost the order in which they are delivered.
   */
  readonly knowsStride: boolean;
  /** Whether it carries congestion marks through the tunnel. */
  readonly carriesMarks: boolean;
  /** For the device of this side; each case has its own two. */
  keypairs(side: Side): KeypairObserver;
  /** Both devices have been configured; nothing was sent yet. `showsMarks`: RFC 6040's normal mode. */
  begin(nodes: Readonly<Record<Side, VirtualNode>>, showsMarks: boolean): void;
  /** The devices have a session. */
  direction(from: Side, nodes: Readonly<Record<Side, VirtualNode>>): Direction;
}

/** T0: the pump's sender and receiver around the WebAssembly kernel. */
class T0 implements Tier {
  readonly name = 't0';
  readonly knowsStride = false;
  readonly carriesMarks = false;
  readonly #kernel: Kernel;
  readonly #slots: KeySlots;
  readonly #lanes: readonly [Lane, Lane];

  constructor(kernelFile: string | undefined) {
    this.#kernel = new Kernel(kernelFile);
    this.#slots = new KeySlots(this.#kernel);
    this.#lanes = [this.#kernel.lane(0), this.#kernel.lane(1)];
  }

  keypairs(): KeypairObserver {
    return this.#slots;
  }

  begin(): void {}

  direction(from: Side, nodes: Readonly<Record<Side, VirtualNode>>): Direction {
    const sender = new FastSender(this.#kernel, nodes[from], this.#lanes[0]);
    const receiver = new FastReceiver(this.#kernel, nodes[other(from)], this.#lanes[1]);
    return {
      send: (frames) =>
        frames.flatMap((frame) => sender.frame(frame)).map((bytes) => ({ bytes, trafficClass: 0 })),
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

/** T1 and T2: the loops of their threads, on an operating system of arrays. */
class Native implements Tier {
  readonly name: string;
  readonly knowsStride = true;
  readonly carriesMarks = true;
  readonly #ends: Readonly<Record<Side, NativeEnd>>;

  constructor(name: 't1' | 't2', kernelFile: string | undefined) {
    this.name = name;
    const end = (): NativeEnd => new NativeEnd(kernelFile, name === 't2');
    this.#ends = { a: end(), b: end() };
  }

  keypairs(side: Side): KeypairObserver {
    return this.#ends[side].tables;
  }

  begin(nodes: Readonly<Record<Side, VirtualNode>>, showsMarks: boolean): void {
    for (const side of ['a', 'b'] as const) this.#ends[side].follow(nodes[side], showsMarks);
  }

  direction(from: Side): Direction {
    const sender = this.#ends[from];
    const receiver = this.#ends[other(from)];
    return {
      send: (frames) => sender.send(frames),
      receive: (buffer, source, trafficClass) => receiver.receive(buffer, source, trafficClass),
      flush: () => receiver.flush(),
      get badFrames() {
        return sender.badFrames;
      },
    };
  }
}

export function other(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}

/** Every tier that this machine can run. `kernelFile` is the compiled kernel; the one in `dist/` when absent. */
export const TIERS: Readonly<Record<string, (kernelFile?: string) => Tier>> = {
  t0: (kernelFile) => new T0(kernelFile),
  t1: (kernelFile) => new Native('t1', kernelFile),
  ...(showsOpenSsl() && { t2: (kernelFile?: string) => new Native('t2', kernelFile) }),
};

function showsOpenSsl(): boolean {
  try {
    loadOpenSsl();
    return true;
  } catch (error) {
    if (error instanceof NativeMissingError) return false;
    throw error;
  }
}
