/** The parts of a URL that our streams need (RFC 3986, without user names and fragments). */

import type { StreamTarget } from '../../ports.js';

export interface WebAddress extends StreamTarget {
  readonly scheme: string;
  /** `host[:port]` as in the URL: what a `Host` header holds. */
  readonly authority: string;
  /** Path and query, beginning with `/`. */
  readonly path: string;
}

/** Ports by scheme (RFC 9110 sections 4.2.1 and 4.2.2, RFC 6455 section 3, IANA for MQTT). */
const PORTS: Readonly<Record<string, number>> = Object.freeze({
  http: 80,
  https: 443,
  ws: 80,
  wss: 443,
  mqtt: 1883,
  mqtts: 8883,
});

const SECURE: readonly string[] = Object.freeze(['https', 'wss', 'mqtts']);

/** Undefined when the text is no URL of ours. */
export function parseWebAddress(text: string): WebAddress | undefined {
  const parts = /^([a-z]+):\/\/(\[[0-9a-fA-F:.]+\]|[^/?#@:[\]\s]+)(?::([0-9]{1,5}))?([/?][^#\s]*)?$/.exec(
    text,
  );
  if (!parts) return undefined;
  const [, scheme, host, portText, rest = '/'] = parts;
  if (!Object.hasOwn(PORTS, scheme)) return undefined;
  const port = portText === undefined ? PORTS[scheme] : Number(portText);
  if (port < 1 || port > 65_535) return undefined;
  return {
    scheme,
    secure: SECURE.includes(scheme),
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port,
    authority: portText === undefined ? host : `${host}:${portText}`,
    path: rest.startsWith('/') ? rest : `/${rest}`,
  };
}
