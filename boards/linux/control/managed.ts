/** The control side of a running gateway on Linux: who the agent talks to, and what it may do to the interface. */

import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { LARGEST_MESSAGE_BYTES } from '../../../src/control/messages.js';
import { StreamLinks } from '../../../src/control/stream/stream-links.js';
import { ManagedGateway, type ManagedInterface } from '../../../src/gateway/managed-gateway.js';
import { Login } from '../../../src/identity/login.js';
import { formatPrefix, type Prefix } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
import { VERSION } from '../../xs/version.js';
import { residentMemory } from '../drivers/machine.js';
import { addAddress, interfaceIndex, removeAddress, setLink } from '../drivers/netlink.js';
import { EEXIST, errorText } from '../drivers/system-error.js';
import { EXIT, GatewayError } from '../gateway/gateway-error.js';
import type { Link } from '../gateway/link.js';
import { connectorOf, httpOf, identityOf, type Services, timerOf } from './services.js';

export interface ManagedOptions {
  readonly name: string;
  readonly stateDirectory: string;
  readonly endpoint: string | undefined;
  readonly tunnelFirst: boolean;
}

/** Throws a {@link GatewayError} when there is no enrolment, and what the store throws. */
export function openManaged(options: ManagedOptions, services: Services): ManagedGateway {
  const { primitives, clock, log } = services;
  const identity = identityOf(services, options.stateDirectory, options.name);
  const { enrolment, pins, keys } = identity;
  if (!enrolment) {
    throw new GatewayError(EXIT.configuration, 'this gateway is not enrolled; run "enrol <claim>" first');
  }
  const insideTunnel = (url: string): boolean => {
    const origin = managed.agent.controlPeer.route?.tunnel;
    return origin !== undefined && url.startsWith(`${origin}/`);
  };
  const timer = timerOf(services);
  const managed: ManagedGateway = new ManagedGateway({
    identity,
    enrolment,
    primitives,
    clock,
    timer: timer(),
    links: new StreamLinks({
      identity: enrolment,
      connector: connectorOf(services, pins),
      primitives,
      timer,
    }),
    credentials: new Login(primitives, clock, httpOf(services, pins, insideTunnel), enrolment, keys.identity),
    firmware: `cloudbridge-gateway/${VERSION} xs-linux`,
    memory: residentMemory,
    endpoint: options.endpoint,
    mostBytes: LARGEST_MESSAGE_BYTES,
    keepWithin: 0,
    tunnelFirst: options.tunnelFirst,
    log,
  });
  return managed;
}

/** The interface of a running gateway, for the agent. */
export class LinuxInterface implements ManagedInterface {
  readonly #index: number;
  readonly #usualMtu: number;
  readonly #device: Device;
  readonly #link: Link;
  readonly #log: Log;
  #addresses: readonly Prefix[];

  /** The interface is configured as `config` says. */
  constructor(name: string, config: TunnelConfig, device: Device, link: Link, log: Log) {
    this.#index = interfaceIndex(name);
    this.#addresses = config.interface.addresses;
    this.#usualMtu = device.mtu;
    this.#device = device;
    this.#link = link;
    this.#log = log;
  }

  setMtu(mtu: number | undefined): void {
    const bytes = mtu ?? this.#usualMtu;
    const result = setLink(this.#index, bytes, false);
    if (result < 0) this.#log.write('error', 'mtu-not-set', { reason: errorText(-result) });
    else this.#device.mtu = bytes;
  }

  setNetwork(addresses: readonly Prefix[], routes: readonly Prefix[]): boolean {
    const before = this.#addresses;
    this.#addresses = addresses;
    const had = new Set(before.map(formatPrefix));
    const wanted = new Set(addresses.map(formatPrefix));
    let good = true;
    // First the new one: the kernel gives the old one's packets to it.
    for (const prefix of addresses) if (!had.has(formatPrefix(prefix))) good = this.#add(prefix) && good;
    for (const prefix of before) {
      if (!wanted.has(formatPrefix(prefix))) removeAddress(this.#index, prefix.address, prefix.prefixLength);
    }
    try {
      this.#link.setRoutes(routes);
    } catch (error) {
      this.#log.write('error', 'routes-not-set', { reason: String(error) });
      return false;
    }
    return good;
  }

  #add(prefix: Prefix): boolean {
    const result = addAddress(this.#index, prefix.address, prefix.prefixLength);
    if (result >= 0 || result === -EEXIST) return true;
    this.#log.write('error', 'address-not-set', { reason: errorText(-result) });
    return false;
  }
}
