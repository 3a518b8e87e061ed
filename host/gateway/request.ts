import type { Expose, Forward } from '../../src/config/forwards.js';
import type { InterfaceReach } from '../../src/config/reach.js';
import type { Timing } from '../../src/wireguard/constants.js';
import { LIMITS, type Limits } from '../../src/wireguard/limits.js';
import type { ConfigurationText } from './configuration.js';
import type { LogFormat, LogThreshold } from './log.js';
import { DEFAULT_QUEUE_LIMITS, type QueueLimits } from './native/queues.js';
import { DEFAULT_FORWARD_LIMITS, type ForwardLimits } from './platform/forward-limits.js';
import type { TunnelMode } from './platform/tunnel.js';

export type TierChoice = 'auto' | 'portable' | 't0' | 't1' | 't2';

export const TIERS: readonly TierChoice[] = ['auto', 'portable', 't0', 't1', 't2'];

/** Every bound that an option can change, with its usual value. */
export type GatewayLimits = Limits & ForwardLimits & QueueLimits;
export const KNOWN_LIMITS: GatewayLimits = Object.freeze({
  ...LIMITS,
  ...DEFAULT_FORWARD_LIMITS,
  ...DEFAULT_QUEUE_LIMITS,
});

/** What a gateway that a control plane configures is told here. */
export interface EnrolledRequest {
  /** UDP port; 0: the one of last time, or any. */
  readonly listenPort: number;
  /** Where peers reach it, when that is not where the control plane sees it. */
  readonly endpoint: string | undefined;
  /** Relays at which it meets the other gateways of its tenant, with the token of its identity. */
  readonly reach?: InterfaceReach | undefined;
}

/** What a gateway is asked to be: plain data, which the outer process of rootless mode hands to the inner one. */
export interface GatewayRequest {
  readonly interfaceName: string;
  /** The configuration file and what it said at the start; `undefined`: configured by `wg` alone. */
  readonly configuration: ConfigurationText | undefined;
  /** Set when the control plane configures it; there is no file then. */
  readonly enrolled?: EnrolledRequest;
  /** Where the control socket is made. */
  readonly uapiDirectory: string;
  /** Where state is kept; one directory for all gateways of this user. */
  readonly stateDirectory: string;
  /** The only address of this machine at which peers can reach it; `undefined`: every one. */
  readonly listenAddress: string | undefined;
  /** `undefined`: the best that this machine allows. */
  readonly mode: TunnelMode | undefined;
  readonly tier: TierChoice;
  readonly forwards: readonly Forward[];
  readonly exposes: readonly Expose[];
  /** Limits of the device and of the forwards that differ from their defaults, by name. */
  readonly limits: Partial<GatewayLimits>;
  /** The paper's intervals that differ. For tests that start a gateway themselves; no option of the program sets it. */
  readonly timing?: Partial<Timing>;
  readonly logFormat: LogFormat;
  readonly logLevel: LogThreshold;
  /** Seconds within which some peer must have answered; `undefined`: for ever patient. */
  readonly failAfter: number | undefined;
}
