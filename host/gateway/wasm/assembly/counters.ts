/** What the threads of a data plane count for the owner, each in its own lane: f64, exact up to 2^53. */

import { COUNTERS, at } from './layout';

// The order is that of `LANE_COUNTERS` in native/lane-counters.ts.
export const FRAMES_READ: usize = 0;
export const PACKETS_CUT: usize = 1;
export const BAD_FRAMES: usize = 2;
export const NO_ROUTE: usize = 3;
export const NO_ENDPOINT: usize = 4;
export const CONTROL_FULL: usize = 5;
export const TOO_LARGE: usize = 6;
export const BUFFERS_RECEIVED: usize = 7;
export const COALESCED_BUFFERS: usize = 8;
export const MALFORMED: usize = 9;
export const UNKNOWN_INDEX: usize = 10;
export const EXPIRED_KEYS: usize = 11;
export const BAD_TAGS: usize = 12;
export const REPLAYS: usize = 13;
export const BAD_PACKETS: usize = 14;
export const WRONG_SOURCE: usize = 15;
export const KEEPALIVES: usize = 16;
export const PACKETS_DELIVERED: usize = 17;
export const CONGESTION_DROPPED: usize = 18;

@inline
export function count(counter: usize, n: usize): void {
  const place = at(COUNTERS) + (counter << 3);
  store<f64>(place, load<f64>(place) + f64(n));
}
