import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GatewayStatus } from '../../host/gateway/status.js';
import { PROGRAM } from '../gateway/platform-gateway.js';
import { IP, labSuite, NFT, PING } from '../lab/requirements.js';

const CONTROL = fileURLToPath(new URL('../../dist/cloudbridge-control.js', import.meta.url));
const OPENSSL = { program: 'openssl', package: 'openssl' } as const;
/** Names the control plane's tunnel end, too, and names are the machine's. */
const TUNNEL_PORT = 30_000 + (process.pid % 10_000);

/** The control plane on one host, gateways of two tenants on two others, all on one wire. */
labSuite('control inside the tunnel', ['root', IP, NFT, PING, OPENSSL, { file: CONTROL }], () => {
  const folder = mkdtempSync(join(tmpdir(), 'cb-in-'));
  const id = process.pid % 10_000;
  const hub = `cbi${id}s`;
  const [server, one, two] = ['c', 'a', 'b'].map((letter) => `cbi${id}${letter}`);
  const hosts = [server, one, two];
  const processes: ChildProcess[] = [];
  const certificate = join(folder, 'cert.pem');
  const environment = { ...process.env, NODE_EXTRA_CA_CERTS: certificate, LOG_LEVEL: 'info' };
  const ip = (...args: string[]) => execFileSync('ip', args);
  const inside = (host: string, ...words: string[]) => [`--net=/run/netns/${host}`, '--', ...words];
  const run = async (host: string, ...words: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('nsenter', inside(host, ...words), { env: environment });
    return stdout;
  };
  const start = (host: string, log: string, ...words: string[]): ChildProcess => {
    const file = openSync(join(folder, log), 'a');
    const child = spawn('nsenter', inside(host, ...words), {
      env: environment,
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    processes.push(child);
    return child;
  };
  const control = (...args: string[]) =>
    run(server, process.execPath, CONTROL, '--state-dir', join(folder, 'c'), ...args);
  const nameOf = (host: string) => host.replace('cbi', 'cbj');
  const where = (host: string) => ['--name', nameOf(host), '--state-dir', join(folder, host)];
  const gateways = new Map<string, ChildProcess>();
  const startGateway = (host: string): void => {
    const words = [process.execPath, PROGRAM, 'run', '--mode', 'tun', ...where(host)];
    gateways.set(host, start(host, `${host}.log`, ...words));
  };
  const stopGateway = async (host: string, signal: NodeJS.Signals): Promise<void> => {
    const child = gateways.get(host)!;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await ended;
  };
  const status = async (host: string) =>
    JSON.parse(await run(host, process.execPath, PROGRAM, 'status', nameOf(host), '--json')) as GatewayStatus;
  /** The only rule for what this host sends. */
  const filter = async (host: string, rule: string): Promise<void> => {
    const chain = 'add chain inet t o { type filter hook output priority 0; }';
    await run(host, 'nft', `add table inet t; flush table inet t; ${chain}; add rule inet t o ${rule}`);
  };

  async function wait<T>(what: string, look: () => Promise<T | undefined>, seconds = 60): Promise<T> {
    let last: unknown;
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      const seen = await look().catch((error) => {
        last = error;
        return undefined;
      });
      if (seen !== undefined) return seen;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    const logs = hosts.map((host) => tail(join(folder, `${host}.log`))).join('\n');
    throw new Error(`never happened: ${what} ${String(last ?? '')}\n${logs}`);
  }

  /** Green, over a link that fits. */
  const live = (host: string, link: RegExp, seconds?: number) =>
    wait(
      `${host} by ${link}`,
      async () => {
        const now = await status(host);
        const { control: lamp, link: by, session } = now.control!;
        return lamp === 'green' && session === 'live' && link.test(by ?? '') ? now : undefined;
      },
      seconds,
    );

  beforeAll(async () => {
    ip('link', 'add', hub, 'type', 'bridge');
    ip('link', 'set', hub, 'up');
    for (const [i, host] of hosts.entries()) {
      ip('netns', 'add', host);
      ip('-n', host, 'link', 'set', 'lo', 'up');
      ip(
        'link',
        'add',
        `${host}0`,
        'master',
        hub,
        'up',
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        host,
      );
      ip('-n', host, 'address', 'add', `192.0.2.${i + 1}/24`, 'dev', 'eth0');
      ip('-n', host, 'link', 'set', 'eth0', 'up');
    }
    const names = ['-subj', '/CN=control', '-addext', 'subjectAltName=IP:192.0.2.1'];
    const key = join(folder, 'key.pem');
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const made = ['-keyout', key, '-out', certificate];
    execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...curve, ...names, ...made], {
      stdio: 'ignore',
    });
    const serve = ['serve', '--listen', '192.0.2.1:8443', '--tls-cert', certificate, '--tls-key', key];
    const more = ['--heartbeat', '5s', '--tunnel-listen', String(TUNNEL_PORT)];
    start(
      server,
      `${server}.log`,
      process.execPath,
      CONTROL,
      '--state-dir',
      join(folder, 'c'),
      ...serve,
      ...more,
    );
    for (const host of [one, two]) {
      const claim = await wait('a claim', () =>
        control('claim', 'create', '--tenant', `t-${host}`, '--json'),
      );
      const { url } = JSON.parse(claim) as { url: string };
      await run(host, process.execPath, PROGRAM, 'enrol', url, ...where(host));
      startGateway(host);
    }
  }, 120_000);

  afterAll(() => {
    for (const child of processes) child.kill();
    execFileSync('sleep', ['2']);
    // A namespace outlives its name while connections linger.
    for (const host of hosts)
      execFileSync('sh', ['-c', `ip link delete ${host}0; ip netns delete ${host} || true`]);
    ip('link', 'delete', hub);
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes over when the outer way is closed, also for a login', async () => {
    await live(one, /^websocket$/);
    await filter(one, 'tcp dport 8443 reject with tcp reset');
    const inTunnel = await live(one, /in the tunnel$/);
    expect(inTunnel.control?.route).toMatch(/^ws:\/\/\[fd[0-9a-f:]+::1\]:80\/ws$/);
    expect(inTunnel.control?.linkReason).toContain('not websocket: ');
    // A start without a token and without the outer way.
    await stopGateway(one, 'SIGTERM');
    startGateway(one);
    await live(one, /in the tunnel$/);
    await live(two, /^websocket$/);
  }, 180_000);

  it('goes on while the tunnel key changes', async () => {
    const before = await live(one, /in the tunnel$/);
    const { connections } = before.control!.counters;
    const { gateway, tenant } = before.control!;
    await control('gateways', 'rotate', gateway, '--tenant', tenant);
    const after = await wait('another key', async () => {
      const now = await status(one);
      return now.publicKey !== before.publicKey && now.control?.rotation !== 'switched' ? now : undefined;
    });
    // Also after a handshake that only the new key can make.
    await stopGateway(one, 'SIGKILL');
    expect(after.control?.counters.connections).toBe(connections);
    startGateway(one);
    const again = await live(one, /in the tunnel$/);
    expect(again.publicKey).toBe(after.publicKey);
  }, 120_000);

  it('lets gateways reach the control plane, and neither each other nor anything else of its host', async () => {
    await live(one, /in the tunnel$/);
    const addresses = await Promise.all([one, two].map(async (host) => (await status(host)).control!.route));
    const host = /\[([^\]]+)\]/.exec(addresses[0]!)![1];
    const other = JSON.parse(await run(two, 'ip', '-j', '-6', 'address', 'show', 'dev', nameOf(two))) as {
      addr_info: { local: string; scope: string }[];
    }[];
    const theirs = other[0].addr_info.find(({ local }) => local.startsWith('fd'))!.local;
    const reach = (address: string) =>
      run(one, 'ping', '-6', '-c', '2', '-W', '1', address).then(
        () => 'reached',
        () => 'not reached',
      );
    expect(await reach(host)).toBe('reached');
    await run(one, 'ip', '-6', 'route', 'replace', `${theirs}/128`, 'dev', nameOf(one));
    expect(await reach(theirs)).toBe('not reached');
    const open = (port: number) =>
      run(one, 'bash', '-c', `exec 3<>/dev/tcp/${host}/${port}`).then(
        () => 'open',
        () => 'closed',
      );
    expect(await Promise.all([80, 8443, 22].map(open))).toEqual(['open', 'closed', 'closed']);
  }, 60_000);

  it('gives way to the outer link when the tunnel is lost', async () => {
    await live(one, /in the tunnel$/);
    await filter(one, `udp dport ${TUNNEL_PORT} drop`);
    const outside = await live(one, /^websocket$/, 90);
    expect(outside.control?.linkReason).toBe('the first choice');
  }, 120_000);
});

function tail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-3000);
  } catch {
    return '';
  }
}
