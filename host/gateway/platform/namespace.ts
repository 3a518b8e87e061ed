/** How a program is started as root of its own user and network namespace, without any right. */

import { writeFileSync } from 'node:fs';
import { findProgram, run } from './command.js';

/**
 * The words before the program. `unshare` and `setpriv` (both util-linux) replace themselves by what follows, so the
 * process started is the program itself: signals and exit status need no middleman. The parent-death signal reaches
 * it when its parent is killed; the closed IPC channel says the same where `setpriv` is missing.
 */
export function namespaceCommand(): string[] {
  const unshare = findProgram('unshare') ?? 'unshare';
  const words = [unshare, '--user', '--map-root-user', '--net', '--'];
  const setpriv = findProgram('setpriv');
  if (setpriv !== undefined) words.push(setpriv, '--pdeathsig', 'TERM', '--');
  return words;
}

/** Makes a new network namespace habitable: its loopback is down, and IPv6 may be off as the host has it. */
export async function prepareNamespace(): Promise<void> {
  for (const name of ['all', 'default']) {
    try {
      writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '0');
    } catch {
      // read-only (container) or no IPv6 at all: an IPv6 address will say so, if there is one
    }
  }
  await run('ip', ['link', 'set', 'dev', 'lo', 'up']);
}
