/**
 * A default route through the tunnel without cutting the tunnel's own datagrams off: they carry a firewall mark, and
 * policy rules send everything without it to a table of its own, after the main table was asked for anything more
 * exact than a default route. The scheme is wg-quick's, so both get along on one machine.
 */

import { formatAddress, formatPrefix, type Prefix } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import { EXIT, GatewayError, messageOf } from '../errors.js';
import { findProgram, run } from './command.js';
import { familyOf } from './routes.js';
import { acceptMarkedReplies } from './src-valid-mark.js';
import type { UndoList, UndoStep } from './undo.js';

/** WireGuard's usual port, also used as mark and table; counted up to the first free table. */
const FIRST_TABLE = 51820;
/** The kernel's own rule for the table `main`. */
const MAIN_PREFERENCE = 32766;
const LAST_TABLE = FIRST_TABLE + 1000;

/** The first table from 51820 on that holds no route of either family. It is the mark, too. */
export async function freeTable(): Promise<number> {
  for (let table = FIRST_TABLE; table < LAST_TABLE; table++) {
    if ((await routesIn('-4', table)) === '' && (await routesIn('-6', table)) === '') return table;
  }
  throw new GatewayError(
    EXIT.system,
    `no routing table between ${FIRST_TABLE} and ${LAST_TABLE} is free; set Table to one of your own`,
  );
}

async function routesIn(family: string, table: number): Promise<string> {
  // An unknown table is an error for `ip` and simply free for us.
  return run('ip', [family, 'route', 'show', 'table', String(table)])
    .then((text) => text.trim())
    .catch(() => '');
}

/** `mark` is on the UDP sockets already and names the table, too. `addresses` are the interface's own. */
export async function setDefaultRoute(
  interfaceName: string,
  family: 4 | 6,
  mark: number,
  addresses: readonly Prefix[],
  undo: UndoList,
  log: Log,
): Promise<void> {
  const ip = `-${family}`;
  const table = String(mark);
  const everything = family === 4 ? '0.0.0.0/0' : '::/0';
  // Before the rules, so that it is taken back after them.
  if (family === 4) acceptMarkedReplies(undo, log);
  await run('ip', [ip, 'route', 'add', everything, 'dev', interfaceName, 'table', table]);
  const preference = await lowestPreference(ip);
  await addRule(ip, preference - 1, ['not', 'fwmark', table, 'table', table], undo);
  await addRule(ip, preference - 2, ['table', 'main', 'suppress_prefixlength', '0'], undo);
  await guardAddresses(interfaceName, family, mark, addresses, undo, log);
}

/** The preference of the first rule after the kernel's local one: ours go before it. */
async function lowestPreference(ip: string): Promise<number> {
  const rules = await run('ip', [ip, 'rule', 'show']);
  const preferences = [...rules.matchAll(/^(\d+):/gm)].map((match) => Number(match[1])).filter((n) => n > 0);
  const lowest = Math.min(...preferences, MAIN_PREFERENCE);
  if (lowest > 2) return lowest;
  throw new GatewayError(
    EXIT.system,
    `no room for the policy rules of a default route before preference ${lowest} ("ip rule" shows it); set Table = off and route by hand`,
  );
}

/** Named by its preference as well, the reverse cannot hit the like rule of another tunnel. */
async function addRule(
  ip: string,
  preference: number,
  rule: readonly string[],
  undo: UndoList,
): Promise<void> {
  const args = ['pref', String(preference), ...rule];
  const step: UndoStep = { kind: 'command', program: 'ip', args: [ip, 'rule', 'delete', ...args] };
  undo.add(step);
  await run('ip', [ip, 'rule', 'add', ...args]);
}

/**
 * Two things policy routing alone leaves open: packets for the tunnel's addresses that come in by another link are
 * dropped (CVE-2019-14899), and replies to our marked datagrams get the mark back, for the reverse-path check.
 */
async function guardAddresses(
  interfaceName: string,
  family: 4 | 6,
  mark: number,
  addresses: readonly Prefix[],
  undo: UndoList,
  log: Log,
): Promise<void> {
  const table = `${family === 4 ? 'ip' : 'ip6'} cloudbridge-${interfaceName}`;
  if (findProgram('nft') === undefined) {
    log.write('warn', 'firewall-not-set', {
      reason:
        'nft is not installed; strict reverse-path filtering may drop replies; on Debian: apt install nftables',
    });
    return;
  }
  const address = family === 4 ? 'ip' : 'ip6';
  const guards = addresses
    .filter((own) => familyOf(own) === family)
    .map(
      (own) =>
        `iifname != "${interfaceName}" ${address} daddr ${formatAddress(own.address)} fib saddr type != local drop`,
    );
  undo.add({ kind: 'command', program: 'nft', args: ['delete', 'table', ...table.split(' ')] });
  const rules = `table ${table} {
  chain guard { type filter hook prerouting priority raw; ${guards.join('; ')}${guards.length > 0 ? ';' : ''} }
  chain restore-mark { type filter hook prerouting priority mangle; meta l4proto udp meta mark set ct mark; }
  chain save-mark { type filter hook postrouting priority mangle; meta l4proto udp meta mark ${mark} ct mark set mark; }
}
`;
  try {
    await run('nft', ['-f', '-'], rules);
  } catch (error) {
    log.write('warn', 'firewall-not-set', {
      reason: messageOf(error),
      addresses: addresses.map(formatPrefix).join(','),
    });
  }
}
