/** What a lane's thread and its keeper tell each other: words of uint32 in the lane, and the lane's counters. */

/** Words from LANE_STATE on. */
export const STATE = {
  /** 1: leave. */
  stop: 0,
  /** Changes with every turn of the loop. */
  turns: 1,
  /** 1 while the thread works, 0 while it waits in `poll`. */
  busy: 2,
  /** Descriptors, -1 for none; with each change `asked` is another, and `seen` follows when the old ones are let go. */
  tun: 3,
  udp4: 4,
  udp6: 5,
  asked: 6,
  seen: 7,
  /** 1 when runs must not be cut by the kernel. */
  noSegmentation: 8,
  /** Last errno of a send that failed, and the number of its peer's record. */
  sendErrno: 9,
  sendOwner: 10,
  sendFailures: 11,
} as const;

/** In the order of `wasm/assembly/counters.ts`; behind them what the loops themselves count. */
export const LANE_COUNTERS = [
  'framesRead',
  'packetsCut',
  'badFrames',
  'noRoute',
  'noEndpoint',
  'controlFull',
  'tooLarge',
  'buffersReceived',
  'coalescedBuffers',
  'malformed',
  'unknownIndex',
  'expiredKeys',
  'badTag',
  'replayed',
  'badPacket',
  'wrongSource',
  'keepalivesReceived',
  'packetsDelivered',
  'congestionDropped',
  'congestionMarked',
  'sends',
  'segmentedSends',
  'sendDropped',
  'sendFailed',
  'sendWaits',
  'framesWritten',
  'tunnelDropped',
] as const;
export type LaneCounter = (typeof LANE_COUNTERS)[number];

/** Of a lane's counters those that are the device's own. */
export const DEVICE_COUNTERS = [
  'noRoute',
  'noEndpoint',
  'tooLarge',
  'malformed',
  'unknownIndex',
  'expiredKeys',
  'badTag',
  'replayed',
  'badPacket',
  'wrongSource',
  'keepalivesReceived',
] as const satisfies readonly LaneCounter[];

export type Role = 'outward' | 'inward';

/** What a lane's thread is started with. */
export interface LaneData {
  readonly role: Role;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly lane: number;
  /** Vectors for system calls. */
  readonly vectors: number;
  /** Room for messages: outward those to be sent, inward the received buffers. */
  readonly room: number;
  readonly roomBytes: number;
  /** Queue to the control thread. */
  readonly ring: number;
  readonly event: number;
  /** Seal and open long messages with the OpenSSL inside Node: tier T2. */
  readonly openssl?: boolean;
  /** `hrtime` in ms at the zero of the control thread's monotonic clock. */
  readonly origin: number;
}

/** What a lane's thread posts: `undefined` wakes the control thread, anything else is why it has ended. */
export type LaneMessage = undefined | { readonly ended: string };

/** Monotonic ms by the clock that all threads share. */
export function hrtimeMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
