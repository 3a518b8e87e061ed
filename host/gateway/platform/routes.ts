/** Which routes an interface needs for its peers' AllowedIPs. Nothing here touches the system. */

import { covers, type Prefix, parsePrefix } from './prefix.js';

export interface RoutePlan {
  /** Ordinary routes to the interface, longest prefix first. */
  readonly routes: readonly Prefix[];
  /** Families whose whole address space goes through the tunnel, which takes policy routing. */
  readonly defaults: readonly (4 | 6)[];
  /** The table the ordinary routes go to; `undefined` is the main one. */
  readonly table: string | undefined;
}

/**
 * `table` is the value of wg-quick's `Table`: with `off` there are no routes, with `auto` (or nothing) a default
 * route is kept apart, with anything else all of them, default or not, go to that table as they are.
 */
export function planRoutes(
  allowedIps: readonly string[],
  addresses: readonly string[],
  table: string,
): RoutePlan {
  if (table === 'off') return { routes: [], defaults: [], table: undefined };
  const own = table === '' || table === 'auto' ? undefined : table;
  // The kernel makes the route of an address's own network in the main table by itself.
  const connected = own === undefined ? addresses.map(parsePrefix) : [];
  const routes: Prefix[] = [];
  const defaults = new Set<4 | 6>();
  const sorted = allowedIps.map(parsePrefix).sort((a, b) => b.length - a.length);
  for (const prefix of sorted) {
    if (prefix.length === 0 && own === undefined) defaults.add(prefix.family);
    else if (!connected.some((network) => covers(network, prefix)) && !routes.some((r) => same(r, prefix))) {
      routes.push(prefix);
    }
  }
  return { routes, defaults: [...defaults].sort(), table: own };
}

function same(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && covers(a, b);
}
