/** Our own choices, each with a name and a default. Counts are items, times are ms. */
export interface Limits {
  /** Configured peers. */
  readonly maxPeers: number;
  /** Packets that wait for a session, per peer; the oldest is dropped first. */
  readonly stagedPackets: number;
  /** Handshake messages that wait to be processed; further ones are dropped. */
  readonly handshakeQueue: number;
  /** Waiting handshake messages from which the device calls itself under load and asks for cookies. */
  readonly underLoadQueue: number;
  /** How long "under load" outlasts its cause. */
  readonly underLoadHold: number;
  /** Handshake messages processed in one `advance()`, so that data never starves. */
  readonly handshakesPerAdvance: number;
  /** Least time between two initiations accepted from one peer. */
  readonly initiationInterval: number;
  /** Under load: handshake messages per second, and in a burst, from one IPv4 address or IPv6 /64. */
  readonly handshakesPerSecond: number;
  readonly handshakeBurst: number;
  /** Source addresses the rate limiter remembers. */
  readonly rateLimiterEntries: number;
  /** Random delay added to retransmissions so that two ends do not march in step. */
  readonly rekeyJitter: number;
  /** A peer's endpoint name is looked up again after this many unanswered initiations, and every so many. */
  readonly resolveAfterAttempts: number;
  /** Bits of the replay window; a multiple of 64. The paper's implementations use 8192. */
  readonly replayWindow: number;
  /** Largest inner packet the device's own outbox must carry, bytes. */
  readonly packetSize: number;
  /** Slots of the outbox. */
  readonly outbox: number;
}

export const LIMITS: Limits = Object.freeze({
  maxPeers: 65_536,
  stagedPackets: 128,
  handshakeQueue: 1024,
  underLoadQueue: 128,
  underLoadHold: 1_000,
  handshakesPerAdvance: 16,
  initiationInterval: 20,
  handshakesPerSecond: 20,
  handshakeBurst: 5,
  rateLimiterEntries: 4096,
  rekeyJitter: 334,
  resolveAfterAttempts: 3,
  replayWindow: 8192,
  packetSize: 1500,
  outbox: 64,
});
