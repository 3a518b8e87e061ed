import type { Limits } from '../../../src/wireguard/limits.js';

/**
 * What a chip with some hundred kilobytes of memory can bear, in place of the defaults of src/wireguard/limits.ts. The
 * README has the memory that results.
 */
export const CHIP_LIMITS: Partial<Limits> = Object.freeze({
  maxPeers: 8,
  stagedPackets: 4,
  handshakeQueue: 8,
  underLoadQueue: 4,
  /** One handshake takes tens of milliseconds here. */
  handshakesPerAdvance: 1,
  rateLimiterEntries: 64,
  replayWindow: 1024,
  packetSize: 1420,
  outbox: 4,
});

/** Packets handled in one turn of the loop. */
export const CHIP_BATCH = 4;
/** Packets that may wait in lwIP for the gateway, in each direction. */
export const CHIP_QUEUE = 16;
/** Bytes; the tunnel's MTU when the configuration has none: 1500 less IPv6, UDP and WireGuard. */
export const TUNNEL_MTU = 1420;
