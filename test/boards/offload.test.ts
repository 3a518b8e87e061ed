/** The C of the Linux data path, alone and under sanitizers: cutting and merging. The lab tests it in its place. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { compiler } from './native-primitives.js';

const OFFLOAD = fileURLToPath(new URL('../../boards/linux/offload/', import.meta.url));
const TEST = fileURLToPath(new URL('./offload-roundtrip.c', import.meta.url));
const ROUNDS = 300;

const directory = mkdtempSync(join(tmpdir(), 'offload-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('packets that were cut are right, and merge into what they were cut from', (context) => {
  const cc = compiler();
  if (!cc || process.platform !== 'linux')
    return context.skip('no C compiler for Linux (apt-get install gcc)');
  const program = join(directory, 'roundtrip');
  const flags = ['-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined'];
  const sources = ['segment.c', 'merge.c'].map((name) => join(OFFLOAD, name));
  const made = spawnSync(cc, [
    ...flags,
    '-fno-sanitize-recover',
    `-I${OFFLOAD}`,
    ...sources,
    TEST,
    '-o',
    program,
  ]);
  expect(made.stderr.toString()).toBe('');
  const seed = `${randomInt(2 ** 32)}`;
  const run = spawnSync(program, [seed, `${ROUNDS}`]);
  expect(run.stderr.toString(), `seed ${seed}`).toBe('');
  expect(run.status, `seed ${seed}`).toBe(0);
}, 120_000);
