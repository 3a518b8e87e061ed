/**
 * Two network namespaces on one cable. Everything made here begins with `bn` and the maker's process number, so that
 * a later run sweeps away what a killed one has left, and never anything else.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace } from '../lab/namespace.js';

const NAMESPACES = '/run/netns';
const SOCKETS = '/var/run/wireguard';
const OURS = /^bn([0-9a-z]+)-/;
const OWNER = process.pid.toString(36);

export class Ground {
  readonly directory: string;
  readonly left: Namespace;
  readonly right: Namespace;
  readonly #cable: readonly (readonly [Namespace, string])[];
  #interfaces = 0;
  readonly #atExit = (): void => this.close();

  constructor() {
    sweep();
    this.directory = mkdtempSync(join(tmpdir(), `bn${OWNER}-`));
    process.once('exit', this.#atExit);
    this.left = this.#space('left');
    this.right = this.#space('right');
    const [a, b] = [`bn${OWNER}-va`, `bn${OWNER}-vb`];
    execFileSync('ip', [
      ...`link add ${a} netns ${this.left.name} type veth`.split(' '),
      ...`peer name ${b} netns ${this.right.name}`.split(' '),
    ]);
    this.left.ip(`address add 10.61.0.1/24 dev ${a}`);
    this.right.ip(`address add 10.61.0.2/24 dev ${b}`);
    this.left.ip(`link set ${a} up`);
    this.right.ip(`link set ${b} up`);
    this.#cable = [
      [this.left, a],
      [this.right, b],
    ];
  }

  /**
   * Whether the cable takes a segmented send whole. It flatters whoever has offloads: off, the kernel cuts before the
   * cable, and datagrams arrive one by one as they would on a wire.
   */
  segmentation(on: boolean): void {
    for (const [space, name] of this.#cable) {
      space.now('ethtool', '-K', name, 'tx-udp-segmentation', on ? 'on' : 'off', 'gro', on ? 'off' : 'on');
    }
  }

  /** Unique on the machine: the sockets of every namespace lie in one directory. */
  interfaceName(): string {
    return `bn${OWNER}-${this.#interfaces++}`;
  }

  close(): void {
    process.removeListener('exit', this.#atExit);
    for (const space of [this.left, this.right]) {
      space.close();
      removeNamespace(space.name);
    }
    for (const name of list(SOCKETS)) {
      if (name.startsWith(`bn${OWNER}-`)) rmSync(join(SOCKETS, name), { force: true });
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  #space(label: string): Namespace {
    const name = `bn${OWNER}-${label}`;
    execFileSync('ip', ['netns', 'add', name]);
    const space = new Namespace(name);
    space.ip('link set lo up');
    return space;
  }
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function ownerIsGone(name: string): boolean {
  const owner = OURS.exec(name)?.[1];
  if (owner === undefined || owner === OWNER) return false;
  const file = `/proc/${Number.parseInt(owner, 36)}/cmdline`;
  return !existsSync(file) || !readFileSync(file, 'utf8').includes('bench');
}

function removeNamespace(name: string): void {
  if (!existsSync(join(NAMESPACES, name))) return;
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

function sweep(): void {
  for (const name of list(NAMESPACES)) if (ownerIsGone(name)) removeNamespace(name);
  for (const name of list(SOCKETS)) if (ownerIsGone(name)) rmSync(join(SOCKETS, name), { force: true });
  for (const name of list(tmpdir())) {
    if (ownerIsGone(name)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
