import type { Batch } from '../../../src/packet/batch.js';
import type { PacketDevice } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';
import { WATCH_BROKEN } from './conditions.js';
import { errorText, SystemError } from './system-error.js';

/** A TUN interface of Linux. It exists as long as this does. */
export class Tun extends Native('xs_tun_destructor') implements PacketDevice {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  /** Packets the kernel did not take: the interface was down, or the packet was none. */
  dropped = 0;
  readonly #edge: Edge;
  #open = false;

  /**
   * Makes the interface `name`. With `offload` its frames begin with a header of virtio and may hold several packets:
   * they are for `Offload` and not for batches. Throws a {@link SystemError}.
   */
  constructor(name: string, offload: boolean, edge: Edge) {
    super();
    this.#edge = edge;
    const result = this.#openNative(name, offload);
    if (result < 0) throw new SystemError(`cannot make the interface ${name}`, -result);
    this.#open = true;
  }

  /** For a data path that reads and writes by itself; -1: closed. */
  get descriptor(): number {
    return this.#descriptorNative();
  }

  readBatch(into: Batch): number {
    if (!this.#open) return 0;
    const { bytes, offset, length, endpoints, slotSize, capacity } = into;
    const count = this.#readNative(
      bytes,
      offset.buffer,
      length.buffer,
      endpoints,
      slotSize,
      into.start(0),
      capacity,
    );
    if (count < 0) {
      this.#gone(errorText(-count));
      return 0;
    }
    into.count = count;
    return count;
  }

  writeBatch(from: Batch): void {
    if (!this.#open) return;
    const { bytes, offset, length, endpoints, slotSize, count } = from;
    this.dropped += this.#writeNative(
      bytes,
      offset.buffer,
      length.buffer,
      endpoints,
      slotSize,
      from.start(0),
      count,
    );
  }

  close(): void {
    this.#open = false;
    this.#closeNative();
  }

  /** Called by the main loop. */
  wake(condition: number): void {
    try {
      if ((condition & WATCH_BROKEN) !== 0) this.#gone('the interface was removed');
      else this.onReadable?.();
    } catch (error) {
      this.#edge.caught('tun', error);
    }
  }

  #gone(reason: string): void {
    if (!this.#open) return;
    this.close();
    this.onClosed?.(reason);
  }

  #openNative(name: string, offload: boolean): number {
    return native('xs_tun_open').call(this, name, offload);
  }

  #descriptorNative(): number {
    return native('xs_tun_descriptor').call(this);
  }

  #closeNative(): void {
    native('xs_tun_close').call(this);
  }

  #readNative(
    bytes: Uint8Array,
    offset: ArrayBufferLike,
    length: ArrayBufferLike,
    endpoints: Uint8Array,
    slotSize: number,
    start: number,
    entries: number,
  ): number {
    return native('xs_tun_read').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }

  #writeNative(
    bytes: Uint8Array,
    offset: ArrayBufferLike,
    length: ArrayBufferLike,
    endpoints: Uint8Array,
    slotSize: number,
    start: number,
    entries: number,
  ): number {
    return native('xs_tun_write').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }
}
