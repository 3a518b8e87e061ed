/** What the userspace API needs from around it. */

import type { ZoneIndex, ZoneName } from '../packet/endpoint-text.js';

/** What a device does not own itself: its socket, and whatever else the host answers. */
export interface UapiHost {
  /** Called before the device is described: brings its counts up to date where a data plane keeps them elsewhere. */
  refresh?(): void;
  readonly listenPort: number;
  /** Moves the socket (0: any port), then calls `done` once with an errno of `uapi-errno.ts`. */
  setListenPort(port: number, done: (errno: number) => void): void;
  /** 0: none. */
  readonly fwmark: number;
  setFwmark(mark: number, done: (errno: number) => void): void;
  /** IPv6 zones have names outside and numbers inside (RFC 4007); only the host knows both. */
  zoneIndex?: ZoneIndex;
  zoneName?: ZoneName;
  /** Whether there is an operation (`status=1`) beyond `get=1` and `set=1`. */
  knows?(operation: string): boolean;
  /** Calls `reply` once with the answer, whole lines, and its errno. */
  answer?(operation: string, reply: (text: string, errno: number) => void): void;
  /** A line was refused; `key` is its name, never its value. */
  refused?(key: string, errno: number): void;
}

export interface UapiOutput {
  write(text: string): void;
  /** Nothing more will be understood: the connection should be closed. */
  end(): void;
}
