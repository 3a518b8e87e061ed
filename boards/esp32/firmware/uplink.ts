/** The way to the internet, and what hangs behind this chip. */
export interface Uplink {
  /** The IDF's key of the interface that leads out. */
  readonly key: string;
  /** Interfaces with clients whose packets are forwarded, by the IDF's keys. */
  readonly clientKeys: readonly string[];
  /** Brings the link up and keeps it so. Calls back whenever there is an address (again). */
  begin(onAddress: () => void): void;
}
