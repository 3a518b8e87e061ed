/** What is measured: each with its unit and which way is better. */

export interface Measure {
  readonly id: string;
  /** The word for `--only` that includes it. */
  readonly group: Group;
  readonly title: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
}

export const GROUPS = [
  'tcp',
  'wire',
  'peers',
  'udp',
  'small',
  'ping',
  'handshakes',
  'start',
  'memory',
] as const;
export type Group = (typeof GROUPS)[number];

/** Flows at a time. */
export const FLOWS = [1, 4, 16] as const;
/** Payloads of small UDP packets, bytes. */
export const SMALL = [64, 512] as const;
/** Configured peers of the memory measures. */
export const PEERS = [1, 100, 10_000] as const;
/** Configured peers of the traffic measures in group `peers`. */
export const MANY_PEERS = 1_000;

function measure(group: Group, id: string, title: string, unit: string, better: 'more' | 'less'): Measure {
  return { id, group, title, unit, better };
}

const flows = (count: number): string => `${count} flow${count === 1 ? '' : 's'}`;
const peers = (count: number): string => `${count.toLocaleString('en')} peer${count === 1 ? '' : 's'}`;

export const MEASURES: readonly Measure[] = [
  ...FLOWS.map((n) => measure('tcp', `tcp${n}`, `TCP, ${flows(n)}`, 'Mbit/s', 'more')),
  measure('tcp', 'cpu', 'processor time, TCP, 1 flow, both ends', 's/Gbit', 'less'),
  measure('tcp', 'memoryLoad', 'resident memory after TCP, 1 peer', 'MB', 'less'),
  ...FLOWS.map((n) => measure('wire', `wire${n}`, `TCP, ${flows(n)}, wire-like`, 'Mbit/s', 'more')),
  measure('wire', 'wireCpu', 'processor time, TCP, 1 flow, wire-like, both ends', 's/Gbit', 'less'),
  measure('peers', 'tcpPeers', `TCP, 1 flow, ${peers(MANY_PEERS)} configured`, 'Mbit/s', 'more'),
  measure('peers', 'memoryPeers', `resident memory after TCP, ${peers(MANY_PEERS)}`, 'MB', 'less'),
  measure('udp', 'udp', 'UDP, 1,200 Mbit/s offered: arrived', 'kpackets/s', 'more'),
  measure('udp', 'udpLoss', 'UDP, 1,200 Mbit/s offered: lost', '%', 'less'),
  measure('udp', 'udpCpu', 'processor time, UDP, 1,200 Mbit/s offered, both ends', 's/Gbit', 'less'),
  ...SMALL.map((n) =>
    measure(
      'small',
      n === 64 ? 'small' : `small${n}`,
      `UDP, ${n} bytes, 100,000/s offered: arrived`,
      'kpackets/s',
      'more',
    ),
  ),
  measure('ping', 'ping', 'round trip, ping each 2 ms', 'ms', 'less'),
  measure('ping', 'pingLoad', 'round trip beside a TCP flow, ping each 10 ms', 'ms', 'less'),
  measure('ping', 'pingLoad99', 'round trip beside a TCP flow, 99th percentile', 'ms', 'less'),
  measure('handshakes', 'core', 'handshakes as responder, the core alone', '1/s', 'more'),
  measure('handshakes', 'handshakes', 'handshakes as responder, over the wire', '1/s', 'more'),
  measure('start', 'socket', 'start until the userspace API answers', 'ms', 'less'),
  measure('start', 'firstPacket', 'start until the first packet is back', 'ms', 'less'),
  ...PEERS.map((n) => measure('memory', `memory${n}`, `resident memory, ${peers(n)}`, 'MB', 'less')),
];

/** Values of each measure, one a round. */
export type Values = Map<string, number[]>;

export function record(values: Values, id: string, value: number): void {
  const known = values.get(id);
  if (known) known.push(value);
  else values.set(id, [value]);
}
