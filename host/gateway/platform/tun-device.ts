/** A plain TUN descriptor (no virtio-net header) as the `PacketDevice` of the portable pump. */

import { read, writeSync } from 'node:fs';
import { Batch } from '../../../src/packet/batch.js';
import type { PacketDevice } from '../../../src/ports.js';
import { systemCode } from '../errors.js';

/** Packets read ahead while the pump is busy. Beyond that the kernel queues, and drops where its queue ends. */
const QUEUE_PACKETS = 16;
/** The largest IP packet there is. */
const MAX_PACKET = 65_535;

/**
 * One `fs.read` is under way at any time (two would come back out of order), on libuv's thread pool, since a TUN
 * descriptor cannot be polled from JavaScript. `close` does not close the descriptor: a read that blocks in it ends
 * only when the interface is deleted, which is for the one who made it.
 */
export class TunDevice implements PacketDevice {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  /** Packets the kernel did not take: the interface is down, or the packet is malformed. */
  dropped = 0;

  private readonly descriptor: number;
  /** A ring: packets wait at `first .. first + waiting`, the next one is being read into the slot behind them. */
  private readonly queue: Batch;
  private first = 0;
  private waiting = 0;
  private reading = false;
  private closed = false;

  constructor(descriptor: number, queuePackets = QUEUE_PACKETS) {
    this.descriptor = descriptor;
    this.queue = new Batch(MAX_PACKET, queuePackets);
  }

  /** Begins to read; call once `onReadable` is set. */
  start(): void {
    this.readNext();
  }

  readBatch(into: Batch): number {
    const { queue } = this;
    let moved = 0;
    while (this.waiting > 0 && !into.full) {
      const at = this.first;
      // A packet larger than the batch's slots exceeds the MTU they were made for: dropped, as a link would.
      if (into.push(queue.bytes, queue.offset[at], queue.length[at]) < 0) this.dropped++;
      else moved++;
      this.first = (at + 1) % queue.capacity;
      this.waiting--;
    }
    this.readNext();
    return moved;
  }

  writeBatch(from: Batch): void {
    if (this.closed) return;
    for (let i = 0; i < from.count; i++) {
      if (from.length[i] === 0) continue;
      try {
        writeSync(this.descriptor, from.bytes, from.offset[i], from.length[i]);
      } catch {
        this.dropped++;
      }
    }
  }

  close(): void {
    this.closed = true;
    this.waiting = 0;
  }

  private readNext(): void {
    const { queue } = this;
    if (this.reading || this.closed || this.waiting === queue.capacity) return;
    const slot = (this.first + this.waiting) % queue.capacity;
    const start = queue.start(slot);
    this.reading = true;
    read(this.descriptor, queue.bytes, start, MAX_PACKET, null, (error, length) => {
      this.reading = false;
      if (this.closed) return;
      if (error !== null) {
        this.gone(systemCode(error) ?? error.message);
        return;
      }
      queue.offset[slot] = start;
      queue.length[slot] = length;
      this.waiting++;
      this.readNext();
      this.onReadable?.();
    });
  }

  private gone(code: string): void {
    this.close();
    this.onClosed?.(`the TUN interface is gone (${code})`);
  }
}
