import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { EXIT_MEANINGS } from '../host/gateway/errors.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Documents at the top, and the README of each room. */
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['boards', 'host', 'host/relay', 'test/lab'].map((folder) => `${folder}/README.md`),
].filter((path) => existsSync(join(root, path)));

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('links to files that exist', () => {
    const targets = Array.from(text.matchAll(/\]\((?!https?:|#)([^)#]+)/g), ([, target]) => target);
    expect(targets.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
  });

  test('names scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = Array.from(text.matchAll(/npm run ([\w:]+)/g), ([, name]) => name);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  test('names files of the repository that exist', () => {
    const named = Array.from(text.matchAll(/`((?:src|host|test|boards)\/[\w./-]*)`/g), ([, name]) => name);
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });
});

describe('README.md and the programs', () => {
  const text = read('README.md');
  const help = (program: string, ...words: string[]) =>
    execFileSync(process.execPath, [join(root, 'dist', program), ...words, '--help'], { encoding: 'utf8' });

  test('agree on the exit codes', () => {
    const rows = Array.from(text.matchAll(/^\| (\d+) \| (.*) \|$/gm), ([, code, meaning]) => [
      Number(code),
      meaning,
    ]);
    expect(rows).toEqual(EXIT_MEANINGS.map(([code, meaning]) => [code, meaning]));
  });

  test('agree on the options', () => {
    const script = (file: string) =>
      execFileSync(join(root, 'node_modules/.bin/tsx'), [file, '--help'], { encoding: 'utf8', cwd: root });
    const known = ['up', 'enrol', 'run', 'status', 'explain', 'check', 'doctor']
      .map((command) => help('cloudbridge-gateway.js', command))
      .concat(help('cloudbridge-lab.js'))
      .concat(help('cloudbridge-relay.js', 'serve'))
      .concat(script('test/bench/bench.ts'), script('test/soak/main.ts'))
      .concat(help('cloudbridge-control.js', 'serve'), help('cloudbridge-control.js', 'claim', 'create'))
      .join('\n');
    // npm's own options.
    const others = ['--global', '--silent'];
    const named = new Set(Array.from(text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g), ([option]) => option));
    const unknown = [...named].filter((option) => !others.includes(option) && !known.includes(option));
    expect(unknown).toEqual([]);
  });

  test('agree on the commands', () => {
    const known = help('cloudbridge-gateway.js');
    const named = new Set(
      Array.from(text.matchAll(/^(?:sudo )?cloudbridge-gateway (\w+)/gm), ([, name]) => name),
    );
    expect(named.size).toBeGreaterThan(3);
    expect([...named].filter((name) => !known.includes(`  ${name}`))).toEqual([]);
  });
});
