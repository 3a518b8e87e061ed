/** Name servers for the time the tunnel is up, through whichever manager of /etc/resolv.conf the system has. */

import { existsSync, readFileSync } from 'node:fs';
import type { Log } from '../../../src/ports.js';
import { findProgram, run } from './command.js';
import type { UndoList } from './undo.js';

const INTERFACE_ORDER = '/etc/resolvconf/interface-order';
/** Exists while systemd-resolved runs. */
const RESOLVED_RUNTIME = '/run/systemd/resolve';

/** Registers the servers. Without a manager it warns, and the tunnel works without them. */
export async function setDns(
  interfaceName: string,
  servers: readonly string[],
  search: readonly string[],
  undo: UndoList,
  log: Log,
): Promise<void> {
  if (servers.length === 0 && search.length === 0) return;
  if (findProgram('resolvconf') !== undefined) {
    const record = resolvconfPrefix() + interfaceName;
    undo.add({ kind: 'command', program: 'resolvconf', args: ['-d', record, '-f'] });
    let text = servers.map((server) => `nameserver ${server}\n`).join('');
    if (search.length > 0) text += `search ${search.join(' ')}\n`;
    // -x: these servers alone, -m 0: before all others.
    await run('resolvconf', ['-a', record, '-m', '0', '-x'], text);
  } else if (findProgram('resolvectl') !== undefined && existsSync(RESOLVED_RUNTIME)) {
    undo.add({ kind: 'command', program: 'resolvectl', args: ['revert', interfaceName] });
    if (servers.length > 0) await run('resolvectl', ['dns', interfaceName, ...servers]);
    // `~.` sends every name to these servers, as `resolvconf -x` does.
    await run('resolvectl', ['domain', interfaceName, '~.', ...search]);
  } else {
    log.write('warn', 'dns-not-set', {
      interface: interfaceName,
      servers: servers.join(','),
      reason: 'neither resolvconf nor systemd-resolved is here; on Debian: apt install openresolv',
    });
  }
}

/** Debian's resolvconf ranks records by name pattern; the first pattern with a `*` is the best rank. */
function resolvconfPrefix(): string {
  if (!existsSync(INTERFACE_ORDER)) return '';
  for (const line of readFileSync(INTERFACE_ORDER, 'utf8').split('\n')) {
    const pattern = /^([A-Za-z0-9-]+)\*$/.exec(line);
    if (pattern !== null) return `${pattern[1]}.`;
  }
  return '';
}
