/** Which targets a relay forwards to: what its list names, less what is forbidden; by address, never by name. */

import {
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  parseDecimal,
  parsePrefix,
  prefixContains,
} from '../../src/packet/address.js';
import { MEETING_SUFFIX } from '../../src/transport/relay-access.js';
import { forbidden } from './forbidden-addresses.js';

export interface TargetRule {
  readonly prefix: Prefix;
  readonly fromPort: number;
  readonly toPort: number;
}

export type Target =
  /** `host` is the address in its one canonical spelling. */
  | { readonly kind: 'udp'; readonly host: string; readonly family: 4 | 6; readonly port: number }
  /** Another gateway of the tenant, by its name. */
  | { readonly kind: 'meeting'; readonly name: string };

export type TargetAnswer =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly status: 400 | 403 | 404; readonly reason: string };

/** RFC 9298 section 2, the default template. Nothing is decoded twice, and nothing but its two variables varies. */
const PATH = /^\/\.well-known\/masque\/udp\/([^/?#]{1,300})\/([0-9]{1,5})\/?$/;
/** What the control plane names gateways by. */
const GATEWAY_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** `PREFIX`, `PREFIX:PORT` or `PREFIX:PORT-PORT`, IPv6 in brackets where a port follows; undefined: malformed. */
export function parseTargetRule(text: string): TargetRule | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)|([0-9a-fA-F:./]+))(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?$/.exec(
    text,
  );
  if (!match) return undefined;
  const [, bracketed, plain, ipv6, from, to] = match;
  const prefix = parsePrefix(bracketed ?? plain ?? ipv6 ?? '');
  const fromPort = from === undefined ? 1 : Number(from);
  const toPort = to === undefined ? (from === undefined ? 65_535 : fromPort) : Number(to);
  if (!prefix || fromPort < 1 || toPort > 65_535 || fromPort > toPort) return undefined;
  return { prefix, fromPort, toPort };
}

export function formatTargetRule({ prefix, fromPort, toPort }: TargetRule): string {
  const address = formatPrefix(prefix);
  return `${address.includes(':') ? `[${address}]` : address}:${fromPort}-${toPort}`;
}

export class Targets {
  readonly #rules: readonly TargetRule[];
  readonly #own: ReadonlySet<string>;

  /** `own`: addresses of the relay itself, which are refused like loopback, in canonical spelling. */
  constructor(rules: readonly TargetRule[], own: readonly string[] = []) {
    this.#rules = rules;
    this.#own = new Set(own);
  }

  /** Judges the path of a request. */
  judge(path: string): TargetAnswer {
    const match = PATH.exec(path);
    if (!match) return refuse(404, 'there is nothing at this path');
    const host = decodeOnce(match[1]);
    const port = parseDecimal(match[2], 65_535);
    if (host === undefined || port < 1) return refuse(400, 'the target is malformed');
    if (host.endsWith(MEETING_SUFFIX)) {
      const name = host.slice(0, -MEETING_SUFFIX.length);
      if (!GATEWAY_NAME.test(name)) return refuse(400, 'the name of the gateway is malformed');
      return { ok: true, target: { kind: 'meeting', name } };
    }
    const address = parseAddress(host);
    // A name could mean anything by the time it is used.
    if (!address) return refuse(403, 'targets are addresses, not names');
    const why = forbidden(address);
    if (why !== undefined) return refuse(403, `the address is ${why}`);
    const canonical = formatAddress(address);
    if (this.#own.has(canonical)) return refuse(403, 'the address is the relay’s own');
    if (!this.#rules.some((rule) => allows(rule, address, port))) {
      return refuse(403, 'the target is not on the list');
    }
    return { ok: true, target: { kind: 'udp', host: canonical, family: address.length === 4 ? 4 : 6, port } };
  }
}

function allows({ prefix, fromPort, toPort }: TargetRule, address: Uint8Array, port: number): boolean {
  return (
    prefix.address.length === address.length &&
    port >= fromPort &&
    port <= toPort &&
    prefixContains(prefix, address)
  );
}

/** Percent-decoding (RFC 3986 section 2.1), exactly once, of ASCII; undefined for anything that is not plain then. */
function decodeOnce(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const decoded = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return /^[A-Za-z0-9._:-]{1,255}$/.test(decoded) ? decoded : undefined;
}

function refuse(status: 400 | 403 | 404, reason: string): TargetAnswer {
  return { ok: false, status, reason };
}
