import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { base64 } from '../wireguard/reference/identity.js';
import type { Bytes } from '../wireguard/reference/symmetric.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import type { TunnelConfig } from './tunnel-config.js';
import { until } from './wait.js';

/** One peer's line of `wg show NAME dump`. */
export interface PeerStatus {
  readonly presharedKey: string | undefined;
  readonly endpoint: string | undefined;
  readonly allowedIps: string[];
  /** Seconds since 1970; 0 for never. */
  readonly latestHandshake: number;
  readonly received: number;
  readonly sent: number;
  readonly persistentKeepalive: number | undefined;
}

/** One end of a tunnel: a process in a namespace with a WireGuard interface, whatever program it is. */
export abstract class TunnelEnd {
  readonly lab: Lab;
  readonly space: Namespace;
  readonly config: TunnelConfig;
  readonly name: string;
  readonly logFile: string;
  protected process: ChildProcess | undefined;

  constructor(lab: Lab, space: Namespace, config: TunnelConfig, name = lab.interfaceName()) {
    this.lab = lab;
    this.space = space;
    this.config = config;
    this.name = name;
    this.logFile = join(lab.directory, `${this.name}.log`);
  }

  /** Launches the program; resolves when its interface is up and answers `wg`. */
  abstract start(): Promise<void>;

  get publicKey(): Bytes {
    return this.config.keys.publicKey;
  }

  get socketPath(): string {
    return `/var/run/wireguard/${this.name}.sock`;
  }

  get running(): boolean {
    return this.process !== undefined && this.process.exitCode === null && this.process.signalCode === null;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** Whether somebody listens on the interface socket; a crash leaves one behind on which nobody does. */
  answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.socketPath);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  }

  /** Waits until the program listens on its interface socket, and says what its log says when it ends instead. */
  protected async socketAppears(limit = 15_000): Promise<void> {
    await until(`${this.name}: interface socket`, limit, () => {
      if (!this.running) throw new Error(`${this.name} ended while starting:\n${this.log()}`);
      return this.answers();
    });
  }

  /** The real `wg`; throws when it fails. */
  wg(...words: string[]): Promise<string> {
    return this.space.get(['wg', ...words]);
  }

  /** `wg set NAME ...` */
  set(...words: string[]): Promise<string> {
    return this.wg('set', this.name, ...words);
  }

  async status(peer: Bytes): Promise<PeerStatus> {
    const dump = await this.wg('show', this.name, 'dump');
    const fields = dump
      .split('\n')
      .map((line) => line.split('\t'))
      .find((line) => line[0] === base64(peer));
    if (!fields) throw new Error(`${this.name} has no such peer:\n${dump}`);
    const [, presharedKey, endpoint, allowedIps, latestHandshake, received, sent, keepalive] = fields;
    const given = (text: string) => (text === '(none)' ? undefined : text);
    return {
      presharedKey: given(presharedKey),
      endpoint: given(endpoint),
      allowedIps: given(allowedIps)?.split(',') ?? [],
      latestHandshake: Number(latestHandshake),
      received: Number(received),
      sent: Number(sent),
      persistentKeepalive: keepalive === 'off' ? undefined : Number(keepalive),
    };
  }

  /** A file with a secret in it, for `wg set ... private-key FILE` and the like. */
  secretFile(label: string, text: string): string {
    const path = join(this.lab.directory, `${this.name}-${label}`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Resolves with the exit code (or minus the signal's place: -1) once the process has ended. */
  async ended(limit = 5000): Promise<number> {
    await until(`${this.name} ends`, limit, () => !this.running, 10);
    return this.process?.exitCode ?? -1;
  }

  /** Asks the process to end and waits for it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.running) this.process?.kill(signal);
    return this.ended();
  }

  /** As a crash or a power cut would: no chance to clean up. */
  async crash(): Promise<void> {
    await this.stop('SIGKILL');
  }

  interfaceExists(): boolean {
    try {
      execFileSync('nsenter', [`--net=/run/netns/${this.space.name}`, 'ip', 'link', 'show', this.name], {
        stdio: 'ignore',
      });
      return true;
    } catch {
      return false;
    }
  }
}
