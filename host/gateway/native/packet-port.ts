import type { Batch } from '../../../src/packet/batch.js';
import type { PacketDevice } from '../../../src/ports.js';
import type { Kernel } from '../wasm/kernel.js';
import { VNET_BYTES } from '../wasm/kernel.js';
import type { ControlRing } from './control-ring.js';

/**
 * What the sending thread could not send by itself, as the gateway's packet device: packets for which there is no
 * session yet, or whose way is not plain UDP. What is written comes from pairs that only the control thread serves.
 */
export class PacketPort implements PacketDevice {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  tooLarge = 0;
  readonly #kernel: Kernel;
  readonly #rings: readonly ControlRing[];
  readonly #write: (frame: Uint8Array) => void;

  constructor(kernel: Kernel, rings: readonly ControlRing[], write: (frame: Uint8Array) => void) {
    this.#kernel = kernel;
    this.#rings = rings;
    this.#write = write;
  }

  get waiting(): boolean {
    return this.#rings.some((ring) => ring.waiting);
  }

  readBatch(into: Batch): number {
    const before = into.count;
    for (const ring of this.#rings) {
      while (!into.full && ring.take()) {
        if (into.push(this.#kernel.all, ring.content, ring.length) < 0) this.tooLarge++;
      }
      ring.giveBack();
    }
    return into.count - before;
  }

  writeBatch(from: Batch): void {
    for (let i = 0; i < from.count; i++) {
      const length = from.length[i];
      if (length === 0) continue;
      const frame = new Uint8Array(VNET_BYTES + length);
      frame.set(from.bytes.subarray(from.offset[i], from.offset[i] + length), VNET_BYTES);
      this.#write(frame);
    }
  }

  close(): void {}
}
