/** What `get=1` of the userspace API tells of a device. */

import { bytesToHex } from '../crypto/key-text.js';
import { KEY_BYTES } from '../crypto/primitives.js';
import { formatPrefix } from '../packet/address.js';
import { formatEndpoint } from '../packet/endpoint-text.js';
import type { Device } from './device.js';
import type { Peer } from './peer.js';
import type { UapiHost, UapiOutput } from './uapi-host.js';

/** How the protocol writes "no preshared key". */
const NO_KEY = '0'.repeat(KEY_BYTES * 2);

/** Writes the device and each of its peers, peer by peer, so that ten thousand make no single text. */
export function describeDevice(device: Device, host: UapiHost, output: UapiOutput): void {
  host.refresh?.();
  let text = '';
  if (device.privateKey !== undefined) text += `private_key=${bytesToHex(device.privateKey)}\n`;
  if (host.listenPort !== 0) text += `listen_port=${host.listenPort}\n`;
  if (host.fwmark !== 0) text += `fwmark=${host.fwmark}\n`;
  output.write(text);
  for (const peer of device.peers()) output.write(describePeer(device, host, peer));
}

function describePeer(device: Device, host: UapiHost, peer: Peer): string {
  const endpoint = formatEndpoint(peer.endpoint, 0, host.zoneName);
  const handshake = peer.lastHandshakeWall;
  const seconds = Math.floor(handshake / 1000);
  const nanoseconds = Math.floor((handshake - seconds * 1000) * 1_000_000);
  const psk = peer.presharedKey === undefined ? NO_KEY : bytesToHex(peer.presharedKey);
  let text = `public_key=${bytesToHex(peer.publicKey)}\npreshared_key=${psk}\n`;
  text += 'protocol_version=1\n';
  if (endpoint !== '') text += `endpoint=${endpoint}\n`;
  text += `last_handshake_time_sec=${seconds}\nlast_handshake_time_nsec=${nanoseconds}\n`;
  text += `tx_bytes=${peer.txBytes}\nrx_bytes=${peer.rxBytes}\n`;
  text += `persistent_keepalive_interval=${peer.persistentKeepalive}\n`;
  for (const prefix of device.allowedIps.entries(peer)) text += `allowed_ip=${formatPrefix(prefix)}\n`;
  return text;
}
