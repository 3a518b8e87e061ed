/** Whether the calls do what they should with numbers from the kernel's memory, before anything depends on them. */

import type { Kernel } from '../wasm/kernel.js';
import { type Linux, NativeMissingError, openEvent } from './linux.js';

const PATTERN = 0x5a17_c0de;

/** Throws {@link NativeMissingError} when something is not as it must be. */
export function checkNative(linux: Linux, kernel: Kernel): void {
  const base = linux.addressOf(kernel.memory.buffer);
  if (!Number.isSafeInteger(base) || base <= 0) throw new NativeMissingError('memory has no usable address');
  const at = kernel.allocate(64);
  const event = openEvent(linux);
  try {
    const { words } = kernel;
    words[at >> 2] = PATTERN;
    words[(at >> 2) + 1] = 0;
    const written = linux.write(event, base + at, 8);
    const read = linux.read(event, base + at + 16, 8);
    if (written !== 8 || read !== 8 || words[(at + 16) >> 2] !== PATTERN) {
      throw new NativeMissingError('a call with an address did not reach the memory it names');
    }
    if (linux.addressOf(kernel.memory.buffer) !== base) throw new NativeMissingError('memory moves');
  } finally {
    linux.close(event);
  }
}
