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

/** Endpoints that were set from afar come before those of the enrolment, which always stay as a way back. */
export function routesOf(enrolled: readonly Route[], configured: readonly string[] = []): readonly Route[] {
  const routes: Route[] = [];
  for (const url of configured) {
    const kind = routeKind(url);
    if (kind !== undefined) routes.push({ kind, url });
  }
  const own = [...enrolled].sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
  for (const route of own) if (!routes.some(({ url }) => url === route.url)) routes.push(route);
  return routes;
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
