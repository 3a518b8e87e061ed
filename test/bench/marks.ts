/** What each tier is meant to reach, beside Debian's wireguard-go in the same run on the same machine. */

export type Mark =
  /** Times the first program's value. */
  | { readonly id: string; readonly timesAtLeast: number }
  | { readonly id: string; readonly timesAtMost: number }
  | { readonly id: string; readonly timesBelow: number }
  | { readonly id: string; readonly atLeast: number }
  | { readonly id: string; readonly below: number };

const HANDSHAKES: Mark = { id: 'core', atLeast: 2_500 };

const NATIVE: readonly Mark[] = [
  { id: 'tcp1', timesAtLeast: 4 },
  { id: 'wire1', timesAtLeast: 3 },
  { id: 'udp', atLeast: 100 },
  { id: 'udpLoss', timesBelow: 1 },
  { id: 'ping', timesAtMost: 1 },
  { id: 'memoryLoad', below: 150 },
  { id: 'memoryPeers', below: 150 },
  { id: 'memory1', below: 150 },
  HANDSHAKES,
];

/** By the name that `status` gives the tier. */
const MARKS: Readonly<Record<string, readonly Mark[]>> = {
  t0: [{ id: 'tcp1', timesAtLeast: 0.8 }, HANDSHAKES],
  t1: NATIVE,
  t2: NATIVE,
};

export function markOf(tier: string | undefined, id: string): Mark | undefined {
  return MARKS[tier ?? '']?.find((mark) => mark.id === id);
}

export function markText(mark: Mark): string {
  if ('timesAtLeast' in mark) return `≥ ${mark.timesAtLeast} x`;
  if ('timesAtMost' in mark) return `≤ ${mark.timesAtMost} x`;
  if ('timesBelow' in mark) return `< ${mark.timesBelow} x`;
  if ('atLeast' in mark) return `≥ ${mark.atLeast.toLocaleString('en')}`;
  return `< ${mark.below.toLocaleString('en')}`;
}

/** `ratio` is that to the first program. What could not be measured, or compared where it must be, is not met. */
export function isMet(mark: Mark, value: number, ratio: number): boolean {
  if ('timesAtLeast' in mark) return ratio >= mark.timesAtLeast;
  if ('timesAtMost' in mark) return ratio <= mark.timesAtMost;
  if ('timesBelow' in mark) return ratio < mark.timesBelow || value === 0;
  if ('atLeast' in mark) return value >= mark.atLeast;
  return value < mark.below;
}
