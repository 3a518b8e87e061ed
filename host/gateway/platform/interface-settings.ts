import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { formatAddress } from '../../../src/packet/address.js';
import { endpointAddressOffset, endpointFamily, FAMILY_IPV4 } from '../../../src/packet/endpoint.js';
import type { InterfaceSettings } from './tunnel.js';

/** What the interface needs of a configuration. Peers given by name do not count towards the MTU. */
export function interfaceSettings(config: TunnelConfig): InterfaceSettings {
  const own = config.interface;
  const endpoints: string[] = [];
  for (const { endpoint } of config.peers) {
    if (endpoint?.kind !== 'address') continue;
    const bytes = endpointFamily(endpoint.record, 0) === FAMILY_IPV4 ? 4 : 16;
    endpoints.push(formatAddress(endpoint.record, endpointAddressOffset(0), bytes));
  }
  return {
    addresses: own.addresses,
    mtu: own.mtu,
    table: own.table,
    dns: own.dnsServers.map((server) => formatAddress(server)),
    dnsSearch: own.dnsSearch,
    preUp: own.preUp,
    postUp: own.postUp,
    preDown: own.preDown,
    postDown: own.postDown,
    routes: config.peers.flatMap((peer) => peer.allowedIps),
    endpoints,
    fwmark: own.fwMark,
  };
}
