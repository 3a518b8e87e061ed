/** What an operator of a relay can set, with the usual values. Times are seconds, sizes bytes. */
export interface RelayOptions {
  /** A tunnel to a UDP target that carries nothing for so long is closed. */
  readonly idle: number;
  /** No tunnel lives longer; nor longer than its token. */
  readonly life: number;
  /** Bytes a second of one tunnel, each way; what is more is dropped. */
  readonly bandwidth: number;
  /** Bytes a day of one gateway, both ways together; 0: as many as it wants. */
  readonly dailyBytes: number;
  readonly tunnelsPerGateway: number;
  readonly tunnelsPerTenant: number;
  readonly tunnels: number;
  /** Requests a second of one source address, and how many at once. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** Connections of one source address at the same time. */
  readonly connectionsPerSource: number;
  /** What may wait to be written to a gateway; datagrams beyond are dropped. */
  readonly backlog: number;
  /** Largest datagram. */
  readonly datagram: number;
  /** A connection must have asked for something within so many seconds. */
  readonly requestTimeout: number;
  /** Between signs of life on a connection that is otherwise silent. */
  readonly keepalive: number;
}

export const RELAY_OPTIONS: RelayOptions = Object.freeze({
  idle: 300,
  life: 86_400,
  bandwidth: 25_000_000,
  dailyBytes: 0,
  tunnelsPerGateway: 16,
  tunnelsPerTenant: 4096,
  tunnels: 16_384,
  requestsPerSecond: 10,
  requestBurst: 50,
  connectionsPerSource: 256,
  backlog: 262_144,
  datagram: 65_507,
  requestTimeout: 10,
  keepalive: 30,
});
