/** The reader's ring, fed by a pipe in the place of TUN: what was written comes out, in order and whole. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FrameReader } from '../../host/gateway/offload/frame-reader.js';
import { Seeded } from '../crypto/seeded.js';

const FRAME_BYTES = 4096;
let folder: string;
let fifo: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'krn-ring-'));
  fifo = join(folder, 'frames');
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
});

afterEach(() => rmSync(folder, { recursive: true }));

function reader(ringBytes: number) {
  const fd = openSync(fifo, 'r+');
  const memory = new SharedArrayBuffer(ringBytes + 64);
  const made = new FrameReader(fd, { memory, at: 64, bytes: ringBytes, frameBytes: FRAME_BYTES, skew: 6 });
  return { fd, made, bytes: new Uint8Array(memory) };
}

describe('the frame reader', () => {
  it('brings everything in order through a small ring, with pauses of the consumer', async () => {
    const { fd, made, bytes } = reader(5 * FRAME_BYTES);
    const hash = createHash('sha256');
    const expected = createHash('sha256');
    const total = 3_000_000;
    let got = 0;
    const random = new Seeded(1);
    const done = new Promise<void>((resolve) => {
      made.onFrame = (at, length) => {
        expect(at % 16).toBe(6);
        expect(at + length).toBeLessThanOrEqual(bytes.length);
        hash.update(bytes.slice(at, at + length));
        got += length;
        if (random.below(50) === 0) {
          made.pause();
          setTimeout(() => made.resume(), random.below(3));
        }
        if (got === total) resolve();
      };
    });
    made.start();
    const writer = await open(fifo, 'w');
    for (let sent = 0; sent < total; ) {
      const chunk = random.bytes(Math.min(total - sent, 1 + random.below(FRAME_BYTES)));
      await writer.write(chunk);
      expected.update(chunk);
      sent += chunk.length;
    }
    await done;
    expect(hash.digest('hex')).toBe(expected.digest('hex'));
    const stopped = made.stop();
    // What the deleted interface does for TUN: it ends the read.
    await writer.write(new Uint8Array(1));
    await stopped;
    await writer.close();
    closeSync(fd);
  });

  it('tells why it ended', async () => {
    const fd = openSync(folder, 'r');
    const memory = new SharedArrayBuffer(5 * FRAME_BYTES);
    const made = new FrameReader(fd, {
      memory,
      at: 0,
      bytes: 5 * FRAME_BYTES,
      frameBytes: FRAME_BYTES,
      skew: 6,
    });
    const reason = await new Promise<string>((resolve) => {
      made.onClosed = resolve;
      made.start();
    });
    expect(reason).toContain('EISDIR');
    await made.stop();
    closeSync(fd);
  });

  it('brings no frame after stop', async () => {
    const { fd, made } = reader(5 * FRAME_BYTES);
    let frames = 0;
    made.onFrame = () => frames++;
    made.start();
    const stopped = made.stop();
    const writer = await open(fifo, 'w');
    await writer.write(new Uint8Array(100));
    await stopped;
    await writer.close();
    expect(frames).toBe(0);
    closeSync(fd);
  });
});
