/** Which ways to the control plane there are, in the order they are tried. */

import type { LinkKind, Route } from './link.js';

const SCHEMES: Readonly<Record<string, LinkKind>> = Object.freeze({
  wss: 'websocket',
  ws: 'websocket',
  mqtts: 'mqtt',
  mqtt: 'mqtt',
  https: 'event-stream',
  http: 'event-stream',
});

/** Those that may leave this machine. */
const SECURE: readonly string[] = Object.freeze(['wss', 'mqtts', 'https']);

/** The seed's fallback: WebSocket or MQTT first, then an event stream, then polling. */
const ORDER: Readonly<Record<LinkKind, number>> = Object.freeze({
  websocket: 0,
  mqtt: 0,
  'event-stream': 1,
  polling: 2,
});

/** In the place of a URL: the control plane's address inside the tunnel. */
export const IN_TUNNEL = 'tunnel';

/** The way inside the tunnel, and where it stands when no setting says so. */
export interface TunnelRoute {
  readonly route: Route | undefined;
  /** Small boards have it first: no TLS on the chip. Otherwise it is the last resort. */
  readonly first: boolean;
}

const NO_TUNNEL: TunnelRoute = Object.freeze({ route: undefined, first: false });

/** Endpoints that were set from afar come before those of the enrolment, which always stay as a way back. */
export function routesOf(
  enrolled: readonly Route[],
  configured: readonly string[] = [],
  tunnel: TunnelRoute = NO_TUNNEL,
): readonly Route[] {
  const routes: Route[] = [];
  for (const url of configured) {
    const kind = routeKind(url);
    if (url === IN_TUNNEL && tunnel.route) routes.push(tunnel.route);
    else if (kind !== undefined) routes.push({ kind, url });
  }
  const own = [...enrolled].sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
  if (tunnel.route) own.splice(tunnel.first ? 0 : own.length, 0, tunnel.route);
  for (const route of own) if (!routes.some(({ url }) => url === route.url)) routes.push(route);
  return routes;
}

/** True when the route is one of those that a setting names. */
export function isNamed(route: Route | undefined, configured: readonly string[]): boolean {
  return route !== undefined && configured.includes(route.tunnel === undefined ? route.url : IN_TUNNEL);
}

/** True when a link of this route may be open: to this very machine, or inside the tunnel. */
export function mayBeOpen({ url, tunnel }: Route): boolean {
  return isLoopback(url) || (tunnel !== undefined && url.startsWith(tunnel.replace(/^http/, 'ws')));
}

/** Undefined when the URL's scheme is none of ours, or when it is an open one to another host than this. */
export function routeKind(url: string): LinkKind | undefined {
  const scheme = /^([a-z]+):\/\//.exec(url)?.[1] ?? '';
  const kind = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  return kind !== undefined && (SECURE.includes(scheme) || isLoopback(url)) ? kind : undefined;
}

/** True when the URL's host is this machine, by number: names can be pointed elsewhere. */
export function isLoopback(url: string): boolean {
  return /^[a-z]+:\/\/(127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])(:[0-9]{1,5})?(\/[^@]*)?$/.test(url);
}

export function sameRoutes(a: readonly Route[], b: readonly Route[]): boolean {
  return a.length === b.length && a.every((route, i) => route.url === b[i].url && route.kind === b[i].kind);
}
