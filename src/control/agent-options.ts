/** What a control agent is made with. */

import type { Primitives } from '../crypto/primitives.js';
import type { Enrolment } from '../identity/enrolment.js';
import type { DeviceKeys } from '../identity/keys.js';
import type { SealedStore } from '../identity/sealed-store.js';
import type { Clock, Log } from '../ports.js';
import type { Envelope } from './envelope.js';
import type { Credentials, LinkFactory } from './link.js';
import type { SessionTiming } from './session-options.js';
import type { RecordValue } from './shape.js';

/** Why site traffic is held back, though the control session lives. */
export interface Hold {
  readonly kind: 'shutdown' | 'quarantine';
  readonly reason: string;
}

export interface AgentActions {
  /** The network, the hold, the keys or the settings are others: bring the tunnel in line. Throws RangeError to refuse. */
  changed(): void;
  /** Facts for a heartbeat that only the tunnel's owner can measure: `uptime`, `firmware`, `peers`, perhaps `memory`. */
  facts(): RecordValue;
  /** A message for the transports: signaling, `relay-rebalance`. */
  signal?(envelope: Envelope): void;
  serverTime?(time: number, uncertainty: number): void;
}

export interface AgentOptions {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: SealedStore;
  readonly keys: DeviceKeys;
  readonly enrolment: Enrolment;
  readonly credentials: Credentials;
  readonly links: LinkFactory;
  readonly actions: AgentActions;
  readonly firmware: string;
  /** Random name of this start. */
  readonly boot: string;
  readonly mostBytes?: number;
  /** Control inside the tunnel is the first choice: for boards without TLS. Otherwise it is the last. */
  readonly tunnelFirst?: boolean;
  readonly timing?: Partial<SessionTiming>;
  /** A change of the network is stored this many ms later at the latest; sooner if a heartbeat tells of it. */
  readonly keepWithin?: number;
  readonly log?: Log;
}
