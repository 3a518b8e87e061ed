/**
 * A default route through the tunnel without cutting off the tunnel's own datagrams: they carry a firewall mark, and
 * policy rules send everything without it to a table of its own, after the main table was asked for anything more
 * exact than a default route. The scheme is wg-quick's, so both get along on one machine.
 */

import { formatAddress, type Prefix } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import { familyOf, MAIN_TABLE } from '../../../src/router/routes.js';
import { findProgram, run } from '../drivers/command.js';
import { readText, writeText } from '../drivers/files.js';
import { changeRoute, changeRule } from '../drivers/netlink.js';
import { lowestPreference, tableUsed } from '../drivers/policy-routing.js';
import { errorText, SystemError } from '../drivers/system-error.js';
import { EXIT, GatewayError } from './gateway-error.js';
import { SRC_VALID_MARK, type UndoList, type UndoStep } from './undo.js';

/** WireGuard's usual port, also used as mark and table; counted up to the first free table. */
const FIRST_TABLE = 51_820;
const LAST_TABLE = FIRST_TABLE + 1000;
/** The kernel's own rule for the main table. */
const MAIN_PREFERENCE = 32_766;

/** The first table from 51820 on that holds no route of either family. It is the mark, too. */
export function freeTable(): number {
  for (let table = FIRST_TABLE; table < LAST_TABLE; table++) {
    if (!tableUsed(4, table) && !tableUsed(6, table)) return table;
  }
  const sentence = `no routing table between ${FIRST_TABLE} and ${LAST_TABLE} is free; set Table to one of your own`;
  throw new GatewayError(EXIT.system, sentence);
}

/** The default route of one family while it is there. */
export class DefaultRoute {
  readonly #index: number;
  readonly #family: 4 | 6;
  readonly #mark: number;
  readonly #undo: UndoList;
  readonly #log: Log;
  readonly #preference: number;
  readonly #steps: UndoStep[] = [];

  /**
   * `mark` is on the UDP sockets already and names the table, too; `addresses` are the interface's own. Throws a
   * {@link GatewayError} or {@link SystemError} with everything that was done on the undo list.
   */
  constructor(
    name: string,
    index: number,
    family: 4 | 6,
    mark: number,
    addresses: readonly Prefix[],
    undo: UndoList,
    log: Log,
  ) {
    this.#index = index;
    this.#family = family;
    this.#mark = mark;
    this.#undo = undo;
    this.#log = log;
    this.#preference = lowestPreference(family, MAIN_PREFERENCE);
    // Before the rules, so that it is taken back after them.
    if (family === 4) acceptMarkedReplies(undo, log);
    const result = changeRoute(true, index, everything(family), 0, mark);
    if (result < 0) throw new SystemError(`cannot set the default route of table ${mark}`, -result);
    this.#addRules();
    this.#guard(name, addresses);
  }

  /** Takes back the rules and the guard; the route goes with the interface, or, with `routeToo`, now. */
  remove(routeToo: boolean): void {
    for (const step of [...this.#steps].reverse()) {
      if (step.kind !== 'command' || step.program === 'ip') continue;
      const error = run(step.program, step.args);
      if (error !== undefined) this.#log.write('warn', 'guard-not-removed', { reason: error });
    }
    const results = [
      changeRule(false, this.#family, this.#preference - 2, MAIN_TABLE, 0),
      changeRule(false, this.#family, this.#preference - 1, this.#mark, this.#mark),
    ];
    for (const result of results) {
      if (result < 0) this.#log.write('warn', 'rule-not-removed', { reason: errorText(-result) });
    }
    if (routeToo) changeRoute(false, this.#index, everything(this.#family), 0, this.#mark);
    this.#undo.forget(this.#steps);
  }

  #addRules(): void {
    const preference = this.#preference;
    if (preference < 0) throw new SystemError('cannot read the policy rules', -preference);
    if (preference <= 2) {
      const sentence = `no room for the policy rules of a default route before preference ${preference} ("ip rule" shows it); set Table = off and route by hand`;
      throw new GatewayError(EXIT.system, sentence);
    }
    const table = String(this.#mark);
    this.#addRule(preference - 1, ['not', 'fwmark', table, 'table', table], this.#mark, this.#mark);
    this.#addRule(preference - 2, ['table', 'main', 'suppress_prefixlength', '0'], MAIN_TABLE, 0);
  }

  /** `words` say for `ip`, after a crash, what was made by netlink. */
  #addRule(preference: number, words: readonly string[], table: number, mark: number): void {
    const args = [`-${this.#family}`, 'rule', 'delete', 'pref', String(preference), ...words];
    this.#note({ kind: 'command', program: 'ip', args });
    const result = changeRule(true, this.#family, preference, table, mark);
    if (result < 0) throw new SystemError('cannot set the policy rules of a default route', -result);
  }

  /**
   * Two things policy routing alone leaves open: packets for the tunnel's addresses that come in by another link are
   * dropped (CVE-2019-14899), and replies to our marked datagrams get the mark back, for the reverse-path check.
   */
  #guard(name: string, addresses: readonly Prefix[]): void {
    if (findProgram('nft') === undefined) {
      const reason =
        'nft is not installed; strict reverse-path filtering may drop replies; on Debian: apt install nftables';
      this.#log.write('warn', 'firewall-not-set', { reason });
      return;
    }
    const family = this.#family === 4 ? 'ip' : 'ip6';
    const table = `cloudbridge-${name}`;
    this.#note({ kind: 'command', program: 'nft', args: ['delete', 'table', family, table] });
    let guards = '';
    for (const own of addresses) {
      if (familyOf(own) !== this.#family) continue;
      guards += ` iifname != "${name}" ${family} daddr ${formatAddress(own.address)} fib saddr type != local drop;`;
    }
    const error = run(
      'nft',
      ['-f', '-'],
      `table ${family} ${table} {
  chain guard { type filter hook prerouting priority raw;${guards} }
  chain restore-mark { type filter hook prerouting priority mangle; meta l4proto udp meta mark set ct mark; }
  chain save-mark { type filter hook postrouting priority mangle; meta l4proto udp meta mark ${this.#mark} ct mark set mark; }
}
`,
    );
    if (error !== undefined) this.#log.write('warn', 'firewall-not-set', { reason: error });
  }

  #note(step: UndoStep): void {
    this.#steps.push(step);
    this.#undo.add(step);
  }
}

function everything(family: 4 | 6): Uint8Array {
  return new Uint8Array(family === 4 ? 4 : 16);
}

/** The reverse-path check looks at a reply's mark only when this is on. */
function acceptMarkedReplies(undo: UndoList, log: Log): void {
  const before = readText(SRC_VALID_MARK, 16);
  if (typeof before === 'string') {
    if (before.trim() === '1') return;
    undo.add({ kind: 'src-valid-mark', value: before.trim() });
  }
  const result = writeText(SRC_VALID_MARK, '1');
  if (result < 0) log.write('warn', 'src-valid-mark-not-set', { reason: errorText(-result) });
}
