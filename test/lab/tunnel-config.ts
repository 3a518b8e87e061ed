import { base64, type KeyPair } from '../wireguard/reference/identity.js';
import type { Bytes } from '../wireguard/reference/symmetric.js';

export interface PeerConfig {
  readonly publicKey: Bytes;
  readonly presharedKey?: Bytes;
  /** `address:port`, IPv6 in brackets. */
  readonly endpoint?: string;
  readonly allowedIps: readonly string[];
  /** Seconds. */
  readonly persistentKeepalive?: number;
}

export interface TunnelConfig {
  readonly keys: KeyPair;
  readonly listenPort?: number;
  /** With prefix length, as `ip address add` takes them. */
  readonly addresses: readonly string[];
  readonly mtu?: number;
  readonly peers: readonly PeerConfig[];
}

function peerSection(peer: PeerConfig): string {
  const lines = ['[Peer]', `PublicKey = ${base64(peer.publicKey)}`];
  if (peer.presharedKey) lines.push(`PresharedKey = ${base64(peer.presharedKey)}`);
  if (peer.allowedIps.length) lines.push(`AllowedIPs = ${peer.allowedIps.join(', ')}`);
  if (peer.endpoint) lines.push(`Endpoint = ${peer.endpoint}`);
  if (peer.persistentKeepalive) lines.push(`PersistentKeepalive = ${peer.persistentKeepalive}`);
  return lines.join('\n');
}

/** What `wg setconf` reads: the device's own keys, nothing of the interface around it. */
export function wgText(config: TunnelConfig): string {
  const lines = ['[Interface]', `PrivateKey = ${base64(config.keys.privateKey)}`];
  if (config.listenPort) lines.push(`ListenPort = ${config.listenPort}`);
  return `${[lines.join('\n'), ...config.peers.map(peerSection)].join('\n\n')}\n`;
}

/** What `wg-quick` and our own `up` read. */
export function wgQuickText(config: TunnelConfig): string {
  const lines = ['[Interface]', `PrivateKey = ${base64(config.keys.privateKey)}`];
  if (config.listenPort) lines.push(`ListenPort = ${config.listenPort}`);
  lines.push(`Address = ${config.addresses.join(', ')}`, `MTU = ${config.mtu ?? 1420}`);
  return `${[lines.join('\n'), ...config.peers.map(peerSection)].join('\n\n')}\n`;
}
