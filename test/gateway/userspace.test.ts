import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXIT } from '../../host/gateway/errors.js';
import { IP, labSuite, WG } from '../lab/requirements.js';
import { PROGRAM } from './platform-gateway.js';

/** The call of wg-quick: `cloudbridge-gateway wg0`. What wg-quick does with it is in test/lab/wg-tools.test.ts. */
labSuite('as a userspace implementation', ['root', IP, WG, { file: PROGRAM }], () => {
  const space = `cbu${process.pid}`;
  let state: string;
  let count = 0;
  const freshName = () => `cbu${(process.pid % 46_656).toString(36)}x${count++}`;
  const socketOf = (name: string) => `/var/run/wireguard/${name}.sock`;

  function inSpace(words: readonly string[], more: NodeJS.ProcessEnv = {}) {
    const env = { ...process.env, LOG_LEVEL: undefined, STATE_DIRECTORY: state, ...more };
    return spawnSync('ip', ['netns', 'exec', space, ...words], { encoding: 'utf8', env });
  }
  const gateway = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    inSpace([process.execPath, PROGRAM, ...args], more);
  const gone = (path: string) => expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(false);

  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'cb-userspace-'));
    expect(spawnSync('ip', ['netns', 'add', space]).status).toBe(0);
  });
  afterAll(() => {
    for (const pid of spawnSync('ip', ['netns', 'pids', space], { encoding: 'utf8' }).stdout.split('\n')) {
      if (pid === '') continue;
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // ended meanwhile
      }
    }
    spawnSync('ip', ['netns', 'delete', space]);
    rmSync(state, { recursive: true, force: true });
  });

  it('returns when the interface can be configured, and stays in the background', async () => {
    const name = freshName();
    const { status, stdout, stderr } = gateway([name]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    // Down, as wireguard-go leaves it, with its MTU; only its owner may use the socket.
    const link = inSpace(['ip', '-o', 'link', 'show', name]).stdout;
    expect(link).toMatch(/mtu 1420 .*state DOWN/);
    expect(statSync(socketOf(name)).mode & 0o777).toBe(0o700);
    expect(statSync('/var/run/wireguard').mode & 0o777).toBe(0o755);
    expect(inSpace(['wg', 'show', name, 'listen-port']).stdout).toMatch(/^\d+$/m);

    const second = gateway([name]);
    expect(second.status).toBe(EXIT.alreadyRunning);
    expect(second.stderr).toMatch(/already driven by a running program/);

    inSpace(['ip', 'link', 'delete', name]);
    await gone(socketOf(name));
  });

  it('hands the reason of a failed start to the caller', () => {
    const name = freshName();
    inSpace(['ip', 'tuntap', 'add', 'dev', name, 'mode', 'tun']);
    const { status, stderr } = gateway([name]);
    expect(status).toBe(EXIT.alreadyRunning);
    expect(stderr).toMatch(new RegExp(`^cloudbridge-gateway: an interface named ${name} exists already`));
    expect(existsSync(socketOf(name))).toBe(false);
  });

  it.each([
    ['-f', (name: string) => [['-f', name], {}] as const],
    ['WG_PROCESS_FOREGROUND=1', (name: string) => [[name], { WG_PROCESS_FOREGROUND: '1' }] as const],
  ])('stays in the foreground with %s, logs at LOG_LEVEL and ends with its link', async (_, words) => {
    const name = freshName();
    const [args, more] = words(name);
    const child = spawn('ip', ['netns', 'exec', space, process.execPath, PROGRAM, ...args], {
      env: { ...process.env, LOG_LEVEL: 'verbose', STATE_DIRECTORY: state, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    const exited = once(child, 'close');
    await expect.poll(() => log, { timeout: 15_000 }).toMatch(/"event":"up"/);
    expect(child.exitCode).toBeNull();
    inSpace(['ip', 'link', 'delete', name]);
    expect((await exited)[0]).toBe(EXIT.ok);
    expect(log).toMatch(/"event":"leaving"/);
    expect(existsSync(socketOf(name))).toBe(false);
  });

  it('ends when its socket is removed', async () => {
    const name = freshName();
    expect(gateway([name]).status).toBe(0);
    rmSync(socketOf(name));
    await expect.poll(() => inSpace(['ip', 'link', 'show', name]).status, { timeout: 10_000 }).not.toBe(0);
  });
});
