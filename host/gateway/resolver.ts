import { lookup } from 'node:dns';
import type { Resolver } from '../../src/ports.js';
import { systemCode } from './errors.js';

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

/** Whether a resolver's error may pass by itself (no network yet, name server silent). */
export function mayPass(error: string): boolean {
  return error !== 'ENOTFOUND' && error !== 'ENODATA';
}
