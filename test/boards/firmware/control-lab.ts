/** A control plane over TLS and MQTT on one host, the firmware on another, on a wire between two namespaces. */

import { type ChildProcess, execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayStatus } from '../../../src/gateway/status.js';
import { PROGRAM, XS_PROGRAM } from '../../lab/gateway-end.js';
import { Lab } from '../../lab/lab.js';
import type { Namespace, RunResult } from '../../lab/namespace.js';
import { until } from '../../lab/wait.js';

export const CONTROL = fileURLToPath(new URL('../../../dist/cloudbridge-control.js', import.meta.url));
export const CONTROL_ADDRESS = '192.0.2.1';
export const FAR_ADDRESS = '192.0.2.2';
export const CONTROL_PORT = 8443;
export const MQTT_PORT = 8883;
export const TENANT = 'board';

/** Longest a change may take to be seen, ms: a heartbeat or two on a busy machine. */
const PATIENCE = 90_000;

export interface Listed {
  readonly id: string;
  readonly address: string;
  readonly public_key: string;
  readonly rotation: string | null;
  readonly online: boolean;
  readonly link?: string;
}

export class ControlLab {
  readonly lab = new Lab();
  readonly home: Namespace;
  readonly far: Namespace;
  readonly certificate: string;
  readonly key: string;
  readonly state: string;

  constructor() {
    this.home = this.lab.namespace('home');
    this.far = this.lab.namespace('far');
    this.lab.link(
      { space: this.home, addresses: [`${CONTROL_ADDRESS}/24`] },
      { space: this.far, addresses: [`${FAR_ADDRESS}/24`] },
    );
    this.state = this.lab.subdirectory('state');
    [this.certificate, this.key] = this.makeCertificate('control', `IP:${CONTROL_ADDRESS}`);
  }

  /** The environment by which both hosts trust the control plane's certificate, and no other. */
  get trust(): Record<string, string> {
    return { NODE_EXTRA_CA_CERTS: this.certificate, SSL_CERT_FILE: this.certificate, NO_COLOR: '1' };
  }

  get pin(): string {
    const { publicKey } = new X509Certificate(readFileSync(this.certificate));
    const key = publicKey.export({ type: 'spki', format: 'der' });
    return `sha256/${createHash('sha256').update(key).digest('base64')}`;
  }

  /** Paths of a self-signed certificate and its key. */
  makeCertificate(name: string, alternative: string): [string, string] {
    const paths: [string, string] = [
      join(this.lab.directory, `${name}.pem`),
      join(this.lab.directory, `${name}.key`),
    ];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${alternative}`];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const files = ['-out', paths[0], '-keyout', paths[1]];
    execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...curve, ...subject, ...files], {
      stdio: 'ignore',
    });
    return paths;
  }

  /** Starts the control plane and waits for its answer; by default with a broker of its own. */
  async serve(
    options: readonly string[] = ['--mqtt-listen', `${CONTROL_ADDRESS}:${MQTT_PORT}`],
    environment: Record<string, string> = {},
  ): Promise<ChildProcess> {
    const start = () =>
      this.home.spawn(
        [
          ...[process.execPath, CONTROL, '--state-dir', this.lab.subdirectory('control'), 'serve'],
          ...[
            '--listen',
            `${CONTROL_ADDRESS}:${CONTROL_PORT}`,
            '--heartbeat',
            '2s',
            '--address-overlap',
            '5s',
          ],
          ...['--tls-cert', this.certificate, '--tls-key', this.key, ...options],
        ],
        { environment: { ...this.trust, ...environment }, logFile: this.controlLog },
      );
    let child = start();
    const list = ['gateways', 'list', '--tenant', TENANT, '--json'];
    await until('the control plane answers', PATIENCE, async () => {
      // As a service manager does: a broker drops its administrator when that one's own role changes.
      if (child.exitCode !== null) child = start();
      return (await this.#control(...list)).code === 0;
    });
    return child;
  }

  get controlLog(): string {
    return join(this.lab.directory, 'control.log');
  }

  #control(...words: string[]): Promise<RunResult> {
    const folder = this.lab.subdirectory('control');
    return this.home.run([process.execPath, CONTROL, '--state-dir', folder, ...words], {
      environment: this.trust,
    });
  }

  async control(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#control(...words);
    if (code !== 0) throw new Error(`${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** The URL of a claim. */
  async claim(uses = 1): Promise<string> {
    const made = await this.control('claim', 'create', '--tenant', TENANT, '--uses', String(uses), '--json');
    return (JSON.parse(made) as { url: string }).url;
  }

  async gateways(): Promise<Listed[]> {
    return JSON.parse(await this.control('gateways', 'list', '--tenant', TENANT, '--json'));
  }

  /** New settings under commit-confirm. */
  async configure(gateway: string, settings: object): Promise<void> {
    const { url, token } = JSON.parse(
      readFileSync(join(this.lab.subdirectory('control'), 'admin.json'), 'utf8'),
    ) as { url: string; token: string };
    const address = `${url}/api/v1/tenants/${TENANT}/gateways/${gateway}/configuration`;
    const script = `fetch(${JSON.stringify(address)}, { method: 'POST', body: ${JSON.stringify(JSON.stringify({ settings }))},
      headers: { authorization: 'Bearer ' + process.env.ADMIN_TOKEN, 'content-type': 'application/json' } })
      .then((answer) => { if (answer.status !== 200) throw new Error('status ' + answer.status); })`;
    await this.home.get([process.execPath, '-e', script], {
      environment: { ...this.trust, ADMIN_TOKEN: token },
    });
  }

  /** The firmware's program, run to its end. */
  firmware(
    space: Namespace,
    words: readonly string[],
    environment: Record<string, string> = {},
  ): Promise<RunResult> {
    return space.run([XS_PROGRAM, ...words], { environment: { ...this.trust, ...environment } });
  }

  node(space: Namespace, words: readonly string[]): Promise<RunResult> {
    return space.run([process.execPath, PROGRAM, ...words], { environment: this.trust });
  }

  async status(name: string): Promise<GatewayStatus> {
    const { code, stdout, stderr } = await this.firmware(this.far, ['status', name, '--json']);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as GatewayStatus;
  }

  /** Waits for a status; the last one seen explains a failure. */
  async statusUntil(
    what: string,
    name: string,
    good: (status: GatewayStatus) => boolean,
  ): Promise<GatewayStatus> {
    let last: GatewayStatus | undefined;
    try {
      return await until(
        what,
        PATIENCE,
        async () => {
          last = await this.status(name).catch(() => last);
          return last && good(last) ? last : undefined;
        },
        200,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${JSON.stringify(last, undefined, 1)}`);
    }
  }

  close(): void {
    this.lab.close();
  }
}

export const lamps = (control: string, data: string) => (status: GatewayStatus) =>
  status.control?.control === control && status.control.data === data;

/** A ping of one every 10 ms, until it is counted. */
export class LastingPing {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;

  constructor(space: Namespace, target: string, log: string) {
    this.#log = log;
    this.#child = space.spawn(['ping', '-i', '0.01', '-q', target], { logFile: log });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** How many were sent, and how many got no answer. The last one may be on its way still. */
  async count(): Promise<{ sent: number; lost: number }> {
    this.#child.kill('SIGINT');
    await this.#ended;
    const counts = /(\d+) packets transmitted, (\d+) received/.exec(readFileSync(this.#log, 'utf8'));
    const [sent, received] = [Number(counts?.[1]), Number(counts?.[2])];
    return { sent, lost: Math.max(0, sent - received - 1) };
  }
}
