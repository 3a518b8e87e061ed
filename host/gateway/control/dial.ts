/** How control connections reach the network: from this process, or by the outer one where this lives in a namespace. */

import type { ClientRequestArgs } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';

/** A TCP connection to a name or an address (IPv6 without brackets). Rejects with the system's reason. */
export type Dial = (host: string, port: number) => Promise<Socket>;

/**
 * What Node's HTTP requests and `ws` take as `createConnection`: TCP by `dial`, and TLS over it where `tls` is given.
 * Undefined without a `dial`: they then connect by themselves.
 */
export function connectBy(dial: Dial | undefined, tls?: ConnectionOptions) {
  if (dial === undefined) return undefined;
  return (
    { host, port }: ClientRequestArgs,
    done: (error: Error | null, socket: Socket) => void,
  ): undefined => {
    const name = (host ?? 'localhost').replace(/^\[|\]$/g, '');
    dial(name, Number(port)).then(
      (socket) => done(null, tls ? overTls(socket, name, tls) : socket),
      (error: Error) => done(error, undefined as unknown as Socket),
    );
  };
}

/** The certificate is verified for the name; addresses are not named in the greeting (RFC 6066 section 3). */
export function overTls(socket: Socket, host: string, tls: ConnectionOptions): Socket {
  return tlsConnect({ ...tls, socket, host, servername: isIP(host) === 0 ? host : '' });
}
