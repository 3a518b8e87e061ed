import type { PeerConfig, TunnelConfig } from '../../src/config/tunnel-config.js';
import { formatAddress } from '../../src/packet/address.js';
import { endpointAddressOffset, endpointFamily, FAMILY_IPV4 } from '../../src/packet/endpoint.js';
import { interfaceSettings } from './platform/interface-settings.js';
import type { InterfaceSettings } from './platform/tunnel.js';

/** Largest IP packet; what the device must carry where nobody has said what the MTU will be. */
const MAX_PACKET = 65_535;
const USUAL_PACKET = 1500;

/** What an interface has that will be configured by others (wg-quick, ip). */
const BARE_INTERFACE: InterfaceSettings = {
  addresses: [],
  mtu: undefined,
  table: 'off',
  dns: [],
  dnsSearch: [],
  preUp: [],
  postUp: [],
  preDown: [],
  postDown: [],
  routes: [],
  endpoints: [],
  fwmark: 0,
};

/** The interface of a configuration and of the addresses that its endpoints' names turned out to be. */
export function tunnelSettings(
  config: TunnelConfig | undefined,
  resolved: ReadonlyMap<PeerConfig, Uint8Array>,
): InterfaceSettings {
  const settings = config ? interfaceSettings(config) : BARE_INTERFACE;
  return { ...settings, endpoints: [...settings.endpoints, ...Array.from(resolved.values(), addressText)] };
}

/** Bytes of the largest packet that the device must be ready for. */
export function packetSize(config: TunnelConfig | undefined): number {
  const mtu = config?.interface.mtu;
  return mtu === undefined ? MAX_PACKET : Math.max(mtu, USUAL_PACKET);
}

function addressText(record: Uint8Array): string {
  const length = endpointFamily(record, 0) === FAMILY_IPV4 ? 4 : 16;
  return formatAddress(record, endpointAddressOffset(0), length);
}
