/**
 * Every C file of the chips' firmware, compiled for rv32imac with all warnings as errors, against declarations of what it
 * uses (test/boards/esp32/idf). With the SDK at hand those that speak to XS are also compiled against its own headers.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const COMPILER = 'riscv64-unknown-elf-gcc';
const FOLDERS = ['boards/native', 'boards/native/crypto', 'boards/native/esp32', 'boards/native/esp32/lwip'];
const DECLARATIONS = 'test/boards/esp32/idf';
const WARNINGS = ['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror'];

const files = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(folder, name)),
);
const missing =
  spawnSync(COMPILER, ['--version']).status === 0
    ? undefined
    : `${COMPILER} is missing (apt-get install gcc-riscv64-unknown-elf)`;

const scratch = mkdtempSync(join(tmpdir(), 'cloudbridge-chip-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function compile(compiler: string, flags: readonly string[], file: string): string {
  const includes = FOLDERS.map((folder) => `-I${folder}`);
  const object = join(scratch, 'object.o');
  const result = spawnSync(compiler, [...flags, ...WARNINGS, ...includes, '-c', file, '-o', object], {
    encoding: 'utf8',
  });
  return result.status === 0 ? '' : result.stderr;
}

describe.skipIf(missing)(`C for the chip${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const target = ['-march=rv32imac', '-mabi=ilp32', '-ffreestanding'];
  const declarations = [`-I${DECLARATIONS}`, `-I${DECLARATIONS}/xs`];

  test.each(files)('%s compiles', (file) => {
    expect(compile(COMPILER, [...target, ...declarations], file)).toBe('');
  });

  test('random numbers of a board without radio', () => {
    const flags = [...target, ...declarations, '-DMODDEF_CLOUDBRIDGE_NORADIO=1'];
    expect(compile(COMPILER, flags, 'boards/native/esp32/random.c')).toBe('');
  });

  test('the declarations are needed, so they are really read', () => {
    expect(compile(COMPILER, target, 'boards/native/esp32/store.c')).toContain('No such file');
  });
});

const sdk = process.env.MODDABLE;
const headers = sdk && existsSync(join(sdk, 'xs/includes/xsmc.h')) ? join(sdk, 'xs/includes') : undefined;
const lacking = headers ? undefined : 'MODDABLE names no SDK';

describe.skipIf(lacking)(
  `C for the chip and the SDK's headers${lacking ? ` (skipped: ${lacking})` : ''}`,
  () => {
    // Of our declarations of XS only those that mcconfig would generate, and the SDK's FreeRTOS-bound host header.
    const generated = join(scratch, 'generated');
    mkdirSync(generated);
    for (const name of ['mc.xs.h', 'mc.defines.h', 'xsHost.h']) {
      symlinkSync(resolve(DECLARATIONS, 'xs', name), join(generated, name));
    }
    const speakers = files.filter((file) => /xsMachine/.test(readFileSync(file, 'utf8')));

    test.each(speakers)('%s compiles', (file) => {
      const flags = [`-I${generated}`, '-isystem', headers!, '-idirafter', DECLARATIONS];
      expect(compile('gcc', flags, file)).toBe('');
    });
  },
);
