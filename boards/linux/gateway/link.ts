/**
 * The interface around the tunnel, as wg-quick sets it up: addresses, MTU, up, routes to the AllowedIPs, hooks. The
 * interface takes addresses and routes with it when it goes; what is left is on the undo list.
 */

import type { InterfaceConfig, TunnelConfig } from '../../../src/config/tunnel-config.js';
import { formatPrefix, type Prefix } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import { planRoutes, type RoutePlan } from '../../../src/router/routes.js';
import { runScript } from '../drivers/command.js';
import { addAddress, changeRoute, interfaceIndex, routeMtu, setLink } from '../drivers/netlink.js';
import { EEXIST, ENODEV, SystemError } from '../drivers/system-error.js';
import { DefaultRoute, freeTable } from './default-route.js';
import { setDns } from './dns.js';
import { EXIT, GatewayError } from './gateway-error.js';
import type { UndoList } from './undo.js';

/** IPv6 header 40, UDP header 8, WireGuard's header 16 and tag 16. */
const TUNNEL_OVERHEAD = 80;
const ETHERNET_MTU = 1500;
/** Loopback's MTU says nothing about where a packet goes from there. */
const LARGEST_LINK = 65_535;

type Hook = 'preUp' | 'postUp' | 'preDown';

export class Link {
  readonly #name: string;
  readonly #settings: InterfaceConfig;
  readonly #log: Log;
  readonly #setMark: (mark: number) => void;
  readonly #undo: UndoList;
  readonly #defaults = new Map<4 | 6, DefaultRoute>();
  #up = false;
  #index = 0;
  #mark: number;
  #plan: RoutePlan = { routes: [], defaults: [], table: undefined };

  /** `setMark` marks the tunnel's own datagrams; called when a default route needs it. */
  constructor(name: string, config: TunnelConfig, setMark: (mark: number) => void, undo: UndoList, log: Log) {
    this.#name = name;
    this.#settings = config.interface;
    this.#mark = config.interface.fwMark;
    this.#setMark = setMark;
    this.#undo = undo;
    this.#log = log;
  }

  /** Before the interface exists. Throws a {@link GatewayError} when a hook fails. */
  preUp(): void {
    this.#hooks('preUp', true);
  }

  /** Sets everything up; the MTU in bytes. Throws a {@link GatewayError} or {@link SystemError}. */
  configure(config: TunnelConfig): number {
    this.#find();
    for (const address of this.#settings.addresses) {
      const result = addAddress(this.#index, address.address, address.prefixLength);
      if (result < 0) throw new SystemError(`cannot set the address ${formatPrefix(address)}`, -result);
    }
    const mtu = this.#settings.mtu ?? measureMtu(config);
    this.#setLink(mtu, true);
    setDns(this.#name, this.#settings, this.#undo, this.#log);
    this.setRoutes(config.peers.flatMap((peer) => peer.allowedIps));
    this.#hooks('postUp', true);
    // After a crash, too: what PostUp did expects it.
    for (const script of [...this.#settings.postDown].reverse()) {
      this.#undo.addLast({ kind: 'hook', script, interfaceName: this.#name });
    }
    this.#up = true;
    return mtu;
  }

  /** For others to configure: the usual MTU, and nothing else; the MTU in bytes. Throws a {@link SystemError}. */
  leaveToOthers(): number {
    this.#find();
    const mtu = ETHERNET_MTU - TUNNEL_OVERHEAD;
    this.#setLink(mtu, false);
    return mtu;
  }

  /** Adds what is new and deletes what is gone. */
  setRoutes(allowedIps: readonly Prefix[]): void {
    const next = planRoutes(allowedIps, this.#settings.addresses, this.#settings.table);
    const before = this.#plan;
    const had = new Set(before.routes.map(formatPrefix));
    const wanted = new Set(next.routes.map(formatPrefix));
    this.#plan = next;
    for (const route of before.routes) if (!wanted.has(formatPrefix(route))) this.#route(false, route, next);
    for (const route of next.routes) if (!had.has(formatPrefix(route))) this.#route(true, route, next);
    for (const [family, route] of this.#defaults) {
      if (next.defaults.includes(family)) continue;
      route.remove(true);
      this.#defaults.delete(family);
    }
    for (const family of next.defaults) if (!this.#defaults.has(family)) this.#addDefaultRoute(family);
  }

  /** While the interface still is. Failures are logged: nothing keeps a tunnel from going down. */
  preDown(): void {
    if (this.#up) this.#hooks('preDown', false);
    for (const route of this.#defaults.values()) route.remove(false);
    this.#defaults.clear();
    this.#undo.runBeforeHooks();
  }

  /** When the interface is gone. */
  postDown(): void {
    this.#undo.run();
  }

  #find(): void {
    this.#index = interfaceIndex(this.#name);
    if (this.#index === 0) throw new SystemError(`cannot find the interface ${this.#name}`, ENODEV);
  }

  #setLink(mtu: number, up: boolean): void {
    const result = setLink(this.#index, mtu, up);
    if (result < 0) throw new SystemError(`cannot bring ${this.#name} up with MTU ${mtu}`, -result);
  }

  #route(adding: boolean, route: Prefix, plan: RoutePlan): void {
    const { address, prefixLength } = route;
    const result = changeRoute(adding, this.#index, address, prefixLength, plan.table ?? 0);
    if (result >= 0 || !adding) return;
    if (result === -EEXIST) {
      const why = 'another interface has this very route; take it out of AllowedIPs or set Table = off';
      throw new GatewayError(EXIT.system, `cannot set the route ${formatPrefix(route)}: ${why}`);
    }
    throw new SystemError(`cannot set the route ${formatPrefix(route)}`, -result);
  }

  #addDefaultRoute(family: 4 | 6): void {
    if (this.#mark === 0) this.#mark = freeTable();
    this.#setMark(this.#mark);
    const { addresses } = this.#settings;
    const route = new DefaultRoute(
      this.#name,
      this.#index,
      family,
      this.#mark,
      addresses,
      this.#undo,
      this.#log,
    );
    this.#defaults.set(family, route);
  }

  #hooks(hook: Hook, must: boolean): void {
    for (const script of this.#settings[hook]) {
      const reason = runScript(script.replaceAll('%i', this.#name));
      if (reason === undefined) continue;
      // The script itself may hold a secret.
      if (must) throw new GatewayError(EXIT.system, `a ${nameOf(hook)} command failed: ${reason}`);
      this.#log.write('warn', 'hook-failed', { hook: nameOf(hook), reason });
    }
  }
}

/** The greatest MTU among the routes to the endpoints, else Ethernet's, less the overhead. */
function measureMtu(config: TunnelConfig): number {
  let greatest = 0;
  for (const { endpoint } of config.peers) {
    if (endpoint?.kind !== 'address') continue;
    const mtu = routeMtu(endpoint.record);
    if (mtu < LARGEST_LINK) greatest = Math.max(greatest, mtu);
  }
  return (greatest || ETHERNET_MTU) - TUNNEL_OVERHEAD;
}

function nameOf(hook: Hook): string {
  return hook[0].toUpperCase() + hook.slice(1);
}
