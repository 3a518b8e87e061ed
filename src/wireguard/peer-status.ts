/** What a peer's session is doing, and why: one of each is shown wherever status is shown. */

export type PeerState = 'idle' | 'handshaking' | 'established' | 'failed';

export type PeerReason =
  /** Nothing has needed a session so far. */
  | 'no-traffic-yet'
  /** The interface has no private key. */
  | 'no-private-key'
  /** No endpoint is configured and the peer has not called in. */
  | 'no-endpoint'
  /** The endpoint's name has not been resolved. */
  | 'endpoint-unresolved'
  /** DH with this public key is zero: it is not a real key. */
  | 'invalid-public-key'
  /** An initiation is out. */
  | 'awaiting-response'
  /** The peer is under load and asked for proof of our address; the next initiation carries it. */
  | 'cookie-received'
  /** We answered; keys are used from the initiator's first packet on. */
  | 'awaiting-first-packet'
  /** Authenticated traffic came under the current keys. */
  | 'confirmed'
  /** As `confirmed`, with fresh keys being negotiated. */
  | 'rekeying'
  /** Data was sent and nothing came back; a new handshake is asked for. */
  | 'peer-silent'
  /** Initiations went unanswered for Rekey-Attempt-Time. */
  | 'no-response'
  /** The last session reached its age limit without traffic to renew it. */
  | 'session-expired';
