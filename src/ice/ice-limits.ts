/** Times and limits of the ICE agent. Times are ms. Where a specification has a default, it is ours. */

export interface IceLimits {
  /** Between two checks of one agent: Ta (RFC 8445 section 14.2). */
  readonly pacing: number;
  /** First wait for an answer (RFC 8445 section 14.3: 500 at least). */
  readonly rto: number;
  /** Requests of one check before its pair fails (RFC 8489 section 6.2.1: Rc). */
  readonly requests: number;
  /** The last wait of a check is this many times the first: Rm. RFC 8489 says 16; NATs are not opened that late. */
  readonly lastWait: number;
  /** The controlling side nominates a direct pair this long after the first valid one, unless none can be better. */
  readonly nominateDirect: number;
  /** And a relayed pair this long after it: direct ones get their time. */
  readonly nominateRelayed: number;
  /** Between consent requests, moved at random by a fifth (RFC 7675 section 5.1). */
  readonly consentInterval: number;
  /** Without an answer for this long a pair is dead (RFC 7675 section 5.1). */
  readonly consentTimeout: number;
  /**
   * Between requests while no data flows: consent is for senders (RFC 7675 section 5), the NAT's mapping needs less. A
   * pair is then dead after three of them.
   */
  readonly idleInterval: number;
  /** Between requests that keep a valid pair warm which is not in use; 0 keeps none. */
  readonly standbyInterval: number;
  /** Valid pairs besides the selected one that are kept warm. */
  readonly standbyPairs: number;
  /** No valid pair after this long is a failure; before that the peer may still reach us (RFC 8863 section 4). */
  readonly checkTimeout: number;
  /** Pairs (RFC 8445 section 6.1.2.5: 100). */
  readonly pairs: number;
  /** Remote candidates that were signaled; more are refused. */
  readonly remoteCandidates: number;
  /** Peer-reflexive remote candidates, learned from authenticated checks. */
  readonly peerReflexive: number;
  /** Checks that came before the peer's credentials are remembered up to this number. */
  readonly earlyChecks: number;
  /** Whether candidates may be loopback addresses: for tests on one machine. */
  readonly loopback: boolean;
}

export const ICE_LIMITS: IceLimits = Object.freeze({
  pacing: 50,
  rto: 500,
  requests: 7,
  lastWait: 4,
  nominateDirect: 200,
  nominateRelayed: 2_000,
  consentInterval: 5_000,
  consentTimeout: 30_000,
  idleInterval: 25_000,
  standbyInterval: 60_000,
  standbyPairs: 1,
  checkTimeout: 39_500,
  pairs: 100,
  remoteCandidates: 32,
  peerReflexive: 8,
  earlyChecks: 4,
  loopback: false,
});

export interface GatherLimits {
  /** Between Binding requests to one STUN server while somebody gathers: keeps the NAT's mapping. */
  readonly refresh: number;
  /** Most local addresses that become candidates. */
  readonly addresses: number;
  /** Most STUN and TURN servers asked. */
  readonly servers: number;
}

export const GATHER_LIMITS: GatherLimits = Object.freeze({ refresh: 25_000, addresses: 16, servers: 8 });
