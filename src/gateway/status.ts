import { keyToBase64 } from '../crypto/key-text.js';
import { formatPrefix } from '../packet/address.js';
import { formatEndpoint, type ZoneName } from '../packet/endpoint-text.js';
import type { PeerPath } from '../transport/path.js';
import { type PathView, pathView } from '../transport/path-view.js';
import type { TransportKind } from '../transport/transport.js';
import type { Device } from '../wireguard/device.js';
import type { Peer } from '../wireguard/peer.js';
import type { PeerReason, PeerState } from '../wireguard/peer-status.js';
import type { ControlStatus } from './control-status.js';

/** The operation of the control socket that answers with a {@link GatewayStatus} as one line of JSON. */
export const STATUS_OPERATION = 'status=1';

/** What `status --json` prints. Times are ms unless named otherwise; nothing here is secret. */
export interface GatewayStatus {
  readonly interface: string;
  readonly version: string;
  readonly pid: number;
  /** Seconds since the start. */
  readonly uptime: number;
  readonly mode: string;
  readonly modeReason: string;
  /** How packets are carried: `portable` or `t0`. */
  readonly tier: string;
  readonly tierReason: string;
  /** Base64; `null` without a private key. */
  readonly publicKey: string | null;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly mtu: number;
  /** `null` when IPv6 endpoints can be reached, otherwise why not. */
  readonly ipv6Missing: string | null;
  /** Handshakes arrive faster than they are answered; cookies are asked for. */
  readonly underLoad: boolean;
  /** The configuration file; `null` when configured by `wg` alone. */
  readonly configuration: string | null;
  readonly peers: readonly PeerView[];
  /** Every way a packet can end other than being delivered, counted since the start. */
  readonly counters: Readonly<Record<string, number>>;
  /** Of a gateway that a control plane configures. */
  readonly control?: ControlStatus;
}

export interface PeerView {
  readonly publicKey: string;
  /** How its datagrams travel. */
  readonly transport: TransportKind | 'racing';
  /** Of a peer with several transports. */
  readonly path?: PathView;
  /** `null` while none is known. */
  readonly endpoint: string | null;
  /** As configured, when by name. */
  readonly endpointName: string | null;
  readonly allowedIps: readonly string[];
  /** ms since 1970 by the gateway's clock; `null` before the first. */
  readonly lastHandshake: number | null;
  /** Seconds; `null` before the first handshake. */
  readonly handshakeAge: number | null;
  /** ms between our last answered initiation and its answer. */
  readonly roundTrip: number | null;
  /** Share of its messages that did not arrive lately, 0 to 1, by their counters; `null` while too few came to tell. */
  readonly loss: number | null;
  /** Bytes of WireGuard messages. */
  readonly received: number;
  readonly sent: number;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number;
  readonly state: PeerState;
  readonly reason: PeerReason;
  /** The reason as a sentence, with what the system said where it said something. */
  readonly explanation: string;
}

/** What a peer's reason means to its owner. */
const EXPLANATIONS: Readonly<Record<PeerReason, string>> = Object.freeze({
  'no-traffic-yet': 'nothing has needed a session so far',
  'no-private-key': 'this interface has no private key',
  'no-endpoint': 'no endpoint is configured, and the peer has not called in',
  'endpoint-unresolved': "the endpoint's name has not been resolved",
  'invalid-public-key': 'its public key is not a real key',
  'awaiting-response': 'a handshake was sent, no answer yet',
  'cookie-received': 'the peer is under load; the next try carries the proof it asked for',
  'awaiting-first-packet': 'we answered its handshake and wait for its first packet',
  confirmed: 'authenticated traffic came under the current keys',
  rekeying: 'fresh keys are being negotiated',
  'peer-silent': 'data was sent and nothing came back',
  'no-response': 'it does not answer: wrong endpoint or key, or its UDP is blocked',
  'session-expired': 'the last session ended without traffic to renew it',
});

/** `detail` adds what the host knows, such as why its endpoint cannot be reached now. `now` is monotonic ms. */
export function peerView(
  peer: Peer,
  device: Device,
  now: number,
  detail: (peer: Peer) => string | undefined,
  zoneName: ZoneName,
  path?: PeerPath,
): PeerView {
  const never = peer.lastHandshakeWall === 0;
  const { reason, endpointName, loss } = peer;
  const more = detail(peer);
  const view = path && pathView(path, now);
  return {
    publicKey: keyToBase64(peer.publicKey),
    transport: view ? (view.active ?? 'racing') : 'udp',
    ...(view && { path: view }),
    endpoint: formatEndpoint(peer.endpoint, 0, zoneName) || null,
    endpointName: endpointName === undefined ? null : `${endpointName.host}:${endpointName.port}`,
    allowedIps: device.allowedIps.entries(peer).map(formatPrefix),
    lastHandshake: never ? null : peer.lastHandshakeWall,
    handshakeAge: never ? null : Math.max(0, Math.round((now - peer.lastHandshake) / 1000)),
    roundTrip: peer.roundTrip === undefined ? null : Math.round(peer.roundTrip * 10) / 10,
    loss: loss === undefined ? null : Math.round(loss * 1000) / 1000,
    received: peer.rxBytes,
    sent: peer.txBytes,
    persistentKeepalive: peer.persistentKeepalive,
    state: peer.state,
    reason,
    explanation: more === undefined ? EXPLANATIONS[reason] : `${EXPLANATIONS[reason]} (${more})`,
  };
}
