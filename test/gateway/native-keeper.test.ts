/** Threads that die, hang, or do not want to end, and the keeper that must notice. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { LaneKeeper } from '../../host/gateway/native/lane-keeper.js';
import { STATE } from '../../host/gateway/native/lane-state.js';
import { type Linux, loadLinux, NativeMissingError } from '../../host/gateway/native/linux.js';
import { makeKernel } from './built-kernel.js';

function whyNoLinux(): string | undefined {
  try {
    createRequire(import.meta.url).resolve('koffi');
    loadLinux();
    return undefined;
  } catch (error) {
    return error instanceof NativeMissingError ? error.message : 'needs the optional package koffi';
  }
}

const missing = whyNoLinux();
const folder = mkdtempSync(join(tmpdir(), 'lane-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the threads of these tests begin with. */
const PRELUDE = `
import { parentPort, workerData } from 'node:worker_threads';
const words = new Int32Array(workerData.memory.buffer);
const state = workerData.stateAt;
`;

describe.skipIf(missing !== undefined)(`the keeper of a thread${missing ? `: ${missing}` : ''}`, () => {
  const open: LaneKeeper[] = [];
  afterEach(async () => {
    for (const keeper of open.splice(0)) await keeper.stop();
  });

  /** A keeper of a thread with this body, in which `words[state + n]` is word `n` of its state. */
  function keep(body: string) {
    const linux: Linux = loadLinux();
    const kernel = makeKernel();
    const file = join(folder, `${Math.random().toString(36).slice(2)}.mjs`);
    const events: string[] = [];
    const seen = { wakes: 0, dead: 0, ended: [] as string[], events };
    const stateOffset = kernel.constant('LANE_STATE');
    writeFileSync(
      file,
      `${PRELUDE.replace('workerData.stateAt', `(workerData.lane + ${stateOffset}) >> 2`)}\n${body}`,
    );
    const keeper = new LaneKeeper({
      ...{
        kernel,
        linux,
        base: linux.addressOf(kernel.memory.buffer),
        role: 'outward',
        number: 0,
        origin: 0,
      },
      size: { vectors: 4096, room: 4096, ring: 4096 },
      workerFile: file,
      log: { write: (_level, event) => void events.push(event) },
      onWake: () => {
        seen.wakes++;
      },
      onDead: () => {
        seen.dead++;
      },
      onEnded: (reason) => void seen.ended.push(reason),
    });
    open.push(keeper);
    return { keeper, seen, kernel };
  }

  async function until(condition: () => boolean): Promise<void> {
    const end = performance.now() + 20_000;
    while (!condition()) {
      if (performance.now() > end) throw new Error('it did not come to that in 20 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Waits for the word `stop` as a healthy thread does. */
  const HEALTHY = `
parentPort.postMessage(undefined);
while (Atomics.load(words, state + ${STATE.stop}) === 0) Atomics.wait(words, state + ${STATE.stop}, 0, 5);
`;

  it('leaves a healthy thread alone and ends it when asked', async () => {
    const { keeper, seen } = keep(HEALTHY);
    keeper.start();
    await until(() => seen.wakes === 1);
    await keeper.stop();
    expect(seen).toEqual({ wakes: 1, dead: 0, ended: [], events: [] });
    expect(keeper.replacements).toBe(0);
  });

  it('replaces a thread that dies, and says so', async () => {
    // Word 15 is nobody's: it survives the thread.
    const { keeper, seen } = keep(`
if (Atomics.add(words, state + 15, 1) < 2) throw new Error('on purpose');
${HEALTHY}`);
    keeper.start();
    await until(() => seen.wakes === 1);
    expect(seen.dead).toBe(2);
    expect(keeper.replacements).toBe(2);
    expect(seen.events).toEqual(['lane-replaced', 'lane-replaced']);
    expect(seen.ended).toEqual([]);
  });

  it('gives up on a thread that dies again and again, with the reason', async () => {
    const { keeper, seen } = keep(`throw new Error('on purpose');`);
    keeper.start();
    await until(() => seen.ended.length > 0);
    expect(seen.ended).toEqual([expect.stringContaining('on purpose')]);
    expect(keeper.replacements).toBe(5);
  });

  it('replaces a thread that works for ever without coming round', async () => {
    const { keeper, seen } = keep(`
if (Atomics.add(words, state + 15, 1) === 0) {
  Atomics.store(words, state + ${STATE.busy}, 1);
  for (;;) Atomics.load(words, state + ${STATE.busy});
}
Atomics.store(words, state + ${STATE.busy}, 0);
${HEALTHY}`);
    keeper.start();
    await until(() => seen.wakes === 1);
    expect(seen.events).toEqual(['lane-stuck', 'lane-replaced']);
    expect(keeper.replacements).toBe(1);
  });

  it('makes a thread end that does not listen', async () => {
    const { keeper, seen } = keep(`parentPort.postMessage(undefined); for (;;);`);
    keeper.start();
    await until(() => keeper.word(STATE.stop) === 0 && seen.wakes === 1);
    await keeper.stop();
    expect(seen.events).toEqual(['lane-made-to-end']);
    expect(seen.ended).toEqual([]);
  });

  it('passes on why a thread has ended for good', async () => {
    const { keeper, seen } = keep(`parentPort.postMessage({ ended: 'the interface is gone' });`);
    keeper.start();
    await until(() => seen.ended.length > 0);
    expect(seen.ended).toEqual(['the interface is gone']);
    expect(keeper.replacements).toBe(0);
  });

  it('erases everything the thread worked on', async () => {
    const { keeper, seen, kernel } = keep(`
new Uint8Array(workerData.memory.buffer).fill(0xa5, workerData.lane + 0x10000, workerData.lane + 0x10100);
new Uint8Array(workerData.memory.buffer).fill(0xa5, workerData.room, workerData.room + 64);
${HEALTHY}`);
    keeper.start();
    await until(() => seen.wakes === 1);
    expect(Buffer.from(kernel.all).includes(Buffer.alloc(16, 0xa5))).toBe(true);
    await keeper.stop();
    keeper.erase();
    expect(Buffer.from(kernel.all).includes(Buffer.alloc(16, 0xa5))).toBe(false);
  });
});
