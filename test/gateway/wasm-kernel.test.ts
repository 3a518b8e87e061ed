import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Kernel, KernelError } from '../../host/gateway/wasm/kernel.js';
import { Seeded } from '../crypto/seeded.js';
import { kernelFile, makeKernel } from './built-kernel.js';

describe('loading the kernel', () => {
  it('says which file is missing or broken', () => {
    expect(() => new Kernel('/nowhere/kernel.wasm')).toThrow(KernelError);
    expect(() => new Kernel('/nowhere/kernel.wasm')).toThrow('/nowhere/kernel.wasm');
    const folder = mkdtempSync(join(tmpdir(), 'krn-'));
    try {
      const file = join(folder, 'kernel.wasm');
      writeFileSync(file, new Uint8Array(100));
      expect(() => new Kernel(file)).toThrow(KernelError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('gives lanes that do not touch each other, nor the key table', () => {
    const kernel = new Kernel(kernelFile);
    expect(() => kernel.lane(kernel.laneCount)).toThrow(RangeError);
    expect(() => kernel.lane(-1)).toThrow(RangeError);
    const key = new Uint8Array(32).fill(0xab);
    kernel.takeSlot(key, key, 1);
    const table = Buffer.from(kernel.bytes).indexOf(Buffer.from(key));
    const ends = Array.from({ length: kernel.laneCount }, (_, i) => {
      const lane = kernel.lane(i);
      return [lane.deliveries.byteOffset, lane.input + lane.inputBytes, lane.output + 65_536];
    });
    expect(Math.max(...ends.flat())).toBeLessThan(table);
    for (const [i, places] of ends.entries()) {
      for (const other of ends.slice(i + 1)) expect(Math.max(...places)).toBeLessThan(Math.min(...other));
    }
  });
});

describe('looking for the beginning of a message', () => {
  const kernel = makeKernel();
  const lane = kernel.lane(1);

  it('finds what a plain search finds, at any place and any end', () => {
    for (let seed = 0; seed < 400; seed++) {
      const random = new Seeded(seed);
      const bytes = random.bytes(random.below(200));
      for (let n = random.below(5); n > 0; n--) {
        const at = random.below(bytes.length + 1);
        bytes.set(Uint8Array.of(random.below(6), 0, 0, random.below(2)).subarray(0, bytes.length - at), at);
      }
      kernel.bytes.fill(0, lane.input, lane.input + 300);
      kernel.bytes.set(bytes, lane.input);
      const isBeginning = (i: number): boolean =>
        bytes[i]! >= 1 && bytes[i]! <= 4 && bytes[i + 1] === 0 && bytes[i + 2] === 0 && bytes[i + 3] === 0;
      for (let from = 0; from <= bytes.length; from++) {
        let expected = from;
        while (expected < bytes.length && !isBeginning(expected)) expected++;
        expect(lane.call.nextMessage(lane.input, bytes.length, from), `seed ${seed} from ${from}`).toBe(
          expected,
        );
      }
    }
  });
});
