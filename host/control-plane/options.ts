/** What an operator can set, with the usual values. Times are ms unless named otherwise. */
export interface ControlOptions {
  /** Seconds between heartbeats, told in `welcome`. */
  readonly heartbeat: number;
  /** Seconds a token lives. */
  readonly tokenLife: number;
  /** Seconds a tunnel key lives before it is rotated. */
  readonly keyLife: number;
  /** Seconds the old key is answered to after a rotation; also what a gateway may miss of it. */
  readonly keyOverlap: number;
  /** Seconds a gateway answers to its old address after a move, at least. */
  readonly addressOverlap: number;
  /** Seconds within which a new key or new settings must be confirmed. */
  readonly confirmWithin: number;
  /** The first message must have come by then. */
  readonly greetingTimeout: number;
  /** A session without a heartbeat for so long is over (seed: 60 s, and never less than two intervals). */
  readonly silence: number;
  /** Messages a second of one gateway (seed: 100). */
  readonly messagesPerSecond: number;
  /** MQTT packets a second of one gateway; a message is one, and a connection begins with a few. */
  readonly packetsPerSecond: number;
  /** Two starts of one identity within this time of each other, both alive, are two devices. */
  readonly cloneWindow: number;
  /** Sessions accepted a second; more are asked to come back later, each at its own time. */
  readonly acceptedPerSecond: number;
  /** Seconds over which gateways come back after a planned stop; many take twice the time we could admit them in. */
  readonly comeBackWithin: number;
  /** Enrolments and logins a second of one address, and their burst. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
}

export const CONTROL_OPTIONS: ControlOptions = Object.freeze({
  heartbeat: 30,
  tokenLife: 3600,
  keyLife: 30 * 86_400,
  keyOverlap: 86_400,
  addressOverlap: 3600,
  confirmWithin: 60,
  greetingTimeout: 10_000,
  silence: 60_000,
  messagesPerSecond: 100,
  packetsPerSecond: 120,
  cloneWindow: 10_000,
  acceptedPerSecond: 500,
  comeBackWithin: 10,
  requestsPerSecond: 20,
  requestBurst: 200,
});
