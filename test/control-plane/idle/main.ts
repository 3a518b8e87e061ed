/**
 * `npm run bench:idle`: the bytes that an idle gateway with one peer sends and receives in a day, every layer from IP
 * upwards counted. The programs run as they are in a network namespace of their own, whose loopback device counts.
 * Needs root. Minutes and profile as arguments: `-- 5 metered`.
 */

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClaim } from '../../../host/control-plane/claims.js';
import { openDatabase } from '../../../host/control-plane/database.js';
import { ControlServer } from '../../../host/control-plane/server.js';
import type { GatewayStatus } from '../../../host/gateway/status.js';

const PROGRAM = fileURLToPath(new URL('../../../dist/cloudbridge-gateway.js', import.meta.url));
const DAY = 86_400;
/** The loopback device counts an Ethernet header that no packet of it has, bytes. */
const LINK_HEADER = 14;
/** IPv4 and UDP headers, bytes. */
const DATAGRAM_HEADERS = 28;
/** Decimal megabytes, as data plans count them. */
const BUDGET = { usual: 2, metered: 1 } as const;

const minutes = Number(process.argv[2] ?? 5);
const profile = process.argv[3] === 'metered' ? 'metered' : 'usual';

if (process.env.IDLE_INSIDE === undefined) {
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const environment = { ...process.env, IDLE_INSIDE: '1' };
  spawn('unshare', ['--net', '--', ...self], { stdio: 'inherit', env: environment }).on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
} else await measure();

interface Counts {
  /** From IP upwards, all packets. */
  readonly total: number;
  readonly udpDatagrams: number;
  readonly udpBytes: number;
}

async function measure(): Promise<void> {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const folder = mkdtempSync(join(tmpdir(), 'cb-idle-'));
  const [cert, key] = certificate(folder);
  const database = await openDatabase(undefined);
  const log = { write: () => {} };
  const port = 8443;
  const server = await ControlServer.start({
    database,
    log,
    adminToken: 'idle',
    host: '127.0.0.1',
    port,
    publicUrl: `https://localhost:${port}`,
    tls: { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') },
  });
  const environment = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: cert,
    XDG_RUNTIME_DIR: folder,
    LOG_LEVEL: 'error',
  };
  const { token } = await createClaim(database, { tenant: 'idle', uses: 2, expires: 3600 });
  const claim = `${server.url}/join?token=${token}`;
  const names = [`cbi${process.pid % 10_000}a`, `cbi${process.pid % 10_000}b`];
  const program = (...args: string[]) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn(process.execPath, [PROGRAM, ...args], { env: environment });
      let output = '';
      child.stdout.on('data', (data) => {
        output += data;
      });
      child.stderr.pipe(process.stderr);
      child.on('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`${args[0]} ended with ${code}`)),
      );
    });
  const gateways = [];
  for (const name of names) {
    await program('enrol', claim, '--name', name, '--state-dir', folder);
    const args = ['run', '--name', name, '--mode', 'minimal', '--state-dir', folder];
    gateways.push(spawn(process.execPath, [PROGRAM, ...args], { env: environment, stdio: 'ignore' }));
  }
  const status = async (name: string) => JSON.parse(await program('status', name, '--json')) as GatewayStatus;
  const counts = async (): Promise<Counts> => {
    const [, bytes, packets] = /lo:\s*(\d+)\s+(\d+)/.exec(readFileSync('/proc/net/dev', 'utf8'))!;
    const udp = /\nUdp: \d.*/.exec(readFileSync('/proc/net/snmp', 'utf8'))![0].trim().split(' ');
    const all = await Promise.all(names.map(status));
    const sent = all
      .flatMap(({ peers }) => peers.map((peer) => peer.sent))
      .reduce((sum, one) => sum + one, 0);
    return {
      total: Number(bytes) - Number(packets) * LINK_HEADER,
      udpDatagrams: Number(udp[4]),
      udpBytes: sent,
    };
  };
  try {
    for (;;) {
      const lamps = (await Promise.all(names.map((name) => status(name).catch(() => undefined)))).map(
        (one) => one?.control?.control === 'green' && one.control.data === 'green',
      );
      if (lamps.every(Boolean)) break;
      await sleep(500);
    }
    if (profile === 'metered') await setMetered(server, await gatewaysOf(server));
    // What comes once, at the start, is not idling.
    await sleep(10_000);
    const before = await counts();
    await sleep(minutes * 60_000);
    const after = await counts();
    report(before, after, minutes * 60);
  } finally {
    for (const gateway of gateways) gateway.kill();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  }
}

/** The two gateways' control sessions are half of TCP each; the tunnel between them is both's. */
function report(before: Counts, after: Counts, seconds: number): void {
  const datagrams = after.udpDatagrams - before.udpDatagrams;
  const tunnel = after.udpBytes - before.udpBytes + datagrams * DATAGRAM_HEADERS;
  const control = (after.total - before.total - tunnel) / 2;
  const daily = (bytes: number): number => Math.round((bytes * DAY) / seconds);
  const total = (daily(tunnel) + daily(control)) / 1e6;
  console.log(
    `profile ${profile}, one peer, WebSocket over TLS 1.3, measured for ${minutes} min, from IP upwards`,
  );
  console.log(`control  ${(daily(control) / 1e6).toFixed(2)} MB a day`);
  console.log(`tunnel   ${(daily(tunnel) / 1e6).toFixed(2)} MB a day`);
  console.log(
    `together ${total.toFixed(2)} MB a day; budget ${BUDGET[profile]} MB: ${total <= BUDGET[profile] ? 'kept' : 'MISSED'}`,
  );
  process.exitCode = total <= BUDGET[profile] ? 0 : 1;
}

async function gatewaysOf(server: ControlServer): Promise<string[]> {
  const { body } = await admin(server, 'GET', '/api/v1/tenants/idle/gateways');
  return (body.gateways as { id: string }[]).map(({ id }) => id);
}

async function setMetered(server: ControlServer, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await admin(server, 'POST', `/api/v1/tenants/idle/gateways/${id}/configuration`, {
      settings: { metered: true },
    });
  }
}

/** Without a request that the device would count. */
async function admin(server: ControlServer, method: string, path: string, body?: object) {
  const route = server.routes.find((one) => one.method === method && matches(one.path, path));
  if (!route) throw new Error(`no route ${path}`);
  const parts = path.split('/');
  const params = Object.fromEntries(
    route.path.split('/').flatMap((name, i) => (name.startsWith(':') ? [[name.slice(1), parts[i]]] : [])),
  );
  return {
    body: (await route.handle({ params, body: (body ?? {}) as Record<string, unknown> })) as Record<
      string,
      unknown
    >,
  };
}

function matches(pattern: string, path: string): boolean {
  const [a, b] = [pattern.split('/'), path.split('/')];
  return a.length === b.length && a.every((part, i) => part.startsWith(':') || part === b[i]);
}

function certificate(folder: string): [cert: string, key: string] {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const made = ['-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...curve, ...names, ...made], {
    stdio: 'ignore',
  });
  return [cert, key];
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
