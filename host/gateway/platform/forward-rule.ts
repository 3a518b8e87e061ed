import type { Expose, Forward } from '../../../src/config/forwards.js';
import { formatAddress } from '../../../src/packet/address.js';
import {
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
} from '../../../src/packet/endpoint.js';

/** A port to listen at or to connect to; the address is text, as Node's sockets take it. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** One forward: datagrams or connections that arrive at `listen` are carried to `target`. */
export interface ForwardRule {
  readonly protocol: 'tcp' | 'udp';
  readonly listen: SocketAddress;
  readonly target: SocketAddress;
}

export function forwardRule(forward: Forward): ForwardRule {
  const { protocol, listen, target } = forward;
  return { protocol, listen: socketAddress(listen), target: socketAddress(target) };
}

/** An expose listens at every address of the tunnel, and only there: not on the host's other links. */
export function exposeRules(expose: Expose, tunnelAddresses: readonly string[]): ForwardRule[] {
  const target = socketAddress(expose.target);
  return tunnelAddresses.map((host) => ({
    protocol: expose.protocol,
    listen: { host, port: expose.port },
    target,
  }));
}

function socketAddress(record: Uint8Array): SocketAddress {
  const at = endpointAddressOffset(0);
  const bytes = endpointFamily(record, 0) === FAMILY_IPV4 ? 4 : 16;
  return { host: formatAddress(record, at, bytes), port: endpointPort(record, 0) };
}

/** `[::1]:80`, `10.0.0.1:80`. */
export function addressText(address: SocketAddress): string {
  const { host, port } = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** As logs and errors name a rule: `tcp:127.0.0.1:8080=10.0.0.2:80`. */
export function ruleText(rule: ForwardRule): string {
  return `${rule.protocol}:${addressText(rule.listen)}=${addressText(rule.target)}`;
}
