import { read } from 'node:fs';
import { systemCode } from '../errors.js';

/**
 * Reads frames from a blocking TUN descriptor on libuv's thread pool, one read at a time (two would come back out of
 * order) and one ahead: while a frame is worked on, the next one is being read into the other buffer.
 *
 * A read that blocks in the descriptor ends only when the interface is deleted, and until then it also keeps the
 * process from exiting; deleting is for the one who made the interface.
 */
export class FrameReader {
  /** Gets each frame's place in `bytes`; it stays there until the next frame but one. */
  onFrame: ((at: number, length: number) => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  readonly #fd: number;
  readonly #bytes: Uint8Array;
  readonly #places: readonly [number, number];
  readonly #frameBytes: number;
  #next = 0;
  #reading = false;
  #paused = false;
  #stopped = false;
  #onStopped: (() => void) | undefined;

  constructor(fd: number, bytes: Uint8Array, places: readonly [number, number], frameBytes: number) {
    this.#fd = fd;
    this.#bytes = bytes;
    this.#places = places;
    this.#frameBytes = frameBytes;
  }

  start(): void {
    this.#read();
  }

  /** No new read is begun; the one under way may still bring a frame. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#read();
  }

  /** No frame comes after this. Resolves when no read is under way: after the interface was deleted. */
  stop(): Promise<void> {
    this.#stopped = true;
    if (!this.#reading) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onStopped = resolve;
    });
  }

  #read(): void {
    if (this.#reading || this.#paused || this.#stopped) return;
    const at = this.#places[this.#next];
    this.#next = 1 - this.#next;
    this.#reading = true;
    read(this.#fd, this.#bytes, at, this.#frameBytes, null, (error, length) => {
      this.#reading = false;
      if (this.#stopped) {
        this.#onStopped?.();
        return;
      }
      if (error !== null || length === 0) {
        this.#stopped = true;
        this.onClosed?.(
          `the interface cannot be read: ${error === null ? 'end of file' : (systemCode(error) ?? error.message)}`,
        );
        return;
      }
      this.#read();
      this.onFrame?.(at, length);
    });
  }
}
