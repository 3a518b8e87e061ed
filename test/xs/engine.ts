/** A real XS engine: the worker of @agoric/xsnap, installed on first use and kept in node_modules/.cache. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const XSNAP = '@agoric/xsnap';
const VERSION = '0.15.0';
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/xsnap/', import.meta.url));
const WORKER = join(CACHE, 'node_modules', XSNAP, 'xsnap-native/xsnap/build/bin/lin/release/xsnap-worker');
/** Longest time one test file may take, ms. */
const LIMIT = 600_000;

/** The worker's path. Its package compiles it with make and a C compiler, so it is no dependency of this project. */
export function requireEngine(): string {
  if (existsSync(WORKER)) return WORKER;
  for (const [program, name] of [
    ['make', 'make'],
    ['cc', 'gcc'],
  ]) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      throw new Error(`the engine is compiled on first use, which needs ${program}: apt-get install ${name}`);
    }
  }
  mkdirSync(CACHE, { recursive: true });
  // Its install script is what compiles it.
  const manifest = { private: true, allowScripts: { [XSNAP]: true } };
  writeFileSync(join(CACHE, 'package.json'), JSON.stringify(manifest));
  process.stderr.write(`installing ${XSNAP} ${VERSION} into ${CACHE}, once\n`);
  const npm = ['install', '--no-audit', '--no-fund', '--loglevel=error', `${XSNAP}@${VERSION}`];
  execFileSync('npm', npm, { cwd: CACHE, stdio: ['ignore', 'ignore', 'inherit'] });
  if (!existsSync(WORKER)) throw new Error(`${XSNAP} was installed, but there is no ${WORKER}`);
  return WORKER;
}

/** Runs a script in a fresh engine; `told` gets what it hands to `issueCommand`. Rejects when the engine fails. */
export function run(script: string, told: (message: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = spawn(requireEngine(), ['-l', '0', '-s', '16384', 'cloudbridge'], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'],
      timeout: LIMIT,
    });
    const input = worker.stdio[3] as NodeJS.WritableStream;
    const output = worker.stdio[4] as NodeJS.ReadableStream;
    let pending = Buffer.alloc(0);
    let done = false;
    const finish = (error?: Error) => {
      if (done) return;
      done = true;
      worker.kill();
      if (error) reject(error);
      else resolve();
    };
    const send = (text: string) => {
      const bytes = Buffer.from(text);
      input.write(Buffer.concat([Buffer.from(`${bytes.length}:`), bytes, Buffer.from(',')]));
    };
    output.on('data', (part: Buffer) => {
      pending = Buffer.concat([pending, part]);
      for (let message = take(); message !== undefined; message = take()) answer(message);
    });
    input.on('error', () => {});
    worker.once('error', finish);
    worker.once('exit', (code, signal) => finish(new Error(`the engine ended with ${signal ?? code}`)));
    send(`e${script}`);

    /** The next netstring. */
    function take(): string | undefined {
      const colon = pending.indexOf(':');
      if (colon < 0) return undefined;
      const length = Number(pending.subarray(0, colon).toString());
      if (pending.length < colon + length + 2) return undefined;
      const message = pending.subarray(colon + 1, colon + 1 + length).toString();
      pending = pending.subarray(colon + length + 2);
      return message;
    }

    function answer(message: string): void {
      switch (message[0]) {
        case '?':
          told(message.slice(1));
          send('/');
          break;
        case '!':
          finish(new Error(message.slice(1)));
          break;
        case '.':
          finish();
      }
    }
  });
}
