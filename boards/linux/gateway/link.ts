/**
 * The interface around the tunnel, as wg-quick sets it up: addresses, MTU, up, routes to the AllowedIPs, hooks. The
 * interface takes addresses and routes with it when it goes; what is left (policy rules) is taken back here.
 */

import type { InterfaceConfig, TunnelConfig } from '../../../src/config/tunnel-config.js';
import { formatPrefix, type Prefix } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import { planRoutes, type RoutePlan } from '../../../src/router/routes.js';
import { readText, writeText } from '../drivers/files.js';
import {
  addAddress,
  bringUp,
  changeRoute,
  changeRule,
  interfaceIndex,
  routeMtu,
} from '../drivers/netlink.js';
import { runShell } from '../drivers/process.js';
import { EEXIST, ENODEV, errorText, SystemError } from '../drivers/system-error.js';
import { EXIT, GatewayError } from './gateway-error.js';

/** IPv6 header 40, UDP header 8, WireGuard's header 16 and tag 16. */
const TUNNEL_OVERHEAD = 80;
const ETHERNET_MTU = 1500;
/** Loopback's MTU says nothing about where a packet goes from there. */
const LARGEST_LINK = 65_535;
/** Mark and table of a default route when the configuration names none: WireGuard's usual port, as wg-quick does. */
const DEFAULT_MARK = 51_820;
/** Before the kernel's own rule for the main table (32766), behind everything set by hand. */
const RULE_PREFERENCE = 32_765;
const MAIN_TABLE = 254;
const SRC_VALID_MARK = '/proc/sys/net/ipv4/conf/all/src_valid_mark';

type Hook = 'preUp' | 'postUp' | 'preDown' | 'postDown';

export class Link {
  readonly #name: string;
  readonly #settings: InterfaceConfig;
  readonly #log: Log;
  readonly #setMark: (mark: number) => void;
  #index = 0;
  #mark: number;
  #plan: RoutePlan = { routes: [], defaults: [], table: undefined };

  /** `setMark` marks the tunnel's own datagrams; called when a default route needs it. */
  constructor(name: string, config: TunnelConfig, setMark: (mark: number) => void, log: Log) {
    this.#name = name;
    this.#settings = config.interface;
    this.#mark = config.interface.fwMark;
    this.#setMark = setMark;
    this.#log = log;
  }

  /** Before the interface exists. Throws a {@link GatewayError} when a hook fails. */
  preUp(): void {
    this.#hooks('preUp', true);
  }

  /** Sets everything up; the MTU in bytes. Throws a {@link GatewayError} or {@link SystemError}. */
  configure(config: TunnelConfig): number {
    this.#index = interfaceIndex(this.#name);
    if (this.#index === 0) throw new SystemError(`cannot find the interface ${this.#name}`, ENODEV);
    for (const address of this.#settings.addresses) {
      const result = addAddress(this.#index, address.address, address.prefixLength);
      if (result < 0) throw new SystemError(`cannot set the address ${formatPrefix(address)}`, -result);
    }
    const mtu = this.#settings.mtu ?? measureMtu(config);
    const result = bringUp(this.#index, mtu);
    if (result < 0) throw new SystemError(`cannot bring ${this.#name} up with MTU ${mtu}`, -result);
    if (this.#settings.dnsServers.length > 0) {
      const reason = 'name servers are not set by this build; do it in PostUp, as with resolvectl';
      this.#log.write('warn', 'dns-not-set', { reason });
    }
    this.setRoutes(config.peers.flatMap((peer) => peer.allowedIps));
    this.#hooks('postUp', true);
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
    for (const family of before.defaults)
      if (!next.defaults.includes(family)) this.#defaultRoute(false, family);
    for (const family of next.defaults)
      if (!before.defaults.includes(family)) this.#defaultRoute(true, family);
  }

  /** While the interface still is. Failures are logged: nothing keeps a tunnel from going down. */
  preDown(): void {
    this.#hooks('preDown', false);
    for (const family of this.#plan.defaults) this.#rules(false, family);
    this.#plan = { routes: [], defaults: [], table: undefined };
  }

  /** When the interface is gone. */
  postDown(): void {
    this.#hooks('postDown', false);
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

  /** Everything without the mark goes through the tunnel, but for what the main table knows more exactly. */
  #defaultRoute(adding: boolean, family: 4 | 6): void {
    if (this.#mark === 0) this.#mark = DEFAULT_MARK;
    const everything = new Uint8Array(family === 4 ? 4 : 16);
    if (adding) {
      this.#setMark(this.#mark);
      if (family === 4) this.#acceptMarkedReplies();
    }
    const result = changeRoute(adding, this.#index, everything, 0, this.#mark);
    if (adding && result < 0)
      throw new SystemError(`cannot set the default route of table ${this.#mark}`, -result);
    this.#rules(adding, family);
  }

  #rules(adding: boolean, family: 4 | 6): void {
    const results = [
      changeRule(adding, family, RULE_PREFERENCE, this.#mark, this.#mark),
      changeRule(adding, family, RULE_PREFERENCE - 1, MAIN_TABLE, 0),
    ];
    for (const result of results) {
      if (result >= 0) continue;
      if (adding) throw new SystemError('cannot set the policy rules of a default route', -result);
      this.#log.write('warn', 'rule-not-removed', { reason: errorText(-result) });
    }
  }

  /** The reverse-path check looks at a reply's mark only when this is on. It stays on: others may rely on it by then. */
  #acceptMarkedReplies(): void {
    if (readText(SRC_VALID_MARK, 16) === '1\n') return;
    const result = writeText(SRC_VALID_MARK, '1');
    if (result < 0) this.#log.write('warn', 'src-valid-mark-not-set', { reason: errorText(-result) });
  }

  #hooks(hook: Hook, must: boolean): void {
    for (const script of this.#settings[hook]) {
      const status = runShell(script.replaceAll('%i', this.#name));
      if (status === 0) continue;
      const reason = status < 0 ? errorText(-status) : `it ended with ${status}`;
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
