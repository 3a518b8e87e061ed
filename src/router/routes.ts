/** Which routes an interface needs for its peers' AllowedIPs. Nothing here touches the system. */

import type { InterfaceConfig } from '../config/tunnel-config.js';
import { formatPrefix, type Prefix, prefixContains } from '../packet/address.js';

/** Linux's number of the table `main`. */
export const MAIN_TABLE = 254;

export interface RoutePlan {
  /** Ordinary routes to the interface, longest prefix first. */
  readonly routes: readonly Prefix[];
  /** Families whose whole address space goes through the tunnel, which takes policy routing. */
  readonly defaults: readonly (4 | 6)[];
  /** The table the ordinary routes go to; `undefined` is the main one. */
  readonly table: number | undefined;
}

/**
 * `table` is the value of wg-quick's `Table`: with `off` there are no routes, with `auto` a default
 * route is kept apart, with a number all of them, default or not, go to that table as they are.
 */
export function planRoutes(
  allowedIps: readonly Prefix[],
  addresses: readonly Prefix[],
  table: InterfaceConfig['table'],
): RoutePlan {
  if (table === 'off') return { routes: [], defaults: [], table: undefined };
  const own = table === 'auto' ? undefined : table;
  // The kernel makes the route of an address's own network by itself, in the main table.
  const connected = own === undefined || own === MAIN_TABLE ? addresses : [];
  const routes: Prefix[] = [];
  const seen = new Set<string>();
  const defaults = new Set<4 | 6>();
  const sorted = [...allowedIps].sort((a, b) => b.prefixLength - a.prefixLength);
  for (const prefix of sorted) {
    if (prefix.prefixLength === 0 && own === undefined) defaults.add(familyOf(prefix));
    else if (!seen.has(formatPrefix(prefix)) && !connected.some((network) => isWithin(prefix, network))) {
      seen.add(formatPrefix(prefix));
      routes.push(prefix);
    }
  }
  return { routes, defaults: [...defaults].sort(), table: own };
}

export function familyOf(prefix: Prefix): 4 | 6 {
  return prefix.address.length === 4 ? 4 : 6;
}

function isWithin(inner: Prefix, outer: Prefix): boolean {
  return outer.prefixLength <= inner.prefixLength && prefixContains(outer, inner.address);
}
