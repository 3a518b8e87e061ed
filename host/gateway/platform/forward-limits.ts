/** Bounds of the forwards, so that no client can use up the gateway. All are our own choices. */
export interface ForwardLimits {
  /** TCP connections one rule carries at a time; more are closed at once. */
  readonly maxConnections: number;
  /** UDP sources one rule remembers at a time; the one idle longest gives way. */
  readonly maxFlows: number;
  /** Milliseconds after which a silent UDP flow is forgotten (RFC 4787 REQ-5 asks for two minutes at least). */
  readonly flowIdle: number;
  /** Milliseconds a TCP target may take to accept. */
  readonly connectTimeout: number;
  /** Milliseconds a TCP connection may be silent in both directions; 0: for ever. */
  readonly connectionIdle: number;
}

export const DEFAULT_FORWARD_LIMITS: ForwardLimits = {
  maxConnections: 1024,
  maxFlows: 1024,
  flowIdle: 120_000,
  connectTimeout: 15_000,
  // RFC 5382 REQ-5: a translator keeps an established connection for 2 hours and 4 minutes at least.
  connectionIdle: 7_440_000,
};
