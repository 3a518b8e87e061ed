/** How good a transport is, to be compared by ratio: its place in the decision table first, its round trip second. */

/** Each place further down is worth so much less. */
const PLACE = 0.5;
/** A round trip of so many ms halves the score. */
const HALVING = 200;
/** Longer round trips make no further difference: a slow direct way stays better than two places down. */
const LONGEST = 150;

/** `place` counts from 0; `roundTrip` in ms, undefined while unknown. Between 0 and 1000. */
export function score(place: number, roundTrip: number | undefined): number {
  const time = Math.min(LONGEST, roundTrip ?? LONGEST);
  return (1000 * PLACE ** place * HALVING) / (HALVING + time);
}
