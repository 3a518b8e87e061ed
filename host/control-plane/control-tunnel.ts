/**
 * Control inside the tunnel: an ordinary gateway of ours runs beside the control plane, in a network namespace of its
 * own where nothing listens but a way to our loopback server. So gateways reach the control plane there, and neither
 * this host nor each other.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordValue } from '../../src/control/shape.js';
import { bytesToHex, keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import { generate, pairOf } from '../../src/identity/keys.js';
import type { Log } from '../../src/ports.js';
import { NodePrimitives } from '../gateway/crypto.js';
import { askGateway } from '../gateway/uapi-client.js';
import { uapiDirectory } from '../gateway/uapi-path.js';
import {
  CONTROL_PORT,
  ControlPeers,
  type ControlTunnelSecret,
  controlHost,
  controlPeerRecord,
} from './control-peers.js';
import type { Database } from './database.js';
import { type GatewayRow, listAllGateways } from './gateways.js';
import { ensureSecret } from './secrets.js';

export interface ControlTunnelOptions {
  /** UDP port. */
  readonly port: number;
  /** Where gateways reach it: `name:port`. */
  readonly endpoint: string;
  /** Port of the server on 127.0.0.1 that everything is forwarded to. */
  readonly target: number;
  /** Folder for the peer's configuration and state. */
  readonly folder: string;
  /** The program `cloudbridge-gateway`. */
  readonly program: string;
}

/** ms until a peer that has ended is started again, doubling to the second. */
const RESTART = { first: 1_000, cap: 30_000 } as const;
/** ms for the peer to come up. */
const PATIENCE = 30_000;
/** Gateways in one exchange with the peer. */
const BATCH = 500;
/** ms that what the peer says about its peers is believed. */
const VIEW_LIFE = 3_000;

export class ControlTunnel {
  readonly #options: ControlTunnelOptions;
  readonly #secret: ControlTunnelSecret;
  readonly #publicKey: string;
  readonly #database: Database;
  readonly #log: Log;
  readonly #peers: ControlPeers;
  readonly #name: string;
  #child: ChildProcess | undefined;
  #stopping = false;
  #restart: number = RESTART.first;
  /** What was said to the peer, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #view: { readonly at: number; readonly text: Promise<string> } | undefined;

  /** Rejects when the peer cannot be had on this machine. */
  static async start(options: ControlTunnelOptions, database: Database, log: Log): Promise<ControlTunnel> {
    const secret = await ensureSecret<ControlTunnelSecret>(database, 'control-tunnel', async () => ({
      privateKey: keyToBase64(generate(new NodePrimitives()).privateKey),
      presharedSecret: randomBytes(32).toString('base64'),
      prefix: `fd${randomBytes(5).toString('hex')}0000`,
    }));
    const tunnel = new ControlTunnel(options, secret, database, log);
    await tunnel.#launch();
    return tunnel;
  }

  private constructor(
    options: ControlTunnelOptions,
    secret: ControlTunnelSecret,
    database: Database,
    log: Log,
  ) {
    this.#options = options;
    this.#secret = secret;
    this.#database = database;
    this.#log = log;
    this.#peers = new ControlPeers(secret);
    this.#name = `cbc${options.port}`;
    const pair = pairOf(new NodePrimitives(), keyFromBase64(secret.privateKey)!);
    this.#publicKey = keyToBase64(pair.publicKey);
  }

  /** What a gateway is told of it. */
  record(gateway: string): RecordValue {
    return controlPeerRecord(this.#secret, this.#publicKey, this.#options.endpoint, gateway);
  }

  /** The peer knows these gateways as they are now when this resolves. Never rejects: what failed is tried with the rest. */
  follow(rows: Iterable<GatewayRow>): Promise<void> {
    const lines = [...rows].map((row) => this.#peers.change(row)).filter((one) => one.length > 0);
    if (lines.length === 0) return this.#work;
    this.#work = this.#work
      .then(async () => {
        for (let at = 0; at < lines.length; at += BATCH) {
          await this.#ask(['set=1', ...lines.slice(at, at + BATCH).flat()].join('\n'));
        }
      })
      .catch((error) => {
        this.#log.write('error', 'control-tunnel-failed', { reason: String(error) });
        // It ends, comes back, and is told everything.
        this.#child?.kill();
      });
    return this.#work;
  }

  /** Where the gateway's tunnel is seen: address and port. Undefined before its first packet. */
  async seenAt(row: GatewayRow): Promise<string | undefined> {
    if (!this.#view || Date.now() - this.#view.at > VIEW_LIFE) {
      this.#view = { at: Date.now(), text: this.#ask('get=1').catch(() => '') };
    }
    const key = bytesToHex(keyFromBase64(row.public_key)!);
    const [, peer] = (await this.#view.text).split(`public_key=${key}\n`);
    return /^endpoint=(.*)$/m.exec(peer?.split('public_key=')[0] ?? '')?.[1];
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('close', resolve);
      child.kill();
    });
  }

  async #ask(operation: string): Promise<string> {
    return (await askGateway(uapiDirectory(), this.#name, operation)) ?? '';
  }

  async #launch(): Promise<void> {
    const { folder, program, port, target } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, `${this.#name}.conf`);
    const address = `${controlHost(this.#secret)}/64`;
    const lines = ['[Interface]', `PrivateKey = ${this.#secret.privateKey}`, `ListenPort = ${port}`];
    writeFileSync(file, `${[...lines, `Address = ${address}`].join('\n')}\n`, { mode: 0o600 });
    const expose = `tcp:${CONTROL_PORT}=127.0.0.1:${target}`;
    const args = [program, 'up', file, '--name', this.#name, '--mode', 'rootless', '--expose', expose];
    // It ends with us, however we end.
    const words = ['--pdeathsig', 'TERM', '--', process.execPath, ...args];
    const child = spawn('setpriv', [...words, '--state-dir', folder, '--log-format', 'json'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // The broker's password is nothing to it.
      env: { ...process.env, MQTT_URL: undefined, LOG_LEVEL: 'warn' },
    });
    this.#child = child;
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-2000);
    });
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('close', () =>
        reject(new Error(`the control plane\u2019s tunnel end has ended: ${said.trim()}`)),
      );
    });
    ended.catch((error: Error) => this.#ended(error.message));
    await Promise.race([this.#ready(), ended]);
    this.#restart = RESTART.first;
    this.#peers.reset();
    await this.follow(await listAllGateways(this.#database));
  }

  async #ready(): Promise<void> {
    for (const end = Date.now() + PATIENCE; ; ) {
      const answer = await this.#ask('get=1').catch(() => '');
      if (answer.includes('listen_port=')) return;
      if (Date.now() > end) throw new Error('the control plane\u2019s tunnel end did not come up');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #ended(reason: string): void {
    this.#child = undefined;
    if (this.#stopping) return;
    this.#log.write('error', 'control-tunnel-ended', { reason });
    setTimeout(() => {
      if (!this.#stopping) this.#launch().catch(() => {});
    }, this.#restart).unref();
    this.#restart = Math.min(RESTART.cap, this.#restart * 2);
  }
}
