/**
 * Network namespaces for tests. Everything a lab makes carries the process number of its maker in its name, so that
 * a later lab sweeps away what a crashed run has left, and never anything else.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace } from './namespace.js';

const NAMESPACES = '/run/netns';
const SOCKETS = '/var/run/wireguard';
const SPACE_NAME = /^cbl-([0-9a-z]+)-/;
const DIRECTORY_NAME = /^cloudbridge-netns-([0-9a-z]+)-\w{6}$/;
const SOCKET_NAME = /^cb([0-9a-z]+)-[0-9a-z]+\.sock$/;

/** This process, in few characters: interface names have 15. */
const OWNER = process.pid.toString(36);
let serial = 0;

function ownerIsGone(owner: string): boolean {
  const file = `/proc/${Number.parseInt(owner, 36)}/cmdline`;
  return !existsSync(file) || !/node|vitest/.test(readFileSync(file, 'utf8'));
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** Ends every process of a namespace and removes it. */
function removeNamespace(name: string): void {
  const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
  for (const pid of pids.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
  execFileSync('ip', ['netns', 'del', name]);
}

/** Removes what runs that are over have left behind. */
function sweep(): void {
  for (const name of list(NAMESPACES)) {
    const owner = SPACE_NAME.exec(name)?.[1];
    if (!owner || !ownerIsGone(owner)) continue;
    try {
      removeNamespace(name);
    } catch (error) {
      // Another lab may be sweeping at the same moment.
      if (existsSync(join(NAMESPACES, name))) throw error;
    }
  }
  for (const name of list(SOCKETS)) {
    const owner = SOCKET_NAME.exec(name)?.[1];
    if (owner && ownerIsGone(owner)) rmSync(join(SOCKETS, name), { force: true });
  }
  for (const name of list(tmpdir())) {
    const owner = DIRECTORY_NAME.exec(name)?.[1];
    if (owner && ownerIsGone(owner)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

export interface LinkSide {
  readonly space: Namespace;
  readonly addresses: readonly string[];
}

export class Lab {
  /** A private directory for configuration files and state. */
  readonly directory: string;
  readonly #spaces: Namespace[] = [];
  readonly #interfaces: string[] = [];

  constructor() {
    sweep();
    this.directory = mkdtempSync(join(tmpdir(), `cloudbridge-netns-${OWNER}-`));
    process.once('exit', this.#atExit);
  }

  readonly #atExit = (): void => this.close();

  /** An interface name that is unique on the machine: the userspace API's sockets all lie in one directory. */
  interfaceName(): string {
    const name = `cb${OWNER}-${(serial++).toString(36)}`;
    this.#interfaces.push(name);
    return name;
  }

  namespace(label: string): Namespace {
    const name = `cbl-${OWNER}-${(serial++).toString(36)}-${label}`;
    execFileSync('ip', ['netns', 'add', name]);
    const space = new Namespace(name);
    this.#spaces.push(space);
    // No link-local chatter: a test that counts packets must know them all.
    space.sysctl({
      'net.ipv6.conf.all.disable_ipv6': '0',
      'net.ipv6.conf.default.disable_ipv6': '0',
      'net.ipv6.conf.default.addr_gen_mode': '1',
      'net.ipv6.conf.default.accept_ra': '0',
      'net.ipv6.conf.default.dad_transmits': '0',
    });
    space.ip('link set lo up');
    return space;
  }

  /** A veth pair between two namespaces; gives the interfaces' names. */
  link(left: LinkSide, right: LinkSide, mtu = 1500): [string, string] {
    const names: [string, string] = [this.interfaceName(), this.interfaceName()];
    execFileSync('ip', [
      ...`link add ${names[0]} mtu ${mtu} netns ${left.space.name} type veth`.split(' '),
      ...`peer name ${names[1]} mtu ${mtu} netns ${right.space.name}`.split(' '),
    ]);
    for (const [i, side] of [left, right].entries()) {
      for (const address of side.addresses)
        side.space.ip(`address add ${address} dev ${names[i]}${address.includes(':') ? ' nodad' : ''}`);
      side.space.ip(`link set ${names[i]} up`);
    }
    return names;
  }

  /** A new directory below the lab's own. */
  subdirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  close(): void {
    process.removeListener('exit', this.#atExit);
    for (const space of this.#spaces.splice(0)) {
      space.close();
      removeNamespace(space.name);
    }
    rmSync(this.directory, { recursive: true, force: true });
    for (const name of this.#interfaces) rmSync(join(SOCKETS, `${name}.sock`), { force: true });
  }
}
