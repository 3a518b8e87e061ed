/** A short run of `npm run differential:tiers`, and that it would find something. */
import { describe, expect, it } from 'vitest';
import { kernelFile } from '../gateway/built-kernel.js';
import { Difference, runCase } from './case.js';
import { type Direction, TIERS, type Tier } from './tier.js';

/** Cases of one run; whoever wants more has the command. */
const CASES = 6;
const SEED = 20_261_122;

/** The tier with something wrong in it. */
function broken(tier: Tier, change: (direction: Direction) => Partial<Direction>): Tier {
  return {
    name: 'broken',
    knowsStride: tier.knowsStride,
    keypairs: tier.keypairs,
    direction: (from, to) => {
      const sound = tier.direction(from, to);
      return {
        send: (frame) => sound.send(frame),
        receive: (buffer, source) => sound.receive(buffer, source),
        flush: () => sound.flush(),
        get badFrames() {
          return sound.badFrames;
        },
        ...change(sound),
      };
    },
  };
}

describe.each(Object.keys(TIERS))('tier %s beside the portable path', (name) => {
  const tier = TIERS[name]!(kernelFile);

  it('treats every packet the same', () => {
    const sum = { packets: 0, cut: 0, delivered: 0, frames: 0, refused: 0 };
    for (let seed = SEED; seed < SEED + CASES; seed++) {
      const counts = runCase(tier, seed);
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
    }
    // Otherwise nothing was shown.
    expect(sum.cut).toBeGreaterThan(1000);
    expect(sum.frames).toBeLessThan(sum.delivered);
    expect(sum.refused).toBeGreaterThan(10);
  });

  const faults: [name: string, change: (direction: Direction) => Partial<Direction>][] = [
    [
      'a bit of a datagram',
      (sound) => ({
        send: (frame) =>
          sound.send(frame).map((one) => one.map((byte, i) => (i === one.length - 20 ? byte ^ 1 : byte))),
      }),
    ],
    ['a datagram that is missing', (sound) => ({ send: (frame) => sound.send(frame).slice(1) })],
    [
      'a bit of a packet',
      (sound) => ({
        flush: () => sound.flush().map((one) => one.map((byte, i) => (i === 12 + 20 ? byte ^ 1 : byte))),
      }),
    ],
    ['frames in another order', (sound) => ({ flush: () => sound.flush().toReversed() })],
    [
      'a buffer that is lost',
      (sound) => ({ receive: (buffer, source) => sound.receive(buffer.slice(1), source) }),
    ],
    [
      'a source that is not followed',
      (sound) => {
        let first: Uint8Array | undefined;
        return {
          receive: (buffer, source) => {
            first ??= source;
            sound.receive(buffer, first);
          },
        };
      },
    ],
  ];
  it.each(faults)('would show %s', (_name, change) => {
    const run = (): void => {
      for (let seed = SEED; seed < SEED + CASES; seed++) runCase(broken(tier, change), seed);
    };
    expect(run).toThrow(Difference);
  });

  it('names the seed that shows it again', () => {
    const wrong = broken(tier, () => ({ send: () => [] }));
    expect(() => runCase(wrong, SEED)).toThrow(`seed ${SEED}`);
  });
});
