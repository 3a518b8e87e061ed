import * as portable from '../../src/gateway/status.js';
import type { PeerPath } from '../../src/transport/path.js';
import type { Device } from '../../src/wireguard/device.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { zoneName } from './udp-addresses.js';

export { type GatewayStatus, type PeerView, STATUS_OPERATION } from '../../src/gateway/status.js';

/** With the zones of this host. */
export function peerView(
  peer: Peer,
  device: Device,
  now: number,
  detail: (peer: Peer) => string | undefined,
  path?: PeerPath,
): portable.PeerView {
  return portable.peerView(peer, device, now, detail, zoneName, path);
}
