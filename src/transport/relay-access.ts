/** What a transport over a relay has to know: where the relay is, how to get there, and what to ask it for. */

import type { WebAddress } from '../control/stream/web-address.js';
import type { Primitives } from '../crypto/primitives.js';
import type { LayeringConnector } from '../ports.js';

/** An HTTP proxy (RFC 9110 section 9.3.6) between this network and the rest of the world. */
export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  /** Basic authentication (RFC 7617); asked for anew each time, never kept. */
  readonly credentials?: (() => { readonly user: string; readonly password: string } | undefined) | undefined;
}

export interface RelayAccess {
  readonly relay: WebAddress;
  readonly connector: LayeringConnector;
  readonly proxy?: HttpProxy | undefined;
  /** What proves to the relay who we are, asked for at each opening; undefined: there is none yet. */
  readonly token: () => string | undefined;
  readonly primitives: Primitives;
}

/**
 * Where the relay sends the datagrams: a UDP address, or another gateway of the tenant that asks for us at the same
 * relay (a name of its own kind, which no resolver is asked for).
 */
export interface RelayTarget {
  readonly host: string;
  readonly port: number;
}

/** Behind the name of a gateway that is to be met at the relay (RFC 6761 section 6.4: no such domain will ever be). */
export const MEETING_SUFFIX = '.gateway.invalid';

/** The target under which a gateway is met at a relay. `name` is its identity in its tenant. */
export function meetingTarget(name: string): RelayTarget {
  return { host: `${name}${MEETING_SUFFIX}`, port: 1 };
}

/** RFC 9298 section 2: the default template, with the target percent-encoded (RFC 3986 section 2.1). */
export function udpTargetPath(base: string, { host, port }: RelayTarget): string {
  const encoded = host.replace(/[^A-Za-z0-9._-]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x80 ? `%${code < 16 ? '0' : ''}${code.toString(16).toUpperCase()}` : '';
  });
  return `${base}/.well-known/masque/udp/${encoded}/${port}/`;
}
