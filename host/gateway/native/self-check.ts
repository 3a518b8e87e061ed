/** Whether the calls do what they should with numbers from the kernel's memory, before anything depends on them. */

import { PortablePrimitives } from '../../../src/crypto/portable.js';
import type { Kernel } from '../wasm/kernel.js';
import { type Linux, NativeMissingError, openEvent } from './linux.js';
import { loadOpenSsl, OpenSslAead } from './openssl.js';

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

/** Lengths of content at which OpenSSL is compared, around its own and our block sizes. */
const LENGTHS = [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 1023, 1024, 1420, 4096, 16_384];

/** Compares the OpenSSL inside Node with the portable path. Throws {@link NativeMissingError} at any difference. */
export function checkOpenSsl(kernel: Kernel, base: number): void {
  const portable = new PortablePrimitives((out) => void out.fill(0));
  const room = kernel.allocate(20_000);
  const [key, data] = [room, room + 128];
  const openssl = new OpenSslAead(loadOpenSsl(), kernel.memory, base);
  openssl.scratch = room + 64;
  const { all } = kernel;
  try {
    for (const [i, length] of LENGTHS.entries()) {
      for (let j = 0; j < 32; j++) all[key + j] = 7 * i + 31 * j + 1;
      for (let j = 0; j < length; j++) all[data + j] = (j * j + i) >> 3;
      const [low, high] = [0xfffffff0 + i, i];
      const expected = new Uint8Array(length + 16);
      expected.set(all.subarray(data, data + length));
      const plain = expected.slice(0, length);
      const own = all.slice(key, key + 32);
      portable.aeadSeal(own, low, high, expected, 0, length, new Uint8Array(0));
      openssl.sealNative(key, low, high, data, length);
      const sealed = all.slice(data, data + length + 16);
      if (!equal(sealed, expected)) throw new NativeMissingError('OpenSSL seals otherwise');
      const opened = openssl.openNative(key, low, high, data, length) === 1;
      if (!opened || !equal(all.slice(data, data + length), plain)) {
        throw new NativeMissingError('OpenSSL does not open what it sealed');
      }
      for (const flipped of [length, length + 15, Math.max(0, length - 1)]) {
        all.set(sealed, data);
        all[data + flipped] ^= 0x20;
        if (openssl.openNative(key, low, high, data, length) !== 0) {
          throw new NativeMissingError('OpenSSL opens what was changed');
        }
      }
    }
  } finally {
    openssl.close();
    all.fill(0, room, room + 20_000);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
