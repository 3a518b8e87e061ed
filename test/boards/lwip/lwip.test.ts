/**
 * The ESP32's tunnel interface and UDP socket (boards/native/esp32/lwip) in a real lwIP, Debian's `liblwip-dev`. The
 * checks are in tunnel.c; what Debian's lwIP cannot show (address translation, which only Espressif's has) is left out.
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

/** Every check that the program must report, so that none can be skipped unseen. */
const CHECKS = [...readFileSync(TEST_SOURCE, 'utf8').matchAll(/\bcheck\([^;]*, "([^"]+)"\);/g)].map(
  ([, name]) => name,
);

describe.skipIf(MISSING)(`the tunnel in lwIP${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  let directory: string;
  let output: string[];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cloudbridge-lwip-'));
    const program = join(directory, 'tunnel');
    const files = readdirSync(SOURCES)
      .filter((name) => name.endsWith('.c'))
      .map((name) => join(SOURCES, name));
    const flags = ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', `-I${HEADERS}`, `-I${SOURCES}`];
    const libraries = ['-rdynamic', '-llwip', '-ldl', '-lpthread'];
    execFileSync('gcc', [...flags, TEST_SOURCE, ...files, '-o', program, ...libraries]);
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
