/** What a wg-quick file says, in bytes and numbers. `src/config/wg-quick.ts` reads it, `wg-quick-text.ts` writes it. */

import type { Prefix } from '../packet/address.js';
import type { InterfaceReach, PeerReach } from './reach.js';

export interface TunnelConfig {
  readonly interface: InterfaceConfig;
  readonly peers: readonly PeerConfig[];
}

export interface InterfaceConfig {
  /** 32 bytes. Secret. */
  readonly privateKey: Uint8Array;
  /** UDP port; `undefined` or 0 lets the system choose. */
  readonly listenPort: number | undefined;
  /** The interface's own addresses, host bits kept. */
  readonly addresses: readonly Prefix[];
  /** Bytes of the largest inner packet; `undefined`: the host derives it. */
  readonly mtu: number | undefined;
  /** Name servers, 4 or 16 bytes each. */
  readonly dnsServers: readonly Uint8Array[];
  readonly dnsSearch: readonly string[];
  /** Where routes to the peers' AllowedIPs go: the main table with policy routing, nowhere, or a table's number. */
  readonly table: 'auto' | 'off' | number;
  /** Mark of outgoing datagrams, 32 bits; 0: none. */
  readonly fwMark: number;
  /** Shell commands, in order, with `%i` for the interface's name. */
  readonly preUp: readonly string[];
  readonly postUp: readonly string[];
  readonly preDown: readonly string[];
  readonly postDown: readonly string[];
  /** Relays and how to get to them; absent without any. */
  readonly reach?: InterfaceReach | undefined;
}

export interface PeerConfig {
  /** The line of its `[Peer]`, for messages; 0 when it was not read from a file. */
  readonly line: number;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes, or none. Secret. */
  readonly presharedKey: Uint8Array | undefined;
  /** Host bits cleared, no prefix twice. */
  readonly allowedIps: readonly Prefix[];
  readonly endpoint: PeerEndpoint | undefined;
  /** Seconds; 0: off. */
  readonly persistentKeepalive: number;
  /** How it is reached beyond plain UDP; absent: as the interface's relays allow. */
  readonly reach?: PeerReach | undefined;
}

/** A 24-byte endpoint record (`src/packet/endpoint.ts`), or a name to look up. */
export type PeerEndpoint =
  | { readonly kind: 'address'; readonly record: Uint8Array }
  | { readonly kind: 'name'; readonly host: string; readonly port: number };
