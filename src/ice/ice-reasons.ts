/** States of an ICE agent and their reasons: one list for status, console and log. */

export type IceState =
  /** Not started, or closed. */
  | 'stopped'
  /** Started; the peer's credentials or candidates are still to come. */
  | 'waiting'
  | 'checking'
  /** A valid pair carries traffic; better ones are still tried. */
  | 'connected'
  /** A pair is nominated. */
  | 'completed'
  | 'failed';

export type IceReason =
  | 'not-started'
  | 'closed'
  | 'awaiting-peer-credentials'
  | 'awaiting-peer-candidates'
  | 'checks-running'
  | 'pair-valid'
  | 'pair-nominated'
  /** The pair in use died; another valid one has taken over. */
  | 'fell-back'
  /** Every pair was tried, and both sides have named all their candidates. */
  | 'all-checks-failed'
  | 'check-timeout'
  /** RFC 7675: nothing authenticated came back for the consent timeout. */
  | 'consent-expired'
  /** The address it was sent from is gone. */
  | 'local-address-gone';
