/** What the tunnel should be: the tenant's network, and beside it the control plane's peer. */

import type { Enrolment } from '../identity/enrolment.js';
import type { ControlPeer } from './control-peer.js';
import type { NetworkPeer, NetworkState } from './network-state.js';

/** A site's key is never the control plane's: a server that says so gets its way for the site alone. */
export function peersOf(sites: Iterable<NetworkPeer>, control: ControlPeer): readonly NetworkPeer[] {
  const peers = [...sites];
  const { peer } = control;
  if (peer && !peers.some(({ publicKey }) => publicKey === peer.publicKey)) peers.push(peer);
  return peers;
}

/** As the enrolment said until the network is known. */
export function addressesOf(
  enrolment: Enrolment,
  network: NetworkState,
  control: ControlPeer,
): readonly string[] {
  const own = network.address.length > 0 ? network.address : enrolment.address;
  return control.address === undefined ? own : [...own, control.address];
}

export function prefixesOf(
  enrolment: Enrolment,
  network: NetworkState,
  control: ControlPeer,
): readonly string[] {
  const own = network.tenantCidr.length > 0 ? network.tenantCidr : enrolment.tenantCidr;
  return [...own, ...(control.peer?.allowedIps ?? [])];
}
