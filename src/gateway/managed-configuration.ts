/** What the interface of an enrolled gateway is made of before the control plane was heard. */

import type { TunnelConfig } from '../config/tunnel-config.js';
import type { ControlAgent } from '../control/agent.js';
import { parseInterfaceAddress } from '../packet/address.js';

/** The last good network, without its peers: they come with `NetworkApplier`. */
export function managedConfiguration(agent: ControlAgent, listenPort: number): TunnelConfig {
  const { rotation, configuration, tunnelAddresses } = agent;
  return {
    interface: {
      privateKey: rotation.keys.using.privateKey.slice(),
      listenPort,
      addresses: tunnelAddresses.map((text) => parseInterfaceAddress(text)!),
      mtu: configuration.settings.mtu,
      dnsServers: [],
      dnsSearch: [],
      table: 'auto',
      fwMark: 0,
      preUp: [],
      postUp: [],
      preDown: [],
      postDown: [],
    },
    peers: [],
  };
}
