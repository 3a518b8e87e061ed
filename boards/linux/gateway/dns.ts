/** Name servers while the tunnel is up, through whichever manager of /etc/resolv.conf the system has. */

import type { InterfaceConfig } from '../../../src/config/tunnel-config.js';
import { formatAddress } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import { findProgram, run } from '../drivers/command.js';
import { exists, readText } from '../drivers/files.js';
import { EXIT, GatewayError } from './gateway-error.js';
import type { UndoList } from './undo.js';

const INTERFACE_ORDER = '/etc/resolvconf/interface-order';
const INTERFACE_ORDER_LIMIT = 65_536;
/** Exists while systemd-resolved runs. */
const RESOLVED_RUNTIME = '/run/systemd/resolve';

/** Registers the servers. Without a manager it warns, and the tunnel works without them. */
export function setDns(name: string, settings: InterfaceConfig, undo: UndoList, log: Log): void {
  const { dnsServers, dnsSearch } = settings;
  if (dnsServers.length === 0 && dnsSearch.length === 0) return;
  const servers = dnsServers.map((server) => formatAddress(server));
  if (findProgram('resolvconf') !== undefined) {
    const record = resolvconfPrefix() + name;
    undo.add({ kind: 'command', program: 'resolvconf', args: ['-d', record, '-f'] });
    let text = '';
    for (const server of servers) text += `nameserver ${server}\n`;
    if (dnsSearch.length > 0) text += `search ${dnsSearch.join(' ')}\n`;
    // -x: these servers alone, -m 0: before all others.
    must('resolvconf', ['-a', record, '-m', '0', '-x'], text);
  } else if (findProgram('resolvectl') !== undefined && exists(RESOLVED_RUNTIME)) {
    undo.add({ kind: 'command', program: 'resolvectl', args: ['revert', name] });
    if (servers.length > 0) must('resolvectl', ['dns', name, ...servers]);
    // `~.` sends every name to these servers, as `resolvconf -x` does.
    must('resolvectl', ['domain', name, '~.', ...dnsSearch]);
  } else {
    const reason = 'neither resolvconf nor systemd-resolved is here; on Debian: apt install openresolv';
    log.write('warn', 'dns-not-set', { interface: name, servers: servers.join(','), reason });
  }
}

function must(program: string, words: readonly string[], input = ''): void {
  const error = run(program, words, input);
  if (error !== undefined) throw new GatewayError(EXIT.system, error);
}

/** Debian's resolvconf ranks records by name pattern; the first pattern with a `*` is the best rank. */
function resolvconfPrefix(): string {
  const order = readText(INTERFACE_ORDER, INTERFACE_ORDER_LIMIT);
  if (typeof order === 'number') return '';
  for (const line of order.split('\n')) {
    const pattern = /^([A-Za-z0-9-]+)\*$/.exec(line);
    if (pattern !== null) return `${pattern[1]}.`;
  }
  return '';
}
