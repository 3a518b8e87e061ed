import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GatewayStatus } from '../../host/gateway/status.js';
import { PROGRAM } from '../gateway/platform-gateway.js';
import { IP, labSuite, PING } from '../lab/requirements.js';

const CONTROL = fileURLToPath(new URL('../../dist/cloudbridge-control.js', import.meta.url));
/** Seconds a moved gateway answers to both addresses at least. */
const OVERLAP = 10;
const OPENSSL = { program: 'openssl', package: 'openssl' } as const;

/** Two hosts on a wire, as root has them: TUN interfaces, the control plane over TLS on the first host. */
labSuite('changes with traffic in the tunnel', ['root', IP, PING, OPENSSL, { file: CONTROL }], () => {
  const folder = mkdtempSync(join(tmpdir(), 'cb-ping-'));
  const id = process.pid % 10_000;
  const [one, two] = [`cbp${id}a`, `cbp${id}b`];
  const processes: ChildProcess[] = [];
  const environment = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem'), LOG_LEVEL: 'warn' };
  const ip = (...args: string[]) => execFileSync('ip', args);
  const inside = (host: string, ...words: string[]) => [`--net=/run/netns/${host}`, '--', ...words];
  const run = async (host: string, ...words: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('nsenter', inside(host, ...words), { env: environment });
    return stdout;
  };
  const start = (host: string, ...words: string[]): void => {
    processes.push(spawn('nsenter', inside(host, ...words), { env: environment, stdio: 'ignore' }));
  };
  const control = (...args: string[]) =>
    run(one, process.execPath, CONTROL, '--state-dir', join(folder, 'c'), ...args);
  const gateways = async () =>
    JSON.parse(await control('gateways', 'list', '--tenant', 'ping', '--json')) as {
      id: string;
      name: string;
      address: string;
      public_key: string;
      rotation: string | null;
    }[];

  const statusOf = async (host: string) => {
    const name = host.replace('cbp', 'cbt');
    return JSON.parse(await run(host, process.execPath, PROGRAM, 'status', name, '--json')) as GatewayStatus;
  };

  async function wait<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    for (const end = Date.now() + 60_000; Date.now() < end; ) {
      const seen = await look().catch(() => undefined);
      if (seen !== undefined) return seen;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    throw new Error(`never happened: ${what}`);
  }

  beforeAll(async () => {
    for (const host of [one, two]) {
      ip('netns', 'add', host);
      ip('-n', host, 'link', 'set', 'lo', 'up');
    }
    ip('link', 'add', one, 'netns', one, 'type', 'veth', 'peer', 'name', two, 'netns', two);
    for (const [i, host] of [one, two].entries()) {
      ip('-n', host, 'address', 'add', `192.0.2.${i + 1}/24`, 'dev', host);
      ip('-n', host, 'link', 'set', host, 'up');
    }
    const names = ['-subj', '/CN=control', '-addext', 'subjectAltName=IP:192.0.2.1'];
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const made = ['-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...curve, ...names, ...made], {
      stdio: 'ignore',
    });
    const serve = [
      'serve',
      '--listen',
      '192.0.2.1:8443',
      '--tls-cert',
      cert,
      '--tls-key',
      key,
      '--heartbeat',
      '2s',
      '--address-overlap',
      `${OVERLAP}s`,
    ];
    start(one, process.execPath, CONTROL, '--state-dir', join(folder, 'c'), ...serve);
    const claim = await wait('a claim', () =>
      control('claim', 'create', '--tenant', 'ping', '--uses', '2', '--json'),
    );
    for (const host of [one, two]) {
      const where = ['--name', host.replace('cbp', 'cbt'), '--state-dir', join(folder, host)];
      await run(
        host,
        process.execPath,
        PROGRAM,
        'enrol',
        (JSON.parse(claim) as { url: string }).url,
        ...where,
      );
      start(host, process.execPath, PROGRAM, 'run', '--mode', 'tun', ...where);
    }
  }, 120_000);

  afterAll(() => {
    for (const child of processes) child.kill();
    for (const host of [one, two]) execFileSync('sh', ['-c', `sleep 1; ip netns delete ${host} || true`]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('loses no ping of one every 10 ms while both keys change', async () => {
    await wait('both lamps', async () => {
      const { control: lamps } = await statusOf(one);
      return lamps?.control === 'green' && lamps.data === 'green' ? true : undefined;
    });
    const before = await gateways();
    const target = before.find(({ address }) => address !== (before[0].address ?? ''))!.address;
    const ping = new Ping(inside(one, 'ping', '-i', '0.01', '-q', target));
    for (const { id: gateway } of before) await control('gateways', 'rotate', gateway, '--tenant', 'ping');
    const after = await wait('both rotated', async () => {
      const now = await gateways();
      const done = now.every((one, i) => one.rotation === null && one.public_key !== before[i].public_key);
      return done ? now : undefined;
    });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await ping.expectNoLoss(200);
    const peers = (await statusOf(one)).peers.map(({ publicKey }) => publicKey);
    expect(after.map(({ public_key }) => public_key)).toContain(peers[0]);
    expect(peers.length).toBe(1);
  }, 120_000);

  it('loses no ping of one every 10 ms, either way, while an address moves', async () => {
    const [home, moved] = await gateways();
    const hosts = (await statusOf(one)).control?.gateway === home.id ? [one, two] : [two, one];
    const addresses = async () => (await statusOf(hosts[1])).control?.addresses ?? [];
    const known = async () => (await statusOf(hosts[0])).peers[0].allowedIps;
    const ping = (host: string, target: string) => new Ping(inside(host, 'ping', '-i', '0.01', '-q', target));
    const toOld = ping(hosts[0], moved.address);
    const fromMoved = ping(hosts[1], home.address);
    const { address: fresh } = JSON.parse(
      await control('gateways', 'move', moved.id, '--tenant', 'ping'),
    ) as { address: string };
    const [old, next] = [`${moved.address}/32`, `${fresh}/32`];
    expect(fresh).not.toBe(moved.address);
    const both = await wait('both ends know both', async () => {
      const [own, peer] = [await addresses(), await known()];
      return [own, peer].every((list) => list.includes(next)) ? [own, peer] : undefined;
    });
    for (const list of both) expect(list).toContain(old);
    const toNew = ping(hosts[0], fresh);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await toOld.expectNoLoss(50);
    await wait('the old address is gone everywhere', async () => {
      const lists = [await addresses(), await known()];
      return lists.every((list) => !list.includes(old) && list.includes(next)) ? true : undefined;
    });
    expect(await run(hosts[1], 'ip', 'address', 'show')).not.toContain(old);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await toNew.expectNoLoss(200);
    await fromMoved.expectNoLoss(200);
  }, 120_000);

  it('is measured by the doctor: a way that swallows full packets is found, with the size that passes', async () => {
    const where = ['--name', one.replace('cbp', 'cbt'), '--state-dir', join(folder, one)];
    const doctor = async () => {
      const look = run(one, process.execPath, PROGRAM, 'doctor', '--json', ...where);
      const text = await look.catch((error: { stdout: string }) => error.stdout);
      const findings = JSON.parse(text) as {
        check: string;
        verdict: string;
        finding: string;
        remedy?: string;
      }[];
      return Object.fromEntries(findings.map((finding) => [finding.check, finding]));
    };
    const well = await doctor();
    for (const { check, verdict } of Object.values(well)) expect(`${check} ${verdict}`).toBe(`${check} good`);
    expect(Object.keys(well)).toEqual([
      'enrolment',
      'dns',
      'routes',
      'control',
      'time',
      'login',
      'udp',
      'mtu',
    ]);
    expect(well.udp.finding).toMatch(/^1 of 1 peers reached; 10\.[0-9.]+ answers in [0-9.]+ ms$/);
    // The far end takes less, and says nothing.
    ip('-n', two, 'link', 'set', two, 'mtu', '1400');
    const ill = await doctor();
    // A veth lets four bytes more through, for a VLAN tag; IPv4, UDP and WireGuard take 60.
    const fits = 1400 + 4 - 60;
    expect(ill.mtu).toMatchObject({ verdict: 'bad', remedy: `set an MTU of ${fits} or less` });
    expect(ill.mtu.finding).toContain(`192.0.2.2 gets packets of ${fits} bytes`);
  }, 120_000);
});

/** A ping that runs until it is asked how it went. */
class Ping {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = '';

  constructor(words: readonly string[]) {
    this.#child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (data) => {
      this.#output += data;
    });
    this.#ended = new Promise((resolve) => this.#child.on('close', resolve));
  }

  async expectNoLoss(least: number): Promise<void> {
    this.#child.kill('SIGINT');
    await this.#ended;
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(this.#output)!.map(Number);
    expect(sent).toBeGreaterThan(least);
    // The last one may still be on its way.
    expect(sent - received).toBeLessThanOrEqual(1);
  }
}
