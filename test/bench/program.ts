/** The WireGuard programs that are compared, and how each is started on one interface. */

import { type ChildProcess, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TierChoice } from '../../host/gateway/request.js';
import type { Namespace } from '../lab/namespace.js';
import { sleep } from '../lab/wait.js';

const OURS = fileURLToPath(new URL('../../dist/cloudbridge-gateway.js', import.meta.url));
export const MTU = 1420;

export interface PeerText {
  /** base64 */
  readonly publicKey: string;
  readonly allowedIp: string;
  readonly endpoint?: string;
  readonly keepalive?: number;
}

export interface EndConfig {
  readonly space: Namespace;
  readonly name: string;
  /** base64 */
  readonly privateKey: string;
  readonly listenPort: number;
  /** With prefix length. */
  readonly address: string;
  readonly peers: readonly PeerText[];
  /** Where the configuration and the log go. */
  readonly directory: string;
}

/** One running end of a tunnel. */
export class End {
  readonly config: EndConfig;
  readonly process: ChildProcess;
  readonly #log: string;

  constructor(config: EndConfig, command: readonly string[], environment: Record<string, string>) {
    this.config = config;
    this.#log = join(config.directory, `${config.name}.log`);
    this.process = config.space.spawn(command, { environment, logFile: this.#log });
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** Resolves when the interface's socket answers a question. */
  async answers(limit = 30_000): Promise<void> {
    const end = performance.now() + limit;
    while (!(await asked(`/var/run/wireguard/${this.config.name}.sock`))) {
      if (this.process.exitCode !== null || performance.now() > end) throw this.#failure('does not answer');
      await sleep(1);
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.process.kill('SIGKILL'), 3_000);
    await gone;
    clearTimeout(late);
  }

  #failure(what: string): Error {
    return new Error(`${this.config.name} ${what}:\n${readFileSync(this.#log, 'utf8').slice(-2_000)}`);
  }
}

async function asked(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write('get=1\n\n'));
    socket.once('data', () => done(true)).once('error', () => done(false));
    socket.once('close', () => done(false));
    function done(answer: boolean): void {
      socket.destroy();
      resolve(answer);
    }
  });
}

export interface Program {
  /** Short, for the table's head. */
  readonly name: string;
  /** What exactly was measured. */
  readonly version: string;
  /** No more than these are asked of it; any number when absent. */
  readonly mostPeers?: number;
  /** The tier of ours that was asked for by name. */
  readonly tier?: string;
  /** Starts an end; it is configured and up when this resolves. `onSocket` is called when its socket answers. */
  start(config: EndConfig, onSocket?: () => void): Promise<End>;
  /** What only the running program knows. */
  describe(end: End): Promise<Description>;
}

export interface Description {
  /** A sentence for the report, or none. */
  readonly notes: string;
  /** Ours only: the tier that serves. */
  readonly tier?: string;
}

/** Any program that is called as `PROGRAM INTERFACE` and is then configured through its socket by `wg`. */
export class Userspace implements Program {
  readonly name: string;
  readonly version: string;
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
    this.name = program.split('/').at(-1)!;
    this.version = `${this.name} ${versionOf(program)}`;
  }

  async start(config: EndConfig, onSocket?: () => void): Promise<End> {
    const end = new End(config, [this.#program, config.name], {
      WG_PROCESS_FOREGROUND: '1',
      LOG_LEVEL: 'error',
    });
    await end.answers();
    onSocket?.();
    const file = join(config.directory, `${config.name}.wg`);
    writeFileSync(file, deviceText(config), { mode: 0o600 });
    const { space, name } = config;
    await space.get(['wg', 'setconf', name, file]);
    await space.get(['ip', 'address', 'add', config.address, 'dev', name]);
    await space.get(['ip', 'link', 'set', name, 'mtu', `${MTU}`, 'up']);
    return end;
  }

  describe(): Promise<Description> {
    return Promise.resolve({ notes: '' });
  }
}

/** This project: one wg-quick file, as its user starts it. */
export class Gateway implements Program {
  readonly name: string;
  readonly version: string;
  readonly tier: string | undefined;
  readonly #tier: TierChoice;

  constructor(tier: TierChoice) {
    this.#tier = tier;
    this.tier = tier === 'auto' ? undefined : tier;
    this.name = tier === 'auto' ? 'cloudbridge' : `cloudbridge ${tier}`;
    this.version = `cloudbridge-gateway ${versionOf(process.execPath, OURS)} on Node ${process.version}`;
  }

  async start(config: EndConfig, onSocket?: () => void): Promise<End> {
    const file = join(config.directory, `${config.name}.conf`);
    const own = [`Address = ${config.address}`, `MTU = ${MTU}`, 'Table = off'];
    writeFileSync(file, deviceText(config, own), { mode: 0o600 });
    const command = [process.execPath, OURS, 'up', file, '--name', config.name, '--tier', this.#tier];
    const end = new End(config, [...command, '--log-level', 'warn'], {
      XDG_STATE_HOME: config.directory,
      NODE_ENV: 'production',
    });
    await end.answers();
    onSocket?.();
    return end;
  }

  async describe(end: End): Promise<Description> {
    const { stdout } = await end.config.space.run([
      process.execPath,
      OURS,
      'status',
      end.config.name,
      '--json',
    ]);
    try {
      const status = JSON.parse(stdout);
      const { mode, tier, tierReason } = Array.isArray(status) ? status[0] : status;
      return { notes: `mode ${mode}, tier ${tier}${tierReason ? ` (${tierReason})` : ''}`, tier };
    } catch {
      return { notes: '' };
    }
  }
}

/** The text that `wg setconf` reads; with `own` lines of the interface, the one that `wg-quick` reads. */
export function deviceText(config: EndConfig, own: readonly string[] = []): string {
  const lines = [
    '[Interface]',
    `PrivateKey = ${config.privateKey}`,
    `ListenPort = ${config.listenPort}`,
    ...own,
  ];
  for (const peer of config.peers) {
    lines.push('', '[Peer]', `PublicKey = ${peer.publicKey}`, `AllowedIPs = ${peer.allowedIp}`);
    if (peer.endpoint) lines.push(`Endpoint = ${peer.endpoint}`);
    if (peer.keepalive) lines.push(`PersistentKeepalive = ${peer.keepalive}`);
  }
  return `${lines.join('\n')}\n`;
}

function versionOf(program: string, ...words: string[]): string {
  try {
    const text = execFileSync(program, [...words, '--version'], { encoding: 'utf8', stdio: 'pipe' });
    return /v?\d+\.\S+/.exec(text)?.[0] ?? 'of unknown version';
  } catch {
    return 'of unknown version';
  }
}
