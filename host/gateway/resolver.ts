import { lookup } from 'node:dns';
import { parseAddress } from '../../src/packet/address.js';
import { endpointRecord } from '../../src/packet/endpoint-text.js';
import type { Resolver } from '../../src/ports.js';
import { systemCode } from './errors.js';

/** Errors that time does not heal: the name server says that there is no such name, or no address for it. */
const FINAL = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Names through the system's resolver, so that `/etc/hosts`, mDNS and split DNS answer as for every other program.
 * The order of the addresses is the system's (RFC 6724).
 */
export class NodeResolver implements Resolver {
  resolve(name: string, done: (addresses: readonly string[], error: string | undefined) => void): void {
    lookup(name, { all: true, verbatim: true }, (error, addresses) => {
      if (error) done([], systemCode(error) ?? error.message);
      else
        done(
          addresses.map((a) => a.address),
          undefined,
        );
    });
  }
}

/** Where there is no IPv6, IPv6 addresses are no answer. */
export function ipv4Only(resolver: Resolver): Resolver {
  return {
    resolve: (name, done) =>
      resolver.resolve(name, (addresses, error) => done(addresses.filter(isIpv4), error)),
  };
}

export interface Lookup {
  /** Endpoint records, in the resolver's order; empty when there is an error. */
  readonly records: readonly Uint8Array[];
  /** The system's word for what went wrong. */
  readonly error: string | undefined;
  /** The error is the name's and will not pass by itself. */
  readonly final: boolean;
}

/** Looks one endpoint up. Never rejects. */
export function lookUp(resolver: Resolver, host: string, port: number): Promise<Lookup> {
  return new Promise((resolve) => {
    resolver.resolve(host, (addresses, error) => {
      const records: Uint8Array[] = [];
      for (const text of addresses) {
        const address = parseAddress(text);
        if (address !== undefined) records.push(endpointRecord(address, port, 0));
      }
      const problem = error ?? (records.length === 0 ? 'no address' : undefined);
      resolve({ records, error: problem, final: error !== undefined && FINAL.has(error) });
    });
  });
}

function isIpv4(address: string): boolean {
  return parseAddress(address)?.length === 4;
}
