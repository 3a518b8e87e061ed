/** coturn, as Debian has it, on loopback: credentials by `use-auth-secret`, ports of its own. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PortableDigests } from '../../../src/crypto/portable-digests.js';
import { makeRestCredentials } from '../../../src/ice/rest-credentials.js';
import type { Namespace } from '../../lab/namespace.js';

export const COTURN = { program: 'turnserver', package: 'coturn' } as const;
export const OPENSSL = { program: 'openssl', package: 'openssl' } as const;

const SECRET = 'the secret of control plane and relay';

export interface CoturnOptions {
  /** Its UDP and TCP port; TLS is the next one, relayed ports begin 100 above. */
  readonly port: number;
  /** Further lines of its configuration. */
  readonly settings?: readonly string[];
  /** Addresses it listens on and relays from; 127.0.0.1 unless told. */
  readonly addresses?: readonly string[];
  /** The namespace it runs in. */
  readonly space?: Namespace;
}

export class Coturn {
  readonly port: number;
  readonly tlsPort: number;
  readonly #options: CoturnOptions;
  #folder = '';
  #process: ChildProcess | undefined;

  constructor(options: CoturnOptions) {
    this.#options = options;
    this.port = options.port;
    this.tlsPort = options.port + 1;
  }

  get certificate(): string {
    return readFileSync(join(this.#folder, 'cert'), 'utf8');
  }

  /** Credentials that end in so many seconds. */
  credentials(id: string, seconds = 3_600): { username: string; password: string } {
    return makeRestCredentials(new PortableDigests(), SECRET, id, Date.now() / 1000 + seconds);
  }

  async start(): Promise<void> {
    const { port, tlsPort } = this;
    if (this.#folder === '') this.#prepare();
    const folder = this.#folder;
    const { settings = [], addresses = ['127.0.0.1'] } = this.#options;
    const lines = [
      ...addresses.flatMap((address) => [`listening-ip=${address}`, `relay-ip=${address}`]),
      `listening-port=${port}`,
      `tls-listening-port=${tlsPort}`,
      `min-port=${port + 100}`,
      `max-port=${port + 199}`,
      'realm=relay.example.net',
      'use-auth-secret',
      `static-auth-secret=${SECRET}`,
      'fingerprint',
      'allow-loopback-peers',
      'cli-password=x',
      'no-cli',
      'no-multicast-peers',
      `cert=${join(folder, 'cert')}`,
      `pkey=${join(folder, 'key')}`,
      `userdb=${join(folder, 'db')}`,
      `pidfile=${join(folder, 'pid')}`,
      'log-file=stdout',
      ...settings,
    ];
    const path = join(folder, 'turnserver.conf');
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
    const [program, ...words] = this.#inside('setpriv', '--pdeathsig', 'KILL', 'turnserver', '-c', path);
    this.#process = spawn(program, words, { stdio: 'ignore' });
    for (let i = 0; i < 100; i++) {
      const [ss, ...query] = this.#inside('ss', '-Hltn', `sport = :${port}`);
      if (spawnSync(ss, query).stdout.length > 0) return;
      await sleep(50);
    }
    throw new Error(`coturn does not listen on ${port}`);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  }

  async close(): Promise<void> {
    await this.kill();
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = '';
  }

  /** A folder of its own with a certificate. */
  #prepare(): void {
    const folder = mkdtempSync(join(tmpdir(), 'cloudbridge-coturn-'));
    this.#folder = folder;
    execFileSync(
      'openssl',
      [
        ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'.split(
          ' ',
        ),
        ...[
          '-addext',
          'subjectAltName=DNS:localhost',
          '-keyout',
          join(folder, 'key'),
          '-out',
          join(folder, 'cert'),
        ],
      ],
      { stdio: 'ignore' },
    );
  }

  #inside(...command: string[]): string[] {
    const { space } = this.#options;
    return space === undefined ? command : ['nsenter', `--net=/run/netns/${space.name}`, '--', ...command];
  }
}
