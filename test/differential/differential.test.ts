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
    carriesMarks: tier.carriesMarks,
    keypairs: (side) => tier.keypairs(side),
    begin: (nodes, showsMarks) => tier.begin(nodes, showsMarks),
    direction: (from, nodes) => {
      const sound = tier.direction(from, nodes);
      return {
        send: (frames) => sound.send(frames),
        receive: (buffer, source, trafficClass) => sound.receive(buffer, source, trafficClass),
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
          sound.send(frame).map(({ bytes, trafficClass }) => ({
            bytes: bytes.map((byte, i) => (i === bytes.length - 20 ? byte ^ 1 : byte)),
            trafficClass,
          })),
      }),
    ],
    [
      'a mark outside',
      (sound) => ({
        send: (frames) =>
          sound.send(frames).map(({ bytes, trafficClass }) => ({ bytes, trafficClass: trafficClass ^ 1 })),
      }),
    ],
    ['a datagram that is missing', (sound) => ({ send: (frames) => sound.send(frames).slice(1) })],
    [
      'a bit of a packet',
      (sound) => ({
        flush: () => sound.flush().map((one) => one.map((byte, i) => (i === 12 + 20 ? byte ^ 1 : byte))),
      }),
    ],
    ['frames in another order', (sound) => ({ flush: () => sound.flush().toReversed() })],
    [
      'a buffer that is lost',
      (sound) => ({ receive: (buffer, source) => sound.receive(buffer.slice(1), source, 0) }),
    ],
    [
      'a source that is not followed',
      (sound) => {
        let first: Uint8Array | undefined;
        return {
          receive: (buffer, source) => {
            first ??= source;
            sound.receive(buffer, first, 0);
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
