import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiler, NATIVE_BUILDS } from './native-primitives.js';

const SOURCES = fileURLToPath(new URL('../../boards/native/crypto/', import.meta.url));
const TEST = fileURLToPath(new URL('./constant-time.c', import.meta.url));
const MEMCHECK = ['--quiet', '--error-exitcode=9', '--track-origins=no'];

describe('the native primitives branch and index on no secret', () => {
  const directory = mkdtempSync(join(tmpdir(), 'constant-time-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  for (const build of NATIVE_BUILDS) {
    describe(build.name, () => {
      const program = join(directory, build.name);
      let missing: string | undefined;

      beforeAll(() => {
        const cc = compiler();
        if (!cc) missing = 'no C compiler (apt-get install gcc)';
        else if (!existsSync('/usr/include/valgrind/memcheck.h'))
          missing = 'no valgrind (apt-get install valgrind)';
        else {
          const sources = readdirSync(SOURCES).filter((file) => file.endsWith('.c'));
          const paths = sources.map((file) => join(SOURCES, file));
          const flags = [
            '-std=gnu11',
            '-O2',
            '-g',
            '-DCB_CONSTANT_TIME_TEST',
            '-Wall',
            '-Wextra',
            '-Werror',
            ...build.flags,
          ];
          const made = spawnSync(cc, [...flags, `-I${SOURCES}`, ...paths, TEST, '-o', program]);
          expect(made.stderr.toString()).toBe('');
        }
      });

      it('by the word of memcheck', (context) => {
        if (missing) context.skip(missing);
        const run = spawnSync('valgrind', [...MEMCHECK, program]);
        expect(run.stderr.toString()).toBe('');
        expect(run.status).toBe(0);
      }, 120_000);

      it('and memcheck would have seen one', (context) => {
        if (missing) context.skip(missing);
        const run = spawnSync('valgrind', [...MEMCHECK, program, 'leak']);
        expect(run.stderr.toString()).toContain('depends on uninitialised value');
        expect(run.status).toBe(9);
      }, 120_000);
    });
  }
});
