/** Writes wg-quick text, for a phone or another gateway. What it writes, `parseWgQuick` and stock tools read. */

import { keyToBase64 } from '../crypto/key-text.js';
import { formatAddress, formatPrefix } from '../packet/address.js';
import { formatEndpoint, type ZoneName } from '../packet/endpoint-text.js';
import { interfaceReachLines, peerReachLines } from './reach.js';
import type { InterfaceConfig, PeerConfig, TunnelConfig } from './tunnel-config.js';

/**
 * The text of a configuration, secrets included: it belongs into a file that only its owner can read. Settings at
 * their defaults are left out.
 */
export function formatWgQuick(config: TunnelConfig, zoneName?: ZoneName): string {
  const lines = interfaceLines(config.interface);
  for (const peer of config.peers) lines.push('', ...peerLines(peer, zoneName));
  return `${lines.join('\n')}\n`;
}

function interfaceLines(own: InterfaceConfig): string[] {
  const lines = ['[Interface]', `PrivateKey = ${keyToBase64(own.privateKey)}`];
  if (own.addresses.length > 0) lines.push(`Address = ${own.addresses.map(formatPrefix).join(', ')}`);
  if (own.listenPort !== undefined) lines.push(`ListenPort = ${own.listenPort}`);
  if (own.fwMark !== 0) lines.push(`FwMark = 0x${own.fwMark.toString(16)}`);
  if (own.mtu !== undefined) lines.push(`MTU = ${own.mtu}`);
  const dns = [...own.dnsServers.map((address) => formatAddress(address)), ...own.dnsSearch];
  if (dns.length > 0) lines.push(`DNS = ${dns.join(', ')}`);
  if (own.table !== 'auto') lines.push(`Table = ${own.table}`);
  for (const command of own.preUp) lines.push(`PreUp = ${command}`);
  for (const command of own.postUp) lines.push(`PostUp = ${command}`);
  for (const command of own.preDown) lines.push(`PreDown = ${command}`);
  for (const command of own.postDown) lines.push(`PostDown = ${command}`);
  if (own.reach !== undefined) lines.push(...interfaceReachLines(own.reach));
  return lines;
}

function peerLines(peer: PeerConfig, zoneName: ZoneName | undefined): string[] {
  const lines = ['[Peer]', `PublicKey = ${keyToBase64(peer.publicKey)}`];
  if (peer.presharedKey !== undefined) lines.push(`PresharedKey = ${keyToBase64(peer.presharedKey)}`);
  lines.push(`AllowedIPs = ${peer.allowedIps.map(formatPrefix).join(', ')}`.trimEnd());
  const endpoint = peer.endpoint;
  if (endpoint?.kind === 'address') lines.push(`Endpoint = ${formatEndpoint(endpoint.record, 0, zoneName)}`);
  if (endpoint?.kind === 'name') lines.push(`Endpoint = ${endpoint.host}:${endpoint.port}`);
  if (peer.persistentKeepalive !== 0) lines.push(`PersistentKeepalive = ${peer.persistentKeepalive}`);
  if (peer.reach !== undefined) lines.push(...peerReachLines(peer.reach));
  return lines;
}
