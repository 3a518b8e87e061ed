/** The firmware under a real control plane, over TLS 1.3, WebSocket and MQTT, beside a gateway on the Node host. */

import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PROGRAM, XS_PROGRAM } from '../../lab/gateway-end.js';
import { ping } from '../../lab/pair.js';
import { IP, labSuite, PING } from '../../lab/requirements.js';
import { sleep, until } from '../../lab/wait.js';
import { CONTROL, CONTROL_ADDRESS, ControlLab, LastingPing, lamps, MQTT_PORT } from './control-lab.js';

const OPENSSL = { program: 'openssl', package: 'openssl' } as const;
const NEEDS = [
  'root',
  IP,
  PING,
  OPENSSL,
  { file: CONTROL },
  { file: XS_PROGRAM },
  { file: PROGRAM },
] as const;
const SPARE = `sha256/${'A'.repeat(43)}=`;

labSuite('the firmware under a control plane', NEEDS, () => {
  let net: ControlLab;
  let served: ChildProcess;
  let firmware: ChildProcess;
  let name: string;
  let other: string;
  let id: string;
  /** The Node gateway's address inside. */
  let target: string;

  const where = (one = name) => ['--name', one, '--state-dir', net.state];
  const logOf = (one: string) => join(net.lab.directory, `${one}.log`);
  const startFirmware = () => {
    firmware = net.far.spawn([XS_PROGRAM, 'run', ...where()], {
      environment: net.trust,
      logFile: logOf(name),
    });
  };
  const ended = (child: ChildProcess) =>
    new Promise<number | null>((resolve) => {
      if (child.exitCode !== null) resolve(child.exitCode);
      else child.once('exit', (code) => resolve(code));
    });

  beforeAll(async () => {
    net = new ControlLab();
    name = net.lab.interfaceName();
    other = net.lab.interfaceName();
    served = await net.serve();
  }, 120_000);
  afterAll(() => net?.close());

  it('enrols with nobody but a control plane that proves itself', async () => {
    const url = await net.claim();
    let attempts = 0;
    /** Each in a state folder of its own, so that they can go side by side. */
    const fresh = () => where(`refused${++attempts}`);
    const refused = async (reason: RegExp, words: string[] = [], environment = {}) => {
      const { code, stderr } = await net.firmware(net.far, ['enrol', url, ...fresh(), ...words], environment);
      expect(stderr).toMatch(reason);
      // The code in the claim is as good as a password.
      expect(stderr).not.toContain(/token=(\w+)/.exec(url)![1]);
      expect(code).toBe(8);
    };
    const [cert, key] = net.makeCertificate('another', 'DNS:another.example');
    const tls = (port: number, ...more: string[]) =>
      net.home.spawn(
        ['openssl', 's_server', '-quiet', '-accept', String(port), '-cert', cert, '-key', key, ...more],
        { logFile: logOf(`s_server-${port}`) },
      );
    tls(9443);
    tls(9444, '-no_tls1_3');
    await sleep(500);
    const elsewhere = async (port: number, reason: RegExp) => {
      const words = ['a-token-of-some-length', '--control', `https://${CONTROL_ADDRESS}:${port}`, ...fresh()];
      const { code, stderr } = await net.firmware(net.far, ['enrol', ...words], { SSL_CERT_FILE: cert });
      expect(stderr).toMatch(reason);
      expect(code).toBe(8);
    };
    await Promise.all([
      refused(/none of the pinned ones/, ['--pin', SPARE]),
      refused(/certificate is bad: self-signed/, [], { SSL_CERT_FILE: '' }),
      elsewhere(9443, /certificate is bad: IP address mismatch/),
      elsewhere(9444, /TLS: .*(version|alert)/),
      elsewhere(9445, /Connection refused/),
    ]);
    expect(readFileSync(logOf('s_server-9443'), 'utf8')).not.toContain('a-token');
    expect((await net.firmware(net.far, ['doctor', ...where('refused1')])).stdout).toContain('not enrolled');
  }, 120_000);

  it('enrols over TLS 1.3 with a pin, once, and keeps its keys to itself', async () => {
    const url = await net.claim();
    const words = ['enrol', url, ...where(), '--pin', SPARE, '--pin', net.pin];
    const first = await net.firmware(net.far, words);
    expect(first.stderr).toBe('');
    expect(first.stdout).toMatch(/^enrolled: gw-\w+ of tenant board, 10\./);
    [, id] = /enrolled: (gw-\w+)/.exec(first.stdout)!;
    expect((await net.firmware(net.far, words)).code).toBe(6);
    const folder = join(net.state, name);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const files = readdirSync(folder);
    expect(files).toEqual(expect.arrayContaining(['enrolment', 'identity.key', 'pins', 'tunnel.key']));
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600);
  });

  it('runs beside a gateway on Node: both lamps, traffic, nothing for the doctor', async () => {
    expect((await net.node(net.home, ['enrol', await net.claim(), ...where(other)])).code).toBe(0);
    net.home.spawn([process.execPath, PROGRAM, 'run', '--mode', 'tun', ...where(other)], {
      environment: net.trust,
      logFile: logOf(other),
    });
    startFirmware();
    const status = await net.statusUntil('both lamps', name, lamps('green', 'green'));
    expect(status).toMatchObject({
      control: { gateway: id, session: 'live', route: `wss://${CONTROL_ADDRESS}:8443/ws`, hold: null },
      peers: [{ state: 'established', reason: 'confirmed' }],
    });
    target = (await net.gateways()).find((one) => one.id !== id)!.address;
    expect(await ping(net.far, target)).toBe(3);
    const { code, stdout } = await net.firmware(net.far, ['doctor', '--json', ...where()]);
    const verdicts = (JSON.parse(stdout) as { check: string; verdict: string }[]).map(
      ({ check, verdict }) => `${check} ${verdict}`,
    );
    expect(verdicts).toEqual(
      ['enrolment', 'dns', 'control', 'time', 'login', 'udp'].map((check) => `${check} good`),
    );
    expect(code).toBe(0);
    const text = (await net.firmware(net.far, ['status', name])).stdout;
    expect(text).toMatch(/control: green \(heartbeat acknowledged \d+ s ago/);
    expect(text).toContain('data: green');
    // The same by the Node host's command.
    expect((await net.node(net.far, ['status', name])).stdout).toContain('control: green');
  }, 120_000);

  it('loses no ping of one every 10 ms while both keys change and its address moves', async () => {
    const before = await net.gateways();
    const pings = new LastingPing(net.far, target, logOf('ping'));
    for (const one of before) await net.control('gateways', 'rotate', one.id, '--tenant', 'board');
    const after = await until('both rotated', 60_000, async () => {
      const now = await net.gateways();
      const done = now.every((one, i) => one.rotation === null && one.public_key !== before[i].public_key);
      return done && now;
    });
    const moved = JSON.parse(await net.control('gateways', 'move', id, '--tenant', 'board')) as {
      address: string;
    };
    await net.statusUntil('the new address', name, ({ control }) =>
      (control?.addresses ?? []).includes(`${moved.address}/32`),
    );
    await sleep(2_000);
    const { sent, lost } = await pings.count();
    expect(sent).toBeGreaterThan(200);
    expect(lost).toBe(0);
    const { publicKey, peers } = await net.status(name);
    // Measured, on the tier that opens messages in C, and none of the answers was missing.
    expect(peers.map(({ loss }) => loss)).toContain(0);
    expect(publicKey).toBe(after.find((one) => one.id === id)!.public_key);
    await until('the old address is gone', 60_000, () => {
      const shown = net.far.ip(`-o address show dev ${name}`);
      const old = before.find((one) => one.id === id)!.address;
      return shown.includes(moved.address) && !shown.includes(`${old}/`);
    });
    expect(await ping(net.home, moved.address)).toBe(3);
  }, 180_000);

  it('lives on without the control plane, also through a power cut, and finds it again', async () => {
    const pings = new LastingPing(net.far, target, logOf('outage'));
    served.kill('SIGKILL');
    await ended(served);
    const alone = await net.statusUntil('the lamp goes out', name, lamps('red', 'green'));
    expect(alone.control?.reason).not.toBe('');
    expect((await pings.count()).lost).toBe(0);
    expect((await net.firmware(net.far, ['doctor', ...where()])).stdout).toMatch(
      /BAD {2}control .*Connection refused\n.*→/,
    );
    firmware.kill('SIGKILL');
    await ended(firmware);
    startFirmware();
    await net.statusUntil('traffic without the control plane', name, lamps('red', 'green'));
    expect(await ping(net.far, target)).toBe(3);
    served = await net.serve();
    await net.statusUntil('both lamps again', name, lamps('green', 'green'));
  }, 180_000);

  it('takes its settings from afar: MQTT instead of WebSocket, and back from where nobody answers', async () => {
    await net.configure(id, { control: [`mqtts://${CONTROL_ADDRESS}:${MQTT_PORT}`] });
    const over = await net.statusUntil(
      'a session over MQTT',
      name,
      ({ control }) => control?.session === 'live' && (control.route ?? '').startsWith('mqtts:'),
    );
    const { settingsRevision } = over.control!;
    expect((await net.gateways()).find((one) => one.id === id)).toMatchObject({ link: 'mqtt' });
    const before = (await net.gateways()).find((one) => one.id === id)!.public_key;
    await net.control('gateways', 'rotate', id, '--tenant', 'board');
    await net.statusUntil('a rotation over MQTT', name, ({ publicKey }) => publicKey !== before);
    await net.configure(id, { mtu: 1300, control: [`mqtts://${CONTROL_ADDRESS}:1`] });
    await until('the trial', 30_000, () => net.far.ip(`link show ${name}`).includes('mtu 1300'));
    // Without that heartbeat the settings go back by themselves.
    const back = await net.statusUntil('the way back', name, ({ control }) => control?.reverted !== null);
    expect(back.control).toMatchObject({
      settingsRevision,
      reverted: expect.stringContaining('no heartbeat'),
    });
    expect(net.far.ip(`link show ${name}`)).toContain('mtu 1420');
    await net.statusUntil('a session again', name, lamps('green', 'green'));
  }, 240_000);

  it('follows the Node host in its state folder, and is followed by it', async () => {
    const before = await net.status(name);
    firmware.kill('SIGTERM');
    expect(await ended(firmware)).toBe(0);
    const node = net.far.spawn([process.execPath, PROGRAM, 'run', '--mode', 'tun', ...where()], {
      environment: net.trust,
      logFile: logOf(name),
    });
    const there = await net.statusUntil('both lamps on Node', name, lamps('green', 'green'));
    expect(there).toMatchObject({ publicKey: before.publicKey, control: { gateway: id } });
    node.kill('SIGTERM');
    expect(await ended(node)).toBe(0);
    startFirmware();
    const here = await net.statusUntil('both lamps on XS', name, lamps('green', 'green'));
    expect(here).toMatchObject({ publicKey: before.publicKey, listenPort: before.listenPort });
  }, 180_000);

  it('leaves, and is forgotten', async () => {
    firmware.kill('SIGTERM');
    expect(await ended(firmware)).toBe(0);
    const { stdout, code } = await net.firmware(net.far, ['leave', ...where()]);
    expect(stdout).toBe(`left: ${id} of tenant board\n`);
    expect(code).toBe(0);
    expect((await net.firmware(net.far, ['run', ...where()])).code).toBe(3);
    expect((await net.firmware(net.far, ['leave', ...where()])).code).toBe(9);
    expect(readdirSync(join(net.state, name)).sort()).not.toContain('enrolment');
    expect((await net.gateways()).find((one) => one.id === id)).toMatchObject({ state: 'left' });
  }, 60_000);
});
