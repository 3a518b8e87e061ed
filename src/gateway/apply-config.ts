import type { PeerConfig, PeerEndpoint, TunnelConfig } from '../config/tunnel-config.js';
import { equal } from '../crypto/constant-time.js';
import { formatPrefix } from '../packet/address.js';
import { sameEndpoint } from '../packet/endpoint.js';
import type { Device } from '../wireguard/device.js';
import type { Peer } from '../wireguard/peer.js';

/**
 * Brings a device in line with a configuration, as `wg syncconf` does: what did not change is not touched, so its
 * sessions live on. `before` is the configuration the device was last brought in line with; an endpoint that
 * changed neither in the file nor by its name stays where the peer has roamed to.
 */
export function applyConfig(
  device: Device,
  config: TunnelConfig,
  before: TunnelConfig | undefined,
  resolved: ReadonlyMap<PeerConfig, Uint8Array>,
): void {
  const { privateKey } = config.interface;
  const own = device.privateKey;
  if (own === undefined || !equal(own, privateKey)) device.setPrivateKey(privateKey);

  const wanted = new Map<Peer, PeerConfig>();
  for (const entry of config.peers) wanted.set(device.addPeer(entry.publicKey), entry);
  for (const peer of [...device.peers()]) if (!wanted.has(peer)) device.removePeer(peer);

  // First everything that goes, so that a prefix moving between peers is never without both.
  for (const [peer, entry] of wanted) dropStaleAllowedIps(device, peer, entry);
  for (const [peer, entry] of wanted) {
    for (const { address, prefixLength } of entry.allowedIps) {
      device.allowedIps.insert(address, prefixLength, peer);
    }
  }

  const old = new Map(before?.peers.map((entry) => [keyOf(entry.publicKey), entry]));
  for (const [peer, entry] of wanted) {
    const last = old.get(keyOf(entry.publicKey));
    applyEndpoint(peer, entry, last, resolved.get(entry));
    if (!samePresharedKey(peer.presharedKey, entry.presharedKey)) peer.presharedKey = entry.presharedKey;
    if (peer.persistentKeepalive !== entry.persistentKeepalive) {
      peer.persistentKeepalive = entry.persistentKeepalive;
    }
  }
}

function dropStaleAllowedIps(device: Device, peer: Peer, entry: PeerConfig): void {
  const kept = new Set(entry.allowedIps.map(formatPrefix));
  for (const prefix of device.allowedIps.entries(peer)) {
    if (!kept.has(formatPrefix(prefix))) device.allowedIps.remove(prefix.address, prefix.prefixLength, peer);
  }
}

function applyEndpoint(
  peer: Peer,
  entry: PeerConfig,
  last: PeerConfig | undefined,
  resolved: Uint8Array | undefined,
): void {
  const { endpoint } = entry;
  peer.endpointName = endpoint?.kind === 'name' ? { host: endpoint.host, port: endpoint.port } : undefined;
  if (last !== undefined && sameConfiguredEndpoint(endpoint, last.endpoint)) return;
  const record = endpoint?.kind === 'address' ? endpoint.record : resolved;
  if (record !== undefined) peer.setEndpoint(record, 0);
}

function sameConfiguredEndpoint(a: PeerEndpoint | undefined, b: PeerEndpoint | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'address') return b.kind === 'address' && sameEndpoint(a.record, 0, b.record, 0);
  return b.kind === 'name' && a.host === b.host && a.port === b.port;
}

function samePresharedKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equal(a, b);
}

/** Public keys only. */
function keyOf(publicKey: Uint8Array): string {
  return String.fromCharCode(...publicKey);
}
