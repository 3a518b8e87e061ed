/**
 * `npm run bench:idle`: the bytes that an idle gateway with one peer sends and receives in a day, every layer from IP
 * upwards counted. Control plane and gateways have a network namespace each, on one bridge; nftables counts what passes
 * one of the gateways. Needs root and nftables. Minutes, profile and link as arguments: `-- 5 metered tunnel`.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
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
/** Decimal megabytes, as data plans count them. */
const BUDGET = { usual: 2, metered: 1 } as const;
const [PORT, MQTT_PORT] = [8443, 8883];
/** Names the control plane's tunnel end, too, and names are the machine's: several may measure at once. */
const TUNNEL_PORT = 40_000 + (process.ppid % 20_000);
const CONTROL = '192.0.2.1';

/** What a gateway is told to use, and how its status then calls it. */
const LINKS = {
  websocket: { setting: `wss://${CONTROL}:${PORT}/ws`, name: 'websocket', said: 'WebSocket over TLS 1.3' },
  mqtt: { setting: `mqtts://${CONTROL}:${MQTT_PORT}`, name: 'mqtt', said: 'MQTT over TLS 1.3' },
  tunnel: { setting: 'tunnel', name: 'websocket in the tunnel', said: 'WebSocket inside the tunnel' },
} as const;

const minutes = Number(process.argv[2] ?? 5);
const profile = process.argv[3] === 'metered' ? 'metered' : 'usual';
const link = LINKS[(process.argv[4] ?? 'websocket') as keyof typeof LINKS];
if (!link || !(minutes > 0)) {
  console.error(`usage: bench:idle -- <minutes> usual|metered ${Object.keys(LINKS).join('|')}`);
  process.exit(1);
}

const ip = (...args: string[]) => execFileSync('ip', args);

/** Makes the network, and runs this program once more in the control plane's namespace. */
function enclose(): void {
  const id = `cbd${process.pid % 10_000}`;
  const hosts = ['c', 'a', 'b'].map((letter) => id + letter);
  ip('link', 'add', id, 'type', 'bridge');
  ip('link', 'set', id, 'up');
  for (const [i, host] of hosts.entries()) {
    ip('netns', 'add', host);
    ip('-n', host, 'link', 'set', 'lo', 'up');
    ip('link', 'add', `${host}0`, 'master', id, 'up', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    ip('-n', host, 'address', 'add', `192.0.2.${i + 1}/24`, 'dev', 'eth0');
    ip('-n', host, 'link', 'set', 'eth0', 'up');
  }
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const environment = { ...process.env, IDLE_INSIDE: id };
  const child = spawn('nsenter', [`--net=/run/netns/${hosts[0]}`, '--', ...self], {
    stdio: 'inherit',
    env: environment,
  });
  child.on('exit', (code) => {
    // A namespace outlives its name while connections linger.
    for (const host of hosts) {
      ip('link', 'delete', `${host}0`);
      ip('netns', 'delete', host);
    }
    ip('link', 'delete', id);
    process.exitCode = code ?? 1;
  });
}

/** Bytes from IP upwards. */
interface Counts {
  readonly tcp: number;
  readonly control: number;
  readonly peers: number;
}

async function measure(id: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cb-idle-'));
  const [cert, key] = certificate(folder);
  const database = await openDatabase(undefined);
  const publicUrl = `https://${CONTROL}:${PORT}`;
  const server = await ControlServer.start({
    database,
    log: { write: () => {} },
    adminToken: 'idle',
    host: CONTROL,
    port: PORT,
    publicUrl,
    tls: { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') },
    mqtt: { host: CONTROL, port: MQTT_PORT },
    tunnel: { port: TUNNEL_PORT, endpoint: `${CONTROL}:${TUNNEL_PORT}`, folder, program: PROGRAM },
  });
  const environment = { ...process.env, NODE_EXTRA_CA_CERTS: cert, LOG_LEVEL: 'error' };
  const hosts = ['a', 'b'].map((letter) => id + letter);
  const start = (host: string, words: readonly string[]): ChildProcess =>
    spawn('nsenter', [`--net=/run/netns/${host}`, '--', ...words], { env: environment });
  const run = (host: string, ...words: string[]) =>
    new Promise<string>((resolve, reject) => {
      const child = start(host, words);
      let output = '';
      child.stdout?.on('data', (data) => {
        output += data;
      });
      child.stderr?.pipe(process.stderr);
      child.on('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`${words.join(' ')} ended with ${code}`)),
      );
    });
  const nameOf = (host: string) => host.replace('cbd', 'cbe');
  const status = async (host: string) =>
    JSON.parse(await run(host, process.execPath, PROGRAM, 'status', nameOf(host), '--json')) as GatewayStatus;
  const { token } = await createClaim(database, { tenant: 'idle', uses: 2, expires: 3600 });
  const gateways: ChildProcess[] = [];
  try {
    for (const host of hosts) {
      const where = ['--name', nameOf(host), '--state-dir', folder];
      await run(host, process.execPath, PROGRAM, 'enrol', `${publicUrl}/join?token=${token}`, ...where);
      const gateway = start(host, [process.execPath, PROGRAM, 'run', '--mode', 'tun', ...where]);
      gateway.stdout?.resume();
      gateway.stderr?.resume();
      gateways.push(gateway);
    }
    const settled = async (name: string): Promise<void> => {
      for (;;) {
        const all = await Promise.all(hosts.map((host) => status(host).catch(() => undefined)));
        if (all.every((one) => isGreen(one) && one?.control?.link === name)) return;
        await sleep(500);
      }
    };
    await settled('websocket');
    for (const gateway of await gatewaysOf(server)) {
      const settings = { control: [link.setting], ...(profile === 'metered' ? { metered: true } : {}) };
      await admin(server, 'POST', `/api/v1/tenants/idle/gateways/${gateway}/configuration`, { settings });
    }
    await settled(link.name);
    // What comes once, at the start, is not idling.
    await sleep(20_000);
    await run(hosts[0], 'nft', COUNTERS);
    await sleep(minutes * 60_000);
    report(readCounts(await run(hosts[0], 'nft', '-j', 'list', 'counters')), minutes * 60);
    // Without keepalives the lamp for data may be out by now; the link must not be another one.
    const [after] = await Promise.all(hosts.map(status));
    if (after.control?.link !== link.name) throw new Error(`it went on over ${after.control?.link}`);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    for (const gateway of gateways) gateway.kill();
    await sleep(1_000);
    // What was measured is told; a slow farewell is not waited for.
    await Promise.race([server.stop(), sleep(15_000)]);
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  }
}

/** What passes the gateway's own interface, both ways. */
const COUNTERS = [
  'add table inet idle',
  ...['tcp', 'control', 'peers'].map((name) => `add counter inet idle by_${name}`),
  ...countersAt('input', 'iifname eth0', 'sport'),
  ...countersAt('output', 'oifname eth0', 'dport'),
].join('; ');

function countersAt(hook: string, where: string, port: string): string[] {
  const rule = `add rule inet idle ${hook} ${where}`;
  return [
    `add chain inet idle ${hook} { type filter hook ${hook} priority 0; }`,
    `${rule} meta l4proto tcp counter name by_tcp`,
    `${rule} udp ${port} ${TUNNEL_PORT} counter name by_control`,
    `${rule} udp ${port} != ${TUNNEL_PORT} counter name by_peers`,
  ];
}

function readCounts(json: string): Counts {
  const { nftables } = JSON.parse(json) as { nftables: { counter?: { name: string; bytes: number } }[] };
  const of = (name: string) =>
    nftables.find(({ counter }) => counter?.name === `by_${name}`)?.counter?.bytes ?? 0;
  return { tcp: of('tcp'), control: of('control'), peers: of('peers') };
}

function isGreen(status: GatewayStatus | undefined): boolean {
  return status?.control?.control === 'green' && status.control.data === 'green';
}

function report({ tcp, control, peers }: Counts, seconds: number): void {
  const daily = (bytes: number): number => (bytes * DAY) / seconds / 1e6;
  const total = daily(tcp + control + peers);
  const kept = total <= BUDGET[profile];
  console.log(`profile ${profile}, one peer, ${link.said}, measured for ${minutes} min, from IP upwards`);
  console.log(`control  ${daily(tcp + control).toFixed(2)} MB a day`);
  console.log(`peer     ${daily(peers).toFixed(2)} MB a day`);
  console.log(
    `together ${total.toFixed(2)} MB a day; budget ${BUDGET[profile]} MB: ${kept ? 'kept' : 'MISSED'}`,
  );
  process.exitCode = kept ? 0 : 1;
}

async function gatewaysOf(server: ControlServer): Promise<string[]> {
  const { body } = await admin(server, 'GET', '/api/v1/tenants/idle/gateways');
  return (body.gateways as { id: string }[]).map(({ id }) => id);
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
  const names = ['-subj', '/CN=control', '-addext', `subjectAltName=IP:${CONTROL}`];
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

const inside = process.env.IDLE_INSIDE;
if (inside === undefined) enclose();
else await measure(inside);
