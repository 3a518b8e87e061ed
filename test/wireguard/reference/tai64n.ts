import type { Bytes } from './symmetric.js';

/** TAI64N of a number of nanoseconds since 1970, 12 bytes, as the paper's section 5.1 uses it. */
export function tai64n(nanoseconds: bigint): Bytes {
  const stamp = new Uint8Array(12);
  const view = new DataView(stamp.buffer);
  // 2^62 plus the ten seconds TAI was ahead of UTC in 1970.
  view.setBigUint64(0, (1n << 62n) + 10n + nanoseconds / 1_000_000_000n);
  view.setUint32(8, Number(nanoseconds % 1_000_000_000n));
  return stamp;
}

/** Nanoseconds since 1970 of a stamp. */
export function nanosecondsOf(stamp: Bytes): bigint {
  const view = new DataView(stamp.buffer, stamp.byteOffset, 12);
  const seconds = view.getBigUint64(0) - (1n << 62n) - 10n;
  return seconds * 1_000_000_000n + BigInt(view.getUint32(8));
}
