/** What is measured: each with its unit and which way is better. */

export interface Measure {
  readonly id: string;
  /** The word for `--only` that includes it. */
  readonly group: Group;
  readonly title: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
}

export const GROUPS = ['tcp', 'udp', 'small', 'ping', 'handshakes', 'start', 'memory'] as const;
export type Group = (typeof GROUPS)[number];

export const MEASURES: readonly Measure[] = [
  { id: 'tcp1', group: 'tcp', title: 'TCP, 1 flow', unit: 'Mbit/s', better: 'more' },
  { id: 'tcp4', group: 'tcp', title: 'TCP, 4 flows', unit: 'Mbit/s', better: 'more' },
  {
    id: 'cpu',
    group: 'tcp',
    title: 'processor time, TCP, 1 flow, both ends',
    unit: 's/Gbit',
    better: 'less',
  },
  {
    id: 'udp',
    group: 'udp',
    title: 'UDP, 1,200 Mbit/s offered: arrived',
    unit: 'kpackets/s',
    better: 'more',
  },
  { id: 'udpLoss', group: 'udp', title: 'UDP, 1,200 Mbit/s offered: lost', unit: '%', better: 'less' },
  {
    id: 'small',
    group: 'small',
    title: 'UDP, 64 bytes, 100,000/s offered: arrived',
    unit: 'kpackets/s',
    better: 'more',
  },
  { id: 'ping', group: 'ping', title: 'round trip, ping each 2 ms', unit: 'ms', better: 'less' },
  {
    id: 'core',
    group: 'handshakes',
    title: 'handshakes as responder, the core alone',
    unit: '1/s',
    better: 'more',
  },
  {
    id: 'handshakes',
    group: 'handshakes',
    title: 'handshakes as responder, over the wire',
    unit: '1/s',
    better: 'more',
  },
  {
    id: 'socket',
    group: 'start',
    title: 'start until the userspace API answers',
    unit: 'ms',
    better: 'less',
  },
  {
    id: 'firstPacket',
    group: 'start',
    title: 'start until the first packet is back',
    unit: 'ms',
    better: 'less',
  },
  { id: 'memory1', group: 'memory', title: 'resident memory, 1 peer', unit: 'MB', better: 'less' },
  { id: 'memory100', group: 'memory', title: 'resident memory, 100 peers', unit: 'MB', better: 'less' },
  { id: 'memory10000', group: 'memory', title: 'resident memory, 10,000 peers', unit: 'MB', better: 'less' },
];

/** Values of each measure, one a round. */
export type Values = Map<string, number[]>;

export function record(values: Values, id: string, value: number): void {
  const known = values.get(id);
  if (known) known.push(value);
  else values.set(id, [value]);
}
