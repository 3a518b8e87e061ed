/**
 * The interface's life as in wg-quick: PreUp, addresses, MTU, up, DNS, routes, PostUp; then PreDown, everything
 * back in reverse order, PostDown. Each change goes to the undo list before it is made.
 */

import { readFileSync } from 'node:fs';
import { formatAddress, formatPrefix, type Prefix } from '../../../src/packet/address.js';
import type { Log } from '../../../src/ports.js';
import { EXIT, GatewayError } from '../errors.js';
import { requireProgram, run } from './command.js';
import { freeTable, setDefaultRoute } from './default-route.js';
import { setDns } from './dns.js';
import { runHook } from './hooks.js';
import { familyOf, MAIN_TABLE, planRoutes, type RoutePlan } from './routes.js';
import type { InterfaceSettings } from './tunnel.js';
import type { UndoList, UndoStep } from './undo.js';

/**
 * Nobody else is on a point-to-point link who could have the same address, yet an IPv6 address is not to be bound until
 * the kernel has come round to find that out (RFC 4862 section 5.4).
 */
const AT_ONCE = { 4: [], 6: ['nodad'] } as const;

export interface InterfaceContext {
  readonly name: string;
  readonly settings: InterfaceSettings;
  readonly undo: UndoList;
  readonly log: Log;
  /** The namespace is our own: a default route harms nobody, and name servers are not ours to set. */
  readonly isolated: boolean;
  /** Marks the UDP sockets; called when a default route needs a mark and none was configured. */
  readonly setMark: (mark: number) => Promise<void>;
  /** MTU by the routes to the endpoints, asked where those routes are. */
  readonly measureMtu: (endpoints: readonly string[]) => Promise<number>;
}

/** Throws when an interface of this name exists: whoever made it, it is not ours to change. */
export function requireFreeName(name: string): void {
  if (interfaceExists(name)) {
    throw new GatewayError(
      EXIT.alreadyRunning,
      `an interface named ${name} exists already; stop what made it, remove it with "ip link delete ${name}", or use another name`,
    );
  }
}

/** In the network namespace of this process, which /sys need not show. */
export function interfaceExists(name: string): boolean {
  return readFileSync('/proc/self/net/dev', 'latin1')
    .split('\n')
    .some((line) => line.trimStart().startsWith(`${name}:`));
}

const NO_SOURCES: ReadonlyMap<4 | 6, string> = new Map();

export class TunnelInterface {
  private readonly context: InterfaceContext;
  private plan: RoutePlan = { routes: [], defaults: [], table: undefined };
  private readonly defaultSteps = new Map<4 | 6, UndoStep[]>();
  /** The last change of routes, done or under way. */
  private routesSet: Promise<void> = Promise.resolve();
  private mark = 0;
  private hooksRegistered = false;
  private up = false;
  /** What packets that begin here come from, where the kernel would not choose it by itself. */
  private readonly sources = new Map<4 | 6, string>();
  /** As last brought in line. */
  private addresses: readonly Prefix[];

  constructor(context: InterfaceContext) {
    this.context = context;
    this.mark = context.settings.fwmark;
    this.addresses = context.settings.addresses;
    requireProgram('ip', 'iproute2');
  }

  /** Before the interface exists. */
  async preUp(): Promise<void> {
    await this.hooks(this.context.settings.preUp, 'PreUp');
  }

  /** Right after the TUN descriptor was opened. */
  created(): void {
    this.context.undo.add({ kind: 'link', name: this.context.name });
  }

  /** Addresses, MTU, up, DNS, routes; the MTU that was set, in bytes. Leaves taking back to the caller. */
  async configure(): Promise<number> {
    const { name, settings, isolated, undo, log } = this.context;
    for (const address of settings.addresses) {
      await run('ip', [
        `-${familyOf(address)}`,
        'address',
        'add',
        formatPrefix(address),
        'dev',
        name,
        ...AT_ONCE[familyOf(address)],
      ]);
    }
    const mtu = settings.mtu ?? (await this.context.measureMtu(settings.endpoints));
    await run('ip', ['link', 'set', 'dev', name, 'mtu', String(mtu), 'up']);
    if (!isolated) await setDns(name, settings.dns, settings.dnsSearch, undo, log);
    else if (settings.dns.length > 0) {
      log.write('info', 'dns-not-set', { reason: 'rootless: the system keeps its own name servers' });
    }
    await this.setRoutes(settings.routes);
    return mtu;
  }

  /** Adds what is new, then deletes what is gone; each vanishes with the interface, so none needs a reverse. */
  async setAddresses(addresses: readonly Prefix[]): Promise<void> {
    const { name } = this.context;
    const before = new Map(this.addresses.map((one) => [formatPrefix(one), one]));
    const after = new Map(addresses.map((one) => [formatPrefix(one), one]));
    for (const [text, address] of after) {
      if (!before.has(text))
        await run('ip', [
          `-${familyOf(address)}`,
          'address',
          'replace',
          text,
          'dev',
          name,
          ...AT_ONCE[familyOf(address)],
        ]);
    }
    await this.setSources(addresses);
    for (const [text, address] of before) {
      if (!after.has(text))
        await run('ip', [`-${familyOf(address)}`, 'address', 'delete', text, 'dev', name]);
    }
    this.addresses = addresses;
  }

  /** The kernel would go on with the address that was there first; the routes say otherwise. */
  private async setSources(addresses: readonly Prefix[]): Promise<void> {
    for (const family of [4, 6] as const) {
      const [before, after] = [this.addresses, addresses].map((all) =>
        all.find((one) => familyOf(one) === family),
      );
      if (!before || !after || formatPrefix(before) === formatPrefix(after)) continue;
      this.sources.set(family, formatAddress(after.address));
      const routes = this.plan.routes.filter((route) => familyOf(route) === family);
      await routeBatch('replace', routes, this.context.name, this.plan.table, this.sources);
    }
  }

  /** Last of all. */
  async postUp(): Promise<void> {
    await this.hooks(this.context.settings.postUp, 'PostUp');
    this.registerPostDown();
    this.up = true;
  }

  /**
   * Adds what is new and deletes what is gone, one list after the other however fast they come. Rejects, with the
   * ordinary routes as they were, when the kernel refuses one.
   */
  setRoutes(allowedIps: readonly Prefix[]): Promise<void> {
    const turn = this.routesSet.then(() => this.changeRoutes(allowedIps));
    this.routesSet = turn.catch(() => {});
    return turn;
  }

  /** PreDown; what comes after is the undo list's. Failures are logged: nothing keeps a tunnel from going down. */
  async preDown(): Promise<void> {
    if (!this.up) return;
    this.up = false;
    const { name, settings, log } = this.context;
    for (const hook of settings.preDown) {
      try {
        await runHook(hook, name, 'PreDown');
      } catch (error) {
        log.write('warn', 'hook-failed', { reason: (error as Error).message });
      }
    }
  }

  private async changeRoutes(allowedIps: readonly Prefix[]): Promise<void> {
    const { name, settings, isolated } = this.context;
    // Alone in a namespace, a default route is a route like any other.
    const table = isolated && settings.table !== 'off' ? MAIN_TABLE : settings.table;
    const before = this.plan;
    const next = planRoutes(allowedIps, this.addresses, table);
    const beforeTexts = new Set(before.routes.map(formatPrefix));
    const nextTexts = new Set(next.routes.map(formatPrefix));
    const gone = before.routes.filter((route) => !nextTexts.has(formatPrefix(route)));
    const added = next.routes.filter((route) => !beforeTexts.has(formatPrefix(route)));
    try {
      await routeBatch('delete', gone, name, next.table);
      await routeBatch('add', added, name, next.table, this.sources);
    } catch (error) {
      // Whichever of them were done; `ip` tells of the others, and nobody needs to know.
      await routeBatch('delete', added, name, next.table, NO_SOURCES, true).catch(() => {});
      await routeBatch('add', gone, name, next.table, this.sources, true).catch(() => {});
      throw error;
    }
    this.plan = { ...next, defaults: before.defaults };
    for (const family of [4, 6] as const) {
      const wanted = next.defaults.includes(family);
      if (wanted === this.plan.defaults.includes(family)) continue;
      if (wanted) await this.addDefault(family);
      else await this.dropDefault(family);
      const others = this.plan.defaults.filter((other) => other !== family);
      this.plan = { ...this.plan, defaults: wanted ? [...others, family] : others };
    }
  }

  private async addDefault(family: 4 | 6): Promise<void> {
    const { name, settings, undo, log, setMark } = this.context;
    const size = undo.size;
    if (this.mark === 0) this.mark = await freeTable();
    await setMark(this.mark);
    try {
      await setDefaultRoute(name, family, this.mark, settings.addresses, undo, log);
      this.defaultSteps.set(family, undo.since(size));
    } catch (error) {
      undo.retract(undo.since(size));
      await this.deleteDefault(family).catch(() => {});
      throw error;
    }
  }

  private async dropDefault(family: 4 | 6): Promise<void> {
    const { undo } = this.context;
    undo.retract(this.defaultSteps.get(family) ?? []);
    this.defaultSteps.delete(family);
    await this.deleteDefault(family);
  }

  private async deleteDefault(family: 4 | 6): Promise<void> {
    const table = String(this.mark);
    await run('ip', [`-${family}`, 'route', 'delete', 'default', 'dev', this.context.name, 'table', table]);
  }

  private async hooks(hooks: readonly string[], phase: string): Promise<void> {
    // From the first hook on there may be something that only PostDown takes back.
    if (hooks.length > 0) this.registerPostDown();
    for (const hook of hooks) await runHook(hook, this.context.name, phase);
  }

  private registerPostDown(): void {
    if (this.hooksRegistered) return;
    this.hooksRegistered = true;
    const { name, settings, undo } = this.context;
    for (const script of settings.postDown) undo.addLast({ kind: 'hook', script, interfaceName: name });
  }
}

/**
 * One `ip` process however many routes there are; it stops at the first failure unless it is to `goOn`. The routes
 * vanish with the interface, so none needs a reverse.
 */
async function routeBatch(
  verb: 'add' | 'replace' | 'delete',
  routes: readonly Prefix[],
  name: string,
  table: number | undefined,
  sources: ReadonlyMap<4 | 6, string> = NO_SOURCES,
  goOn = false,
): Promise<void> {
  for (const family of [4, 6] as const) {
    const own = routes.filter((route) => familyOf(route) === family);
    if (own.length === 0) continue;
    const source = sources.get(family);
    const rest = `${table === undefined ? '' : ` table ${table}`}${source === undefined ? '' : ` src ${source}`}`;
    const lines = own.map((route) => `route ${verb} ${formatPrefix(route)} dev ${name}${rest}\n`);
    try {
      await run('ip', [`-${family}`, ...(goOn ? ['-force'] : []), '-batch', '-'], lines.join(''));
    } catch (error) {
      throw routeError(error as Error, own);
    }
  }
}

/** `ip -batch` tells the number of the line that failed; the owner wants the route. */
function routeError(error: Error, routes: readonly Prefix[]): Error {
  const line = /Command failed -:(\d+)/.exec(error.message);
  if (line === null) return error;
  const route = formatPrefix(routes[Number(line[1]) - 1]);
  const why = /File exists/.test(error.message)
    ? 'another interface has this very route; take it out of AllowedIPs or set Table = off'
    : error.message.replace(/^ip [^:]*: /, '').replace(/;? ?Command failed.*/, '');
  return new GatewayError(EXIT.system, `cannot set the route ${route}: ${why}`);
}
