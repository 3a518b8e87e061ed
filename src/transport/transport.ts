/**
 * One way to carry a peer's sealed datagrams. A transport is never trusted: it moves bytes, and WireGuard alone says
 * whether they are worth anything. The path of the peer (`path.ts`) opens, probes, chooses and closes transports.
 */

export type TransportKind = 'udp' | 'ice' | 'turn' | 'masque' | 'quic' | 'webrtc' | 'websocket';

export const TRANSPORT_KINDS: readonly TransportKind[] = Object.freeze([
  'udp',
  'ice',
  'turn',
  'masque',
  'quic',
  'webrtc',
  'websocket',
] as const);

/** `open` says that datagrams can be sent, not that anything answers. */
export type TransportState = 'idle' | 'opening' | 'open' | 'failed';

/** Why a transport is in its state. */
export type TransportReason =
  | 'not-needed' // idle: closed on purpose or never asked for
  | 'connecting' // opening: TCP, or candidates being gathered
  | 'asking-proxy' // opening: HTTP CONNECT
  | 'securing' // opening: TLS
  | 'negotiating' // opening: the request was sent
  | 'ready' // open
  | 'no-endpoint' // failed: nobody said where the peer is
  | 'no-token' // failed: there is nothing to show to the relay
  | 'unresolved' // failed: the name has no address
  | 'unreachable' // failed: no route, or refused
  | 'timed-out' // failed
  | 'certificate' // failed: TLS did not verify
  | 'proxy-authentication' // failed: the proxy wants other credentials (407)
  | 'proxy-refused' // failed: the proxy does not connect there
  | 'unauthorized' // failed: the relay refused the token (401)
  | 'target-refused' // failed: the relay does not forward there (403)
  | 'rate-limited' // failed: the relay asks to come later (429, 503)
  | 'not-supported' // failed: what answered is no relay of this kind
  | 'protocol-error' // failed: it broke its own protocol
  | 'closed-by-peer'; // failed: it was open and ended

export interface TransportEvents {
  /** `state`, `reason` or `endpoint` changed. */
  changed(): void;
  /** A datagram came, not yet authenticated; the bytes are lent until the call returns. */
  received(bytes: Uint8Array, offset: number, length: number): void;
  /** All that came together has been handed over: a good moment to work on it. */
  delivered(): void;
}

export interface Transport {
  readonly kind: TransportKind;
  /** For the owner, without secrets: `masque relay.example:443`. */
  readonly name: string;
  /** Bytes it adds to a datagram, besides the IP and UDP headers that WireGuard has anyway. */
  readonly overhead: number;
  /** Largest datagram that passes, bytes. */
  readonly mtu: number;
  readonly state: TransportState;
  readonly reason: TransportReason;
  /** What the system or the other end said, for the owner; empty when there is nothing to add. */
  readonly detail: string;
  /**
   * Where datagrams of a transport go that is plain UDP from the gateway's own socket (`udp`, `ice`): an endpoint
   * record. The pump then sends and receives without calling the transport. `undefined`: `send` is to be called.
   */
  readonly endpoint: Uint8Array | undefined;
  /** ms the other end asked to be left alone, 0 when it did not. */
  readonly retryAfter: number;
  /** Set by the path before `open`. */
  events: TransportEvents | undefined;

  /** Begins to open; calls `events.changed` on every step. Nothing when it is opening or open. */
  open(now: number): void;
  /** Ends it without a call back; it can be opened again. */
  close(): void;
  /**
   * Sends one datagram, or drops it (false) when it cannot go out now: nothing is queued behind a slow connection.
   * The bytes are read before the call returns and are not changed.
   */
  send(bytes: Uint8Array, offset: number, length: number): boolean;
  /** Hands what `send` collected to the connection; called after each batch. */
  flush(): void;
  /** Monotonic ms. Runs what is due, such as giving up a connection that does not come. */
  advance(now: number): void;
  /** Monotonic ms; Infinity when nothing is due. */
  nextDeadline(): number;
  /** For `udp` and the like: true when datagrams from this record are the transport's. */
  owns?(endpoints: Uint8Array, at: number): boolean;
}
