/** Times of TURN: those of its specification, and our own choices. All are ms. */

/** RFC 8656 section 3.2: an allocation's lifetime unless the server says otherwise. */
export const DEFAULT_LIFETIME = 600_000;
/** RFC 8656 section 9: a permission's. */
export const PERMISSION_LIFETIME = 300_000;
/** RFC 8656 section 12: a channel's. */
export const CHANNEL_LIFETIME = 600_000;

export interface TurnLimits {
  /** Allocations are refreshed this long before they end (RFC 8656 section 8.1 says one minute). */
  readonly refreshBefore: number;
  /** Permissions and channels are refreshed this often. */
  readonly permissionRefresh: number;
  /** Over datagrams the NAT's mapping is kept by a message at least this often; 0 is never. */
  readonly keepalive: number;
  /** Waits between attempts: the first, and the longest they double to. */
  readonly retryFirst: number;
  readonly retryLongest: number;
  /** The wait after 486 and 508 (RFC 8656 section 7.4: one minute at least). */
  readonly crowdedWait: number;
  /** The wait after a refusal that only new settings on either side can mend. */
  readonly hopelessWait: number;
  /** 300 (Try Alternate) followed in a row. */
  readonly redirects: number;
  /** 438 (Stale Nonce) believed in a row for one request. */
  readonly staleNonces: number;
  /** Peers that may have a permission at a time. */
  readonly peers: number;
  /** A datagram that waits for its permission, bytes; one per peer. Longer ones are dropped. */
  readonly heldBytes: number;
  /** Answers of the server may take this long over TCP and TLS before the connection counts as lost. */
  readonly streamTimeout: number;
}

export const TURN_LIMITS: TurnLimits = Object.freeze({
  refreshBefore: 60_000,
  permissionRefresh: 240_000,
  keepalive: 25_000,
  retryFirst: 1_000,
  retryLongest: 60_000,
  crowdedWait: 60_000,
  hopelessWait: 300_000,
  redirects: 3,
  staleNonces: 3,
  peers: 128,
  heldBytes: 1_024,
  streamTimeout: 10_000,
});
