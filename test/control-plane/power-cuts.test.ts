/**
 * The power fails at every step of what a gateway keeps while it enrols, rotates its key and tries settings: the real
 * program is killed there, started again, and must come back by itself. Usually only where a step changes what is on
 * disk; with POWER_CUTS=all before each single operation on the state folder.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeClock } from '../../host/gateway/clock.js';
import { GatewayIdentity } from '../../host/gateway/control/identity.js';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { FileStore } from '../../host/gateway/file-store.js';
import { Login } from '../../src/identity/login.js';
import { PROGRAM } from '../gateway/platform-gateway.js';
import { System } from './system.js';

const ALL = process.env.POWER_CUTS === 'all';
const CUT = fileURLToPath(new URL('cut-power.mjs', import.meta.url));
const LIMIT = ALL ? 1_800_000 : 300_000;
/** Programs that run at once. */
const ABREAST = 4;

const home = mkdtempSync(join(tmpdir(), 'cb-cuts-'));
const running = new Set<ChildProcess>();
let system: System;

beforeAll(async () => {
  system = await System.start({ heartbeat: 1, confirmWithin: 10, requestsPerSecond: 1000 });
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await system.stop();
  rmSync(home, { recursive: true, force: true });
});

interface Device {
  /** Root's control sockets are all in one folder. */
  readonly name: string;
  readonly folder: string;
  readonly tenant: string;
  readonly url: string;
}

let devices = 0;
async function device(): Promise<Device> {
  const tenant = `cut-${++devices}`;
  const name = `c${process.pid % 10_000}-${devices}`;
  const folder = join(home, tenant);
  mkdirSync(folder);
  const { token } = await system.claim({ tenant });
  return { name, folder, tenant, url: `${system.server.url}/join?token=${token}` };
}

/** The program over the device's state; `cut` is the operation it is killed before, or a file that tells of all. */
function start(
  { name, folder }: Device,
  words: readonly string[],
  cut: { at?: number; trace?: string } = {},
) {
  const options = ['--name', name, '--state-dir', join(folder, 'state')];
  const child = spawn(process.execPath, ['--import', CUT, PROGRAM, ...words, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      XDG_RUNTIME_DIR: folder,
      LOG_LEVEL: 'warn',
      CUT_FOLDER: join(folder, 'state', name),
      ...(cut.at === undefined ? {} : { CUT_AT: String(cut.at) }),
      ...(cut.trace === undefined ? {} : { CUT_TRACE: cut.trace }),
    },
  });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  running.add(child);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve(signal ?? code ?? 1);
    });
  });
  return { child, ended, errors: () => errors };
}

const RUN = ['run', '--mode', 'minimal', '--tier', 'portable'];
const identityOf = ({ name, folder }: Device) =>
  new GatewayIdentity(new NodePrimitives(), new FileStore(join(folder, 'state', name)));

/** What the control plane knows of the device's only gateway. */
async function known({ tenant }: Device) {
  const { gateways } = (await system.request('GET', `/api/v1/tenants/${tenant}/gateways`)).body;
  expect(gateways.length).toBe(1);
  return gateways[0];
}

async function enrolled(): Promise<Device> {
  const made = await device();
  const { control, token } = /^(?<control>.*)\/join\?token=(?<token>.*)$/.exec(made.url)!.groups!;
  const info = { hostname: 'cut', os: 'test', arch: 'test', version: '0' };
  const result = await new Promise<{ ok: boolean }>((resolve) => {
    identityOf(made).enroller.redeem({ control, token }, info, resolve);
  });
  expect(result.ok).toBe(true);
  return made;
}

async function eventually(what: string, good: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await good()); ) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The numbers of the operations to cut before: those around which one of these records changes on disk, or all. */
function cutsOf(trace: string, records: string): number[] {
  const operations = readFileSync(trace, 'utf8').trimEnd().split('\n');
  const cuts: number[] = [];
  for (const [index, operation] of operations.entries()) {
    const changes = new RegExp(`^(renameSync|rmSync) ${records}$`);
    const after = index > 0 && changes.test(operations[index - 1]);
    if (ALL || changes.test(operation) || after) cuts.push(index + 1);
  }
  return cuts;
}

/** Walks through the cuts, several gateways at once; each failure names its operation. */
async function walk(trace: string, records: string, one: (at: number) => Promise<void>): Promise<void> {
  const waiting = cutsOf(trace, records);
  const operations = readFileSync(trace, 'utf8').split('\n');
  expect(waiting.length).toBeGreaterThan(3);
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      await one(at).catch((error) => {
        failures.push(`cut ${at}, before ${operations[at! - 1]}: ${error}`);
        // One is enough to know, and each takes its time to fail.
        waiting.length = 0;
      });
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, worker));
  expect(failures).toEqual([]);
}

/** Cuts the running gateway, starts it again, and waits until it is as it should be. */
async function cutRun(subject: Device, at: number, good: () => Promise<boolean>): Promise<void> {
  const first = start(subject, RUN, { at });
  expect(await first.ended, first.errors()).toBe('SIGKILL');
  const second = start(subject, RUN);
  try {
    await Promise.race([
      eventually('the gateway is as it should be', good),
      second.ended.then((how) => {
        throw new Error(`it ended with ${how}: ${second.errors()}`);
      }),
    ]);
  } finally {
    second.child.kill('SIGKILL');
    await second.ended;
  }
}

/** The operations of a gateway that nobody cuts, from its start until it is as it should be. */
async function traceRun(subject: Device, good: () => Promise<boolean>): Promise<string> {
  const trace = join(subject.folder, 'trace');
  const whole = start(subject, RUN, { trace });
  await eventually('the uncut gateway is as it should be', good);
  whole.child.kill('SIGKILL');
  await whole.ended;
  return trace;
}

describe('a power cut at every step', () => {
  it(
    'of enrolment: one use of the claim, one gateway, and it can log in',
    async () => {
      const whole = await device();
      const trace = join(whole.folder, 'trace');
      expect(await start(whole, ['enrol', whole.url], { trace }).ended).toBe(0);
      await walk(trace, '.*', async (at) => {
        const subject = await device();
        const first = start(subject, ['enrol', subject.url], { at });
        expect(await first.ended, first.errors()).toBe('SIGKILL');
        const second = start(subject, ['enrol', subject.url]);
        // 6: it was enrolled before the cut.
        expect([0, 6], second.errors()).toContain(await second.ended);
        const { enrolment, keys, http } = identityOf(subject);
        expect((await known(subject)).id).toBe(enrolment?.gateway);
        const login = new Login(new NodePrimitives(), new NodeClock(), http, enrolment!, keys.identity);
        expect(await new Promise((done) => login.renew(done))).toBeUndefined();
      });
    },
    LIMIT,
  );

  it(
    'of a rotation: both ends agree on one key, and it is the new one',
    async () => {
      const rotating = async () => {
        const subject = await enrolled();
        const { id, tenant, public_key: before } = await known(subject);
        await system.request('POST', `/api/v1/tenants/${tenant}/gateways/${id}/rotate`);
        const done = async () => {
          const { online, rotation, public_key, next_public_key, facts } = await known(subject);
          const agreed = online && rotation === null && next_public_key === null && public_key !== before;
          return agreed && facts?.tunnel_key === public_key;
        };
        return { subject, done };
      };
      const { subject, done } = await rotating();
      const trace = await traceRun(subject, done);
      await walk(trace, '(network|rotation|tunnel\\.key)', async (at) => {
        const one = await rotating();
        await cutRun(one.subject, at, one.done);
      });
    },
    LIMIT,
  );

  it(
    'of commit-confirm: settings are kept or reverted, and the gateway is in touch',
    async () => {
      const configured = async (settings: object) => {
        const subject = await enrolled();
        const { id, tenant } = await known(subject);
        await system.request('POST', `/api/v1/tenants/${tenant}/gateways/${id}/configuration`, { settings });
        const done = async () => {
          const { online, settings: row, facts } = await known(subject);
          const { state, revision } = row;
          if (!online || state === 'pending') return false;
          return facts?.configuration === (state === 'confirmed' ? revision : 0);
        };
        return { subject, done };
      };
      // The second costs the gateway its heartbeat: nobody listens there.
      for (const settings of [{ mtu: 1300 }, { control: ['ws://127.0.0.1:9/ws'] }]) {
        const { subject, done } = await configured(settings);
        const trace = await traceRun(subject, done);
        await walk(trace, 'configuration', async (at) => {
          const one = await configured(settings);
          await cutRun(one.subject, at, one.done);
        });
      }
    },
    LIMIT,
  );
});
