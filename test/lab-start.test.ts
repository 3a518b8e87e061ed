import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { findProgram } from '../host/gateway/platform/command.js';
import { uapiDirectory } from '../host/gateway/uapi-path.js';
import { localAddresses } from '../host/lab/guest.js';
import type { RoundReport } from '../host/lab/round.js';
import { freePorts, requestPage } from '../host/lab/services.js';

const PROGRAM = fileURLToPath(new URL('../dist/cloudbridge-lab.js', import.meta.url));
const GATEWAY = fileURLToPath(new URL('../dist/cloudbridge-gateway.js', import.meta.url));
const LIMIT = 90_000;

/** The lab as a process, leader of its own group as a terminal's foreground job is. */
class LabRun {
  readonly child: ChildProcess;
  /** Where the lab makes its folder. */
  readonly directory = mkdtempSync(join(tmpdir(), 'lab-start-'));
  output = '';
  errors = '';
  readonly ended: Promise<number | null>;

  constructor(...options: string[]) {
    this.child = spawn(process.execPath, [PROGRAM, ...options], {
      detached: true,
      env: { ...process.env, TMPDIR: this.directory },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  /** `from`: only what was printed after so many characters counts. */
  async until(pattern: RegExp, from = 0): Promise<void> {
    for (const end = Date.now() + LIMIT; !pattern.test(this.output.slice(from)); await sleep(50)) {
      if (this.child.exitCode !== null || Date.now() > end) {
        throw new Error(`the lab did not print ${pattern}: ${this.output}${this.errors}`);
      }
    }
  }

  /** The folder that the lab made. */
  get folder(): string {
    return join(this.directory, readdirSync(this.directory)[0]);
  }

  async expectNothingLeft(): Promise<void> {
    // What a gateway that had not quite started began may take a moment to end.
    await expect.poll(() => processesIn(this.directory), { timeout: 5_000 }).toEqual([]);
    expect(readdirSync(this.directory)).toEqual([]);
    const sockets = existsSync(uapiDirectory()) ? readdirSync(uapiDirectory()) : [];
    const tag = `-${this.child.pid?.toString(36)}.sock`;
    expect(sockets.filter((name) => name.endsWith(tag))).toEqual([]);
  }
}

/** Processes that live in a folder below `directory`, whichever namespace they are in: gateways of a lab there. */
function processesIn(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const folder = readlinkSync(`/proc/${pid}/cwd`);
        if (!folder.startsWith(`${directory}/`)) return [];
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return []; // ended while we looked, or of another user
      }
    });
}

/** Where this machine's UDP sockets of a port are bound, as /proc writes addresses (127.0.0.1 is 0100007F). */
function boundAddresses(port: number): string[] {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  return ['udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[1]?.split(':') ?? [])
      .filter(([, one]) => one === local)
      .map(([address]) => address),
  );
}

/** The control plane was gone long enough to be missed; traffic did not notice. */
function expectOutageSurvived({ outage }: RoundReport): void {
  expect(outage).toMatchObject({ lampsRed: true, dataGreen: true, greenAgain: true });
  expect(outage?.pings.sent).toBeGreaterThanOrEqual(6);
  expect(outage?.pings.answered).toBe(outage?.pings.sent);
  expect(outage?.requests.sent).toBeGreaterThanOrEqual(2);
  expect(outage?.requests.answered).toBe(outage?.requests.sent);
}

describe('npm start', () => {
  let run: LabRun | undefined;

  afterEach(async () => {
    if (run === undefined) return;
    if (run.child.exitCode === null && run.child.signalCode === null) {
      run.child.kill('SIGTERM');
      await run.ended;
    }
    rmSync(run.directory, { recursive: true });
    run = undefined;
  });

  test('--once --json: every handshake, ping and request, and exit code 0', { timeout: LIMIT }, async () => {
    run = new LabRun('--once', '--json');
    expect(await run.ended, run.output + run.errors).toBe(0);
    const report = JSON.parse(run.output) as RoundReport;
    expect(report.missing).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.gateways.map((gateway) => gateway.number)).toEqual([1, 2, 3]);
    expect(new Set(report.gateways.map((gateway) => gateway.publicKey)).size).toBe(3);
    expect(report.links.map((link) => `${link.from}>${link.to}`)).toEqual([
      ...['1>2', '1>3', '2>1', '2>3', '3>1', '3>2'],
    ]);
    for (const { gateway, control, data } of report.gateways) {
      expect(gateway).toMatch(/^gw-[0-9a-f]{16}$/);
      expect({ control, data }).toEqual({ control: 'green', data: 'green' });
    }
    for (const link of report.links) {
      expect(link).toMatchObject({ handshake: true, transport: 'udp', state: 'established' });
      expect(link.endpoint).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(link.pingMs).toBeGreaterThan(0);
      // An initiation is 148 bytes, a response 92, a ping at least 96 either way.
      expect(link.receivedBytes).toBeGreaterThan(180);
      expect(link.sentBytes).toBeGreaterThan(180);
    }
    // One of the two ends of each link began, and so knows the round trip.
    for (const { from, to } of report.links) {
      const ends = report.links.filter(
        (link) => [link.from, link.to].sort().join() === [from, to].sort().join(),
      );
      expect(ends.some((link) => (link.handshakeRoundTripMs ?? 0) > 0)).toBe(true);
    }
    expect(report.requests.map(({ from, to, ok }) => ({ from, to, ok }))).toEqual([
      { from: 2, to: 1, ok: true },
      { from: 3, to: 1, ok: true },
    ]);
    expectOutageSurvived(report);
    if (report.mode === 'rootless') {
      expect(report.requests.map((request) => request.detail)).toEqual(['HTTP 200', 'HTTP 200']);
    } else {
      expect(report.mode).toBe('minimal');
      expect(report.notes.join()).toMatch(/no TCP/);
    }
    await run.expectNothingLeft();
  });

  test('minimal mode: pings and a UDP request, where there are no namespaces', {
    timeout: LIMIT,
  }, async () => {
    run = new LabRun('--once', '--json', '--mode', 'minimal');
    expect(await run.ended, run.output + run.errors).toBe(0);
    const report = JSON.parse(run.output) as RoundReport;
    expect(report).toMatchObject({ ok: true, mode: 'minimal', missing: [] });
    expect(report.links.every((link) => link.handshake && (link.pingMs ?? 0) > 0)).toBe(true);
    expect(report.requests.map(({ kind, detail }) => `${kind}: ${detail}`)).toEqual([
      ...['udp-echo: UDP echo', 'udp-echo: UDP echo'],
    ]);
    expect(report.notes.join()).toMatch(/no TCP/);
    expectOutageSurvived(report);
    await run.expectNothingLeft();
  });

  test('a key kills the control plane and starts it again; the lamps tell', { timeout: LIMIT }, async () => {
    run = new LabRun();
    await run.until(/k kills the control plane.*(● green +● green.*){3}HTTP 200/s);
    run.child.stdin?.write('k');
    await run.until(/control plane: was killed.*(● red +● green.*){3}.*established.*HTTP 200/s);
    const seen = run.output.length;
    run.child.stdin?.write('k');
    await run.until(/control plane: runs at.*(● green +● green.*){3}/s, seen);
    run.child.kill('SIGTERM');
    expect(await run.ended, run.errors).toBe(0);
    await run.expectNothingLeft();
  });

  test('Ctrl-C in the live table leaves nothing behind', { timeout: LIMIT }, async () => {
    run = new LabRun();
    await run.until(/established.*gateway 3 asks gateway 1 through the tunnel: HTTP 200/s);
    const path = /(\S+guest\.conf)/.exec(run.output)?.[1] ?? '';
    const guest = readFileSync(path, 'utf8');
    expect(guest).toMatch(/^\[Interface\]\nPrivateKey = \S{44}\nAddress = 10\.88\.0\.4\/32$/m);
    expect(guest).toMatch(/^PresharedKey = \S{44}$/m);
    expect(guest).toMatch(/^Endpoint = 127\.0\.0\.1:\d+$/m);
    expect(basename(run.folder)).toMatch(/^cloudbridge-lab-/);
    expect(processesIn(run.directory).length).toBeGreaterThanOrEqual(3);
    // To the whole group, as the terminal does it: lab and gateways at once.
    process.kill(-(run.child.pid ?? Number.NaN), 'SIGINT');
    expect(await run.ended, run.errors).toBe(0);
    await run.expectNothingLeft();
  });

  test('guest.conf lets another client in, through loopback only', { timeout: LIMIT }, async () => {
    run = new LabRun();
    await run.until(/established/);
    const path = /(\S+guest\.conf)/.exec(run.output)?.[1] ?? '';
    const listenPort = Number(/^Endpoint = 127\.0\.0\.1:(\d+)$/m.exec(readFileSync(path, 'utf8'))?.[1]);
    expect(boundAddresses(listenPort)).toEqual(['0100007F']);

    const [port] = await freePorts('tcp', 1);
    const guest = spawn(
      process.execPath,
      [
        ...[GATEWAY, 'up', path, '--name', `guest-${process.pid.toString(36)}`, '--mode', 'rootless'],
        ...['--state-dir', join(run.folder, 'guest'), '--forward', `tcp:127.0.0.1:${port}=10.88.0.1:80`],
      ],
      {
        cwd: run.folder,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, XDG_RUNTIME_DIR: run.folder },
      },
    );
    let log = '';
    guest.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    const ended = new Promise((resolve) => guest.once('exit', resolve));
    try {
      let answer = await requestPage(port, '/from-guest', 5_000);
      for (const end = Date.now() + 30_000; !answer.ok && Date.now() < end; ) {
        await sleep(100);
        answer = await requestPage(port, '/from-guest', 5_000);
      }
      expect(answer, log).toMatchObject({ ok: true, detail: 'HTTP 200' });
      await run.until(/guest +udp 127\.0\.0\.1:\d+ .*established/);
    } finally {
      guest.kill('SIGTERM');
      await ended;
    }
    run.child.kill('SIGTERM');
    expect(await run.ended, run.errors).toBe(0);
    await run.expectNothingLeft();
  });

  test('--listen lets the local network in', { timeout: LIMIT }, async () => {
    run = new LabRun('--listen');
    await run.until(/established/);
    const path = /(\S+guest\.conf)/.exec(run.output)?.[1] ?? '';
    const [, host, port] = /^Endpoint = (.+):(\d+)$/m.exec(readFileSync(path, 'utf8')) ?? [];
    expect(host).toBe(localAddresses()[0] ?? '127.0.0.1');
    expect(boundAddresses(Number(port))).toContain('00000000');
    run.child.kill('SIGTERM');
    expect(await run.ended, run.errors).toBe(0);
    await run.expectNothingLeft();
  });

  test('SIGTERM to the lab alone takes the gateways with it; --keep keeps what they wrote', {
    timeout: LIMIT,
  }, async () => {
    run = new LabRun('--gateways', '4', '--keep');
    await run.until(/gateway 4 .* established/);
    const { directory, folder } = run;
    run.child.kill('SIGTERM');
    expect(await run.ended, run.errors).toBe(0);
    await expect.poll(() => processesIn(directory), { timeout: 5_000 }).toEqual([]);
    expect(/Kept.*: (\S+)$/m.exec(run.errors)?.[1]).toBe(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
    // Four gateways and the control plane.
    expect(logs).toHaveLength(5);
    // For their owner only.
    for (const name of [...logs, 'state', 'control']) {
      expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
    }
  });

  test('even a killed lab takes the gateways with it', { timeout: LIMIT }, async (context) => {
    if (findProgram('setpriv') === undefined) context.skip('needs setpriv (Debian package util-linux)');
    const lab = new LabRun();
    run = lab;
    await lab.until(/established/);
    expect(processesIn(lab.directory).length).toBeGreaterThanOrEqual(3);
    lab.child.kill('SIGKILL');
    await lab.ended;
    await expect.poll(() => processesIn(lab.directory), { timeout: 15_000 }).toEqual([]);
  });

  test('--once gives up in time and says what is missing', { timeout: LIMIT }, async () => {
    // Nobody can be up and have answered everything within a millisecond; one second is the least one can ask for.
    run = new LabRun('--once', '--json', '--seconds', '1', '--gateways', '16');
    const code = await run.ended;
    const report = JSON.parse(run.output) as RoundReport;
    expect(code).toBe(report.ok ? 0 : 1);
    expect(report.ok).toBe(report.missing.length === 0);
    await run.expectNothingLeft();
  });

  test.each([
    ['--gateways', '2'],
    ['--gateways', 'many'],
    ['--seconds', '0'],
    ['--mode', 'tun'],
    ['--unknown', ''],
  ])('%s %s is refused', { timeout: LIMIT }, async (...words) => {
    run = new LabRun(...words.filter((word) => word !== ''));
    expect(await run.ended).toBe(2);
    expect(run.errors).toMatch(/^error: /);
    await run.expectNothingLeft();
  });
});
