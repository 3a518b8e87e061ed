/** How a program is started as root of its own user and network namespace, without any right. */

import { findProgram } from './command.js';

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
