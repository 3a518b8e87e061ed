/**
 * The ESP32's tunnel interface and UDP socket (boards/native/esp32/lwip) in a real lwIP, Debian's `liblwip-dev`. The
 * checks are in tunnel.c, those of the clamp in mss.c. Address translation, which only Espressif's lwIP has, is in translation.c: ESP_LWIP names a
 * checkout of github.com/espressif/esp-lwip, branch 2.1.3-esp.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SOURCES = 'boards/native/esp32/lwip';
const TEST_SOURCE = 'test/boards/lwip/tunnel.c';
const HEADERS = '/usr/include/lwip';
const MISSING =
  existsSync(`${HEADERS}/lwip/netif.h`) && spawnSync('gcc', ['--version']).status === 0
    ? undefined
    : 'gcc and liblwip-dev are missing (apt-get install gcc liblwip-dev)';

/** Every check that a program must report, so that none can be skipped unseen. */
function checksOf(source: string): (string | undefined)[] {
  const text = readFileSync(source, 'utf8');
  return [...text.matchAll(/\bcheck\([^;]*, "([^"]+)"\);/g)].map(([, name]) => name);
}

const CHECKS = checksOf(TEST_SOURCE);

const SOURCE_FILES = readdirSync(SOURCES)
  .filter((name) => name.endsWith('.c'))
  .map((name) => join(SOURCES, name));

describe.skipIf(MISSING)(`the tunnel in lwIP${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  let directory: string;
  let output: string[];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cloudbridge-lwip-'));
    const program = join(directory, 'tunnel');
    const flags = ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', `-I${HEADERS}`, `-I${SOURCES}`];
    const libraries = ['-rdynamic', '-llwip', '-ldl', '-lpthread'];
    execFileSync('gcc', [...flags, TEST_SOURCE, ...SOURCE_FILES, '-o', program, ...libraries]);
    // A status other than 0 is told by the failed checks, or by their absence.
    output = spawnSync(program, { encoding: 'utf8', timeout: 30_000 }).stdout.split('\n');
  }, 60_000);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('the program has the checks', () => {
    expect(CHECKS.length).toBeGreaterThan(50);
    expect(new Set(CHECKS).size).toBe(CHECKS.length);
  });

  test.each(CHECKS)('%s', (name) => {
    expect(output).toContain(`ok ${name}`);
  });

  test('translation is told to be absent where lwIP has none', () => {
    expect(output).toContain('translation absent');
  });
});

describe.skipIf(MISSING)(`the clamp of TCP's segment size${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const source = 'test/boards/lwip/mss.c';
  let output: string[];

  beforeAll(() => {
    const directory = mkdtempSync(join(tmpdir(), 'cloudbridge-lwip-'));
    const program = join(directory, 'mss');
    const flags = ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined'];
    execFileSync('gcc', [...flags, `-I${SOURCES}`, source, `${SOURCES}/mss-clamp.c`, '-o', program]);
    output = spawnSync(program, { encoding: 'utf8', timeout: 30_000 }).stdout.split('\n');
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  test.each(checksOf(source))('%s', (name) => {
    expect(output).toContain(`ok ${name}`);
  });
});

const espressif = process.env.ESP_LWIP;
const lacking =
  espressif && existsSync(join(espressif, 'src/core/ipv4/ip4_napt.c')) ? undefined : 'ESP_LWIP names none';

describe.skipIf(lacking)(`translation in Espressif's lwIP${lacking ? ` (skipped: ${lacking})` : ''}`, () => {
  const source = 'test/boards/lwip/translation.c';
  let directory: string;
  let output: string[];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cloudbridge-lwip-'));
    const program = join(directory, 'translation');
    const core = ['core', 'core/ipv4', 'core/ipv6'].flatMap((folder) => {
      const path = join(espressif!, 'src', folder);
      return readdirSync(path)
        .filter((name) => name.endsWith('.c'))
        .map((name) => join(path, name));
    });
    core.push(join(espressif!, 'src/netif/ethernet.c'));
    const includes = ['-Itest/boards/lwip/espressif', `-I${espressif}/src/include`, `-I${SOURCES}`];
    // Warnings in lwIP itself are not ours to mend.
    execFileSync('gcc', [
      '-std=gnu11',
      '-g',
      '-w',
      ...includes,
      source,
      ...SOURCE_FILES,
      ...core,
      '-o',
      program,
    ]);
    output = spawnSync(program, { encoding: 'utf8', timeout: 30_000 }).stdout.split('\n');
  }, 120_000);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(checksOf(source))('%s', (name) => {
    expect(output).toContain(`ok ${name}`);
  });
});
