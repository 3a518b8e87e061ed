import type { ControlStatus } from '../../src/gateway/control-status.js';
import * as portable from '../../src/gateway/status.js';
import type { Device } from '../../src/wireguard/device.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { zoneName } from './udp-addresses.js';

export { type PeerView, STATUS_OPERATION } from '../../src/gateway/status.js';

export interface GatewayStatus extends portable.GatewayStatus {
  /** Of a gateway that a control plane configures. */
  readonly control?: ControlStatus;
}

/** With the zones of this host. */
export function peerView(
  peer: Peer,
  device: Device,
  now: number,
  detail: (peer: Peer) => string | undefined,
): portable.PeerView {
  return portable.peerView(peer, device, now, detail, zoneName);
}
