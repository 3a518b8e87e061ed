/** What an operator can set about the path of a peer, with the usual values. Times are ms. */
export interface PathOptions {
  /** Between two transports of a race (RFC 8305 section 5: "Connection Attempt Delay"). */
  readonly stagger: number;
  /** An active transport that was sent to and from which nothing came for so long is suspected. */
  readonly silence: number;
  /** Between the probes of a suspected transport; after two of them in vain it is left. */
  readonly patience: number;
  /** Between probes of the active transport while there is traffic. */
  readonly heartbeat: number;
  /** The same without traffic. */
  readonly idleHeartbeat: number;
  /** Traffic younger than this counts as traffic. */
  readonly activeFor: number;
  /** Keep the best other transport open, so that it can take over at once. */
  readonly standby: boolean;
  /** Between probes of the standby. */
  readonly standbyProbe: number;
  /** Answers in a row that prove a transport. */
  readonly proofs: number;
  /** Both transports carry everything for so long after a planned change. */
  readonly overlap: number;
  /** No planned change before the active transport has been used for so long (CloudBridge). */
  readonly dwell: number;
  /** No planned change so soon after the last change (CloudBridge). */
  readonly cooldown: number;
  /** By how much the score must be better, as a fraction (CloudBridge). */
  readonly gain: number;
  /** A transport that failed must have answered without a gap for so long, twice as long after each further failure. */
  readonly stability: number;
  readonly stabilityMost: number;
  /** Failures are forgotten after so long without another. */
  readonly forgiveAfter: number;
  /** Until a better transport that does not answer is probed again; doubles up to the second. */
  readonly returnFirst: number;
  readonly returnMost: number;
  /** How long a transport that could not even be opened is not tried again in this network; doubles up to the second. */
  readonly negativeFirst: number;
  readonly negativeMost: number;
  /** While nothing works at all, transports are tried again this often; doubles up to the second. */
  readonly retryFirst: number;
  readonly retryMost: number;
  /** Bytes a day for probes that are not urgent. */
  readonly dailyBudget: number;
  /** Decisions kept for `explain`. */
  readonly journal: number;
}

export const PATH_OPTIONS: PathOptions = Object.freeze({
  stagger: 250,
  silence: 250,
  patience: 200,
  heartbeat: 3_000,
  idleHeartbeat: 25_000,
  activeFor: 45_000,
  standby: true,
  standbyProbe: 60_000,
  proofs: 2,
  overlap: 300,
  dwell: 20_000,
  cooldown: 15_000,
  gain: 0.1,
  stability: 20_000,
  stabilityMost: 1_800_000,
  forgiveAfter: 600_000,
  returnFirst: 5_000,
  returnMost: 3_600_000,
  negativeFirst: 600_000,
  negativeMost: 3_600_000,
  retryFirst: 1_000,
  retryMost: 30_000,
  dailyBudget: 2_000_000,
  journal: 64,
});

/** For uplinks that are paid by the byte: half the budget, nothing kept open that is not used. */
export const METERED_PATH_OPTIONS: PathOptions = Object.freeze({
  ...PATH_OPTIONS,
  standby: false,
  idleHeartbeat: 120_000,
  dailyBudget: 1_000_000,
});
