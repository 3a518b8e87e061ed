import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayStatus } from '../../host/gateway/status.js';
import { GatewayUnderTest, PROGRAM } from '../gateway/platform-gateway.js';
import { System } from './system.js';

/** Programs as a user starts them, in user space, so that anybody may run this. */
const environment = { XDG_RUNTIME_DIR: mkdtempSync(join(tmpdir(), 'cb-run-')) };
const state = mkdtempSync(join(tmpdir(), 'cb-state-'));
const NAMES = [`cbw${process.pid % 10_000}a`, `cbw${process.pid % 10_000}b`];
const running = new Map<string, GatewayUnderTest>();
let system: System;

const command = promisify(execFile);
async function program(...args: string[]): Promise<string> {
  const { stdout } = await command(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...environment },
  });
  return stdout;
}

async function start(name: string): Promise<void> {
  const args = ['run', '--name', name, '--mode', 'minimal', '--state-dir', state];
  const gateway = new GatewayUnderTest([], args, environment);
  running.set(name, gateway);
  await gateway.up();
}

async function stop(name: string, signal: NodeJS.Signals): Promise<void> {
  await running.get(name)?.stop(signal);
  running.delete(name);
}

async function status(name: string): Promise<GatewayStatus> {
  return JSON.parse(await program('status', name, '--json')) as GatewayStatus;
}

/** Waits for a status; the last one seen explains a failure. */
async function statusUntil(name: string, good: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
  const end = Date.now() + 60_000;
  for (;;) {
    const now = await status(name);
    if (good(now)) return now;
    if (Date.now() > end) throw new Error(`never came: ${JSON.stringify(now, undefined, 1)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

const bothGreen = ({ control }: GatewayStatus): boolean =>
  control?.control === 'green' && control.data === 'green';

beforeAll(async () => {
  system = await System.start({ heartbeat: 1 });
});
afterAll(async () => {
  for (const name of [...running.keys()]) await stop(name, 'SIGTERM');
  await system.stop();
  for (const folder of [state, environment.XDG_RUNTIME_DIR]) rmSync(folder, { recursive: true, force: true });
});

describe('gateways and a control plane', () => {
  it('enrol with one claim and light both lamps', async () => {
    const { token } = await system.claim({ tenant: 'whole', uses: 2 });
    const url = `${system.server.url}/join?tenant_id=whole&token=${token}`;
    for (const name of NAMES) {
      expect(await program('enrol', url, '--name', name, '--state-dir', state)).toContain('enrolled: gw-');
      await start(name);
    }
    for (const name of NAMES) await statusUntil(name, bothGreen);
    await expect(program('enrol', url, '--name', NAMES[0], '--state-dir', state)).rejects.toMatchObject({
      code: 6,
    });
  }, 120_000);

  it('live on without the control plane, also through a power cut, and say so', async () => {
    const { port } = system.server;
    // What the gateway was just told is stored a moment later.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await system.server.stop('an outage');
    await stop(NAMES[0], 'SIGKILL');
    await start(NAMES[0]);
    const alone = await statusUntil(NAMES[0], ({ control }) => control?.data === 'green');
    expect(alone.control?.control).toBe('red');
    expect(alone.control?.acknowledgedAge).toBeNull();
    expect(alone.peers[0].reason).toBe('confirmed');
    await system.serve(port);
    await statusUntil(NAMES[0], bothGreen);
    await statusUntil(NAMES[1], bothGreen);
  }, 180_000);

  it('rotate a key through power cuts of the gateway, and end with one that all believe in', async () => {
    const [{ id }] = (await system.request('GET', '/api/v1/tenants/whole/gateways')).body.gateways;
    const before = (await status(NAMES[0])).publicKey;
    await system.request('POST', `/api/v1/tenants/whole/gateways/${id}/rotate`);
    for (let cut = 0; cut < 3; cut++) {
      await new Promise((resolve) => setTimeout(resolve, 400 * cut));
      await stop(NAMES[0], 'SIGKILL');
      await start(NAMES[0]);
    }
    const after = await statusUntil(NAMES[0], (now) => now.publicKey !== before && bothGreen(now));
    const peer = await statusUntil(NAMES[1], ({ peers }) => peers[0]?.publicKey === after.publicKey);
    expect(bothGreen(peer)).toBe(true);
    const { body } = await system.request('GET', `/api/v1/tenants/whole/gateways/${id}`);
    expect(body).toMatchObject({ public_key: after.publicKey, next_public_key: null, state: 'active' });
  }, 180_000);

  it('find what is wrong, each with a remedy', async () => {
    const find = async (name: string) => {
      const args = ['doctor', '--json', '--name', name, '--state-dir', state];
      const output = await program(...args).catch((error: { stdout: string }) => error.stdout);
      const findings = JSON.parse(output) as { check: string; verdict: string; remedy?: string }[];
      for (const { verdict, remedy } of findings) if (verdict === 'bad') expect(remedy).toBeTruthy();
      return Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]));
    };
    expect(await find(NAMES[1])).toMatchObject({
      ...{ enrolment: 'good', dns: 'good', routes: 'good', control: 'good' },
      ...{ time: 'good', login: 'good', udp: 'good', mtu: 'good' },
    });
    expect(await find('nobody')).toEqual({ enrolment: 'bad' });
    const { port } = system.server;
    await system.server.stop('an outage');
    expect(await find(NAMES[1])).toMatchObject({ control: 'bad', udp: 'good' });
    await system.serve(port);
    await statusUntil(NAMES[1], bothGreen);
  }, 120_000);

  it('leave, and are forgotten', async () => {
    await stop(NAMES[0], 'SIGTERM');
    expect(await program('leave', '--name', NAMES[0], '--state-dir', state)).toContain('left: gw-');
    await statusUntil(NAMES[1], ({ peers }) => peers.length === 0);
    const { gateways } = (await system.request('GET', '/api/v1/tenants/whole/gateways')).body;
    expect(gateways.map((one: { state: string }) => one.state).sort()).toEqual(['active', 'left']);
    const again = new GatewayUnderTest([], ['run', '--name', NAMES[0], '--state-dir', state], environment);
    expect(await again.exited).toBe(3);
    expect(again.output).toContain('not enrolled');
  }, 60_000);
});
