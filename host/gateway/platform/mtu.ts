/** The inner MTU when the configuration names none. */

import { readFileSync } from 'node:fs';
import { run } from './command.js';

/** IPv6 header 40, UDP header 8, WireGuard's header 16 and tag 16: the most a packet grows by on its way. */
export const TUNNEL_OVERHEAD = 80;
/** Ethernet's payload less the overhead; also wireguard-go's default. */
export const DEFAULT_MTU = 1420;
const ETHERNET_MTU = 1500;
const LOOPBACK = 'lo';

/**
 * As wg-quick: the greatest MTU among the routes to the endpoints, else that of the default route, else Ethernet's,
 * less the overhead. Loopback does not count: its 65,536 bytes say nothing about where a packet goes from there, and
 * every reader would need buffers for them. Must be asked before the tunnel's own routes are set.
 */
export async function measureMtu(endpoints: readonly string[]): Promise<number> {
  let greatest = 0;
  for (const endpoint of endpoints) {
    greatest = Math.max(greatest, await mtuOf(['route', 'get', endpoint]));
  }
  if (greatest === 0) greatest = await mtuOf(['route', 'show', 'default']);
  return (greatest || ETHERNET_MTU) - TUNNEL_OVERHEAD;
}

/** The first route that `ip` answers with: its own MTU, else its link's; 0 when there is none. */
async function mtuOf(query: readonly string[]): Promise<number> {
  let answer: string;
  try {
    answer = await run('ip', query);
  } catch {
    // No route there now: nothing to learn from this endpoint.
    return 0;
  }
  const route = answer.split('\n', 1)[0];
  const own = / mtu (?:lock )?(\d+)/.exec(route);
  if (own !== null) return Number(own[1]);
  const device = / dev (\S+)/.exec(route);
  return device === null || device[1] === LOOPBACK ? 0 : linkMtu(device[1]);
}

/** A link's MTU in bytes; 0 when there is no such link. */
export async function linkMtu(name: string): Promise<number> {
  try {
    const mtu = / mtu (\d+)/.exec(await run('ip', ['link', 'show', 'dev', name]));
    return mtu === null ? 0 : Number(mtu[1]);
  } catch {
    return 0;
  }
}

/** How often an interface's MTU is looked at, in ms: operators change it with `ip link set mtu`. */
const WATCH_INTERVAL = 5_000;

/** Calls back whenever the MTU changes. Returns the function that ends the watch. */
export function watchMtu(name: string, changed: (mtu: number) => void): () => void {
  let last = 0;
  const timer = setInterval(async () => {
    const mtu = ipv6Mtu(name) ?? (await linkMtu(name));
    if (mtu === 0 || mtu === last) return;
    last = mtu;
    changed(mtu);
  }, WATCH_INTERVAL).unref();
  return () => clearInterval(timer);
}

/** Without a process of `ip`: IPv6's own MTU follows the link's. Unknown when IPv6 is off or the MTU below 1280. */
function ipv6Mtu(name: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv6/conf/${name}/mtu`, 'latin1'));
  } catch {
    return undefined;
  }
}
