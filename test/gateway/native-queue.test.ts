/** The queue before a full socket, and which of its frames controlled delay gives up. */

import { describe, expect, it } from 'vitest';
import { CODEL_INTERVAL, CODEL_TARGET, Codel } from '../../host/gateway/native/codel.js';
import { FrameQueue } from '../../host/gateway/native/frame-queue.js';
import { queueCount } from '../../host/gateway/native/queues.js';
import { takeOverEcn, trafficClassOf } from '../../src/packet/ecn.js';
import { Seeded } from '../crypto/seeded.js';
import { makeKernel } from './built-kernel.js';
import { tcpFields, tcpPacket } from './frames.js';

describe('the queue', () => {
  it('gives back what was put in, in order and untouched, and never more than fits', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = new Seeded(seed);
      const frame = 500;
      const memory = new Uint8Array(5000);
      const queue = new FrameQueue(64, 4000, frame, 6, 12);
      const expected: Uint8Array[] = [];
      let held: Uint8Array | undefined;
      let refused = 0;
      for (let i = 0; i < 300; i++) {
        if (random.below(5) < 3) {
          const at = queue.place();
          if (at === 0) {
            refused++;
            continue;
          }
          expect(at).toBeGreaterThanOrEqual(64);
          expect(at + frame).toBeLessThanOrEqual(64 + 4000);
          const bytes = random.bytes(1 + random.below(frame));
          memory.set(bytes, at);
          queue.push(at, bytes.length, i);
          expected.push(bytes);
        } else {
          const some = queue.take(i);
          held = some ? expected.shift() : undefined;
          expect(some).toBe(held !== undefined);
        }
        // The one taken last is in use until the next.
        if (held) expect(memory.slice(queue.at, queue.at + queue.length)).toEqual(held);
        expect(queue.count).toBe(expected.length);
        expect(queue.waiting).toBe(expected.reduce((n, one) => n + one.length, 0));
      }
      expect(refused).toBeGreaterThan(0);
    }
  });

  it('tells how long each waited', () => {
    const queue = new FrameQueue(0, 4000, 100, 0, 4);
    queue.push(queue.place(), 10, 3);
    queue.push(queue.place(), 10, 5);
    expect([queue.take(10), queue.waited]).toEqual([true, 7]);
    expect([queue.take(11), queue.waited]).toEqual([true, 6]);
    expect(queue.take(12)).toBe(false);
  });
});

/** A bottleneck that passes a frame each `service` ms, while one comes each `arrival` ms, for `time` ms. */
function bottleneck(arrival: number, service: number, time: number) {
  const codel = new Codel();
  const queue: number[] = [];
  const waits: number[] = [];
  let next = 0;
  let drops = 0;
  for (let now = 0; now < time; now += service) {
    while (next <= now) {
      queue.push(next);
      next += arrival;
    }
    for (let came = queue.shift(); came !== undefined; came = queue.shift()) {
      if (!codel.drops(now, now - came, queue.length * 1500, 1500)) {
        waits.push(now - came);
        break;
      }
      drops++;
    }
  }
  return { waits, drops, left: queue.length };
}

describe('controlled delay', () => {
  it('drops nothing while frames pass in time', () => {
    expect(bottleneck(2, 1, 5000).drops).toBe(0);
  });

  it('lets a burst pass that is gone within an interval', () => {
    const codel = new Codel();
    for (let i = 0; i < 50; i++) {
      const now = 1000 + i;
      expect(codel.drops(now, 50 - i, (50 - i) * 1500, 1500)).toBe(false);
    }
  });

  it('begins an interval after the delay has come to stay, and drops faster and faster', () => {
    const codel = new Codel();
    const drops: number[] = [];
    for (let now = 0; now < 2000; now++) if (codel.drops(now, CODEL_TARGET + 1, 1e6, 1500)) drops.push(now);
    expect(drops[0]).toBe(CODEL_INTERVAL);
    // RFC 8289 section 5.3: each time sooner, by the square root of how many there were.
    let expected = CODEL_INTERVAL;
    for (const [i, at] of drops.entries()) {
      expect(Math.abs(at - expected)).toBeLessThanOrEqual(1);
      expected += CODEL_INTERVAL / Math.sqrt(i + 1);
    }
    expect(drops.length).toBeGreaterThan(60);
  });

  it('keeps the queue of a stubborn sender from growing as it would', () => {
    const { left, drops, waits } = bottleneck(0.9, 1, 20_000);
    expect(drops).toBeGreaterThan(1000);
    expect(left).toBeLessThan(500);
    expect(Math.min(...waits.slice(-500))).toBeLessThan(200);
  });

  it('stops when the delay is gone, and leaves the last frame alone', () => {
    const codel = new Codel();
    for (let now = 0; now < 500; now++) codel.drops(now, 50, 1e6, 1500);
    expect(codel.drops(501, 1, 1e6, 1500)).toBe(false);
    expect(codel.drops(502, 50, 1e6, 1500)).toBe(false);
    const other = new Codel();
    for (let now = 0; now < 500; now++) expect(other.drops(now, 50, 0, 1500)).toBe(false);
  });
});

describe('the number of queues', () => {
  it('is one on few processors, half of many, and what was asked for', () => {
    expect([1, 2, 3, 4, 6, 64].map((processors) => queueCount({ queues: 0 }, processors))).toEqual([
      1, 1, 1, 2, 3, 8,
    ]);
    expect([1, 3, 100].map((queues) => queueCount({ queues }, 2))).toEqual([1, 3, 8]);
  });
});

describe('a mark in the place of a drop', () => {
  it('is set where the sender knows marks, and keeps the header sound', () => {
    const kernel = makeKernel();
    const { call, input } = kernel.lane(0);
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Seeded(seed);
      const version = random.pick([4, 6] as const);
      const packet = tcpPacket({ ...tcpFields(random, version), payload: random.bytes(random.below(50)) });
      // Some have a header checksum that was wrong before: it stays so.
      if (version === 4 && random.below(4) === 0) packet[10] ^= 0x40;
      const expected = Uint8Array.from(packet);
      const known = (trafficClassOf(packet, 0) & 3) !== 0;
      if (known) takeOverEcn(expected, 0, 3);
      kernel.bytes.set(packet, input);
      expect(call.markCongestion(input), `seed ${seed}`).toBe(known ? 1 : 0);
      expect(kernel.bytes.slice(input, input + packet.length), `seed ${seed}`).toEqual(expected);
    }
  });
});
