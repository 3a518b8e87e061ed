import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { thresholdFrom } from '../../host/gateway/log.js';

let base: string;
let script: string;
beforeAll(async () => {
  base = mkdtempSync(join(process.cwd(), 'node_modules', '.cb-log-'));
  script = join(base, 'log.mjs');
  await build({
    stdin: {
      contents: `
        import { openLog } from './host/gateway/log.ts';
        const [format, threshold] = process.argv.slice(2);
        const log = openLog(format, threshold);
        for (const level of ['error', 'warn', 'info', 'debug']) log.write(level, 'event-' + level, { n: 1, absent: undefined });
        log.write('error', 'hostile', { text: 'a b\\n12:00 error forged\\x1b[2J\\x9b' });
      `,
      resolveDir: process.cwd(),
      loader: 'ts',
    },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outfile: script,
    logLevel: 'silent',
  });
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const logged = (format: string, threshold: string) => {
  const { stdout, stderr } = spawnSync(process.execPath, [script, format, threshold], {
    encoding: 'utf8',
    cwd: tmpdir(),
  });
  expect(stdout).toBe('');
  return stderr.trimEnd().split('\n');
};

describe.each(['json', 'human'])('the %s log', (format) => {
  it.each([
    ['silent', 0],
    ['error', 2],
    ['warn', 3],
    ['info', 4],
    ['debug', 5],
  ])('at %s has %i lines', (threshold, lines) => {
    expect(logged(format, threshold).filter((line) => line !== '')).toHaveLength(lines);
  });
});

it('writes fields in JSON as they are, and leaves out those without a value', () => {
  const [first] = logged('json', 'error');
  expect(JSON.parse(first)).toEqual({
    level: 'error',
    time: expect.any(Number),
    pid: expect.any(Number),
    event: 'event-error',
    n: 1,
  });
});

it('lets no value forge a line for people, or drive their terminal', () => {
  const lines = logged('human', 'error');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} error event-error n=1$/);
  expect(lines[1]).toMatch(/ hostile text="a b\\n12:00 error forged\\u001b\[2J\?"$/);
});

it('knows the levels of wireguard-go', () => {
  expect(['verbose', 'DEBUG', 'error', 'silent', 'loud', undefined].map(thresholdFrom)).toEqual([
    'debug',
    'debug',
    'error',
    'silent',
    undefined,
    undefined,
  ]);
});
