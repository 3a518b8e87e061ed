import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkBoundaries } from './check.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** All TypeScript of src/, host/ and boards/; AssemblyScript is another language. */
function sources(): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of ['src', 'host', 'boards']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      const path = `${folder}/${entry}`;
      if (!path.endsWith('.ts') || path.startsWith('host/gateway/wasm/assembly/')) continue;
      files.set(path, readFileSync(join(root, path), 'utf8'));
    }
  }
  return files;
}

describe('the rooms of this repository', () => {
  const files = sources();

  test('are all read', () => {
    expect(files.has('src/ports.ts')).toBe(true);
    expect([...files.keys()].filter((path) => path.startsWith('src/wireguard/')).length).toBeGreaterThan(3);
    expect([...files.keys()].some((path) => path.startsWith('host/gateway/'))).toBe(true);
  });

  test('keep their boundaries', () => {
    expect(checkBoundaries(files)).toEqual([]);
  });
});

describe('the check notices', () => {
  /** Plants one file beside a clean repository of a few files. */
  function plant(path: string, text: string): string[] {
    return checkBoundaries(
      new Map([
        ['src/ports.ts', 'export interface Clock { monotonic(): number }'],
        ['src/packet/batch.ts', 'export class Batch { count = 0; }'],
        [
          'src/wireguard/device.ts',
          "import type { Batch } from '../packet/batch.js'; export type D = Batch;",
        ],
        ['host/gateway/main.ts', "import { readFileSync } from 'node:fs'; readFileSync('/dev/null');"],
        [path, text],
      ]),
    );
  }

  const planted: [what: string, path: string, text: string, message: RegExp][] = [
    ['Node in the core', 'src/packet/a.ts', "import 'node:fs';", /nothing of Node/],
    ['Node by its bare name', 'src/packet/a.ts', "import 'fs';", /only the packages/],
    ['Moddable in the core', 'src/packet/a.ts', "import Timer from 'timer';", /only the packages/],
    ['another package', 'src/packet/a.ts', "export * from 'pino';", /only the packages/],
    ['a type of Node', 'src/packet/a.ts', "import type { Socket } from 'node:dgram';", /nothing of Node/],
    ['a type by import()', 'src/packet/a.ts', "type S = import('node:dgram').Socket;", /nothing of Node/],
    ['a dynamic import', 'src/packet/a.ts', "const fs = () => import('node:fs');", /nothing of Node/],
    ['a computed import', 'src/packet/a.ts', 'const f = (n: string) => import(n);', /computed name/],
    ['an arrow turned round', 'src/packet/a.ts', "import '../wireguard/device.js';", /room 'packet' must/],
    [
      'control reaching inside',
      'src/control/a.ts',
      "import '../wireguard/device.js';",
      /room 'control' must/,
    ],
    ['identity reaching inside', 'src/identity/a.ts', "import '../wireguard/device.js';", /room 'identity'/],
    ['a room nobody knows', 'src/utils/a.ts', "import '../ports.js';", /not in rules\.ts/],
    [
      'the core reaching out',
      'src/packet/a.ts',
      "import '../../host/gateway/main.js';",
      /must not import host/,
    ],
    ['a host on a board', 'host/gateway/a.ts', "import '../../boards/xs/main.js';", /must not import boards/],
    ['a board on a host', 'boards/xs/a.ts', "import '../../host/gateway/main.js';", /must not import host/],
    [
      'a program using tests',
      'host/gateway/a.ts',
      "import '../../test/left-out.js';",
      /must not import test/,
    ],
    ['Node on a board', 'boards/xs/a.ts', "import 'node:fs';", /XS, not on Node/],
    ['an import without .js', 'src/packet/a.ts', "import './batch';", /end in '\.js'/],
    ['an import of nothing', 'src/packet/a.ts', "import './gone.js';", /no such file/],
    ['Date.now', 'src/packet/a.ts', 'export const t = () => Date.now();', /Date: time is passed in/],
    ['new Date', 'src/packet/a.ts', 'export const t = () => new Date();', /Date: time is passed in/],
    ['Math.random', 'src/packet/a.ts', 'export const r = () => Math.random();', /Math\.random/],
    ['setTimeout', 'src/packet/a.ts', 'setTimeout(() => {}, 1);', /setTimeout: /],
    ['console', 'src/packet/a.ts', "console.log('x');", /console: /],
    ['Buffer', 'src/packet/a.ts', 'export const b = Buffer.alloc(1);', /Buffer: /],
    ['process', 'src/packet/a.ts', 'export const e = process.env;', /process: /],
    ['TextEncoder', 'src/packet/a.ts', 'export const e = () => new TextEncoder();', /TextEncoder: /],
    ['globalThis', 'src/packet/a.ts', "export const e = globalThis['process'];", /globalThis: /],
    ['BigInt()', 'src/packet/a.ts', 'export const e = (n: number) => BigInt(n);', /BigInt: /],
    ['a BigInt literal', 'src/packet/a.ts', 'export const e = 1n;', /BigInt literal/],
    ['64-bit DataView', 'src/packet/a.ts', 'export const e = (v: DataView) => v.getBigUint64(0);', /getBigU/],
    [
      'let at the top',
      'src/packet/a.ts',
      'let count = 0; export const c = () => count;',
      /module-level 'let'/,
    ],
    ['exported let', 'src/packet/a.ts', 'export let count = 0;', /module-level 'let'/],
    [
      'var at the top',
      'src/packet/a.ts',
      'var count = 0; export const c = () => count;',
      /module-level 'var'/,
    ],
    ['a static field', 'src/packet/a.ts', 'export class A { static made = 0; }', /static field/],
    [
      'a scratch array',
      'src/packet/a.ts',
      'const scratch = new Uint8Array(4);\nexport function f() {\n  scratch[0] = 1;\n}',
      /^src\/packet\/a\.ts:3: writes into module-level 'scratch'/,
    ],
    ['a cache', 'src/packet/a.ts', 'const seen = new Map(); seen.set(1, 2);', /module-level 'seen'/],
    ['broken text', 'src/packet/a.ts', 'export const = 1;', /a\.ts:1: /],
  ];

  test('nothing in the clean repository', () => {
    expect(plant('src/packet/a.ts', 'export const A = 1;')).toEqual([]);
  });

  test.each(planted)('%s', (_what, path, text, message) => {
    const violations = plant(path, text);
    expect(violations).not.toEqual([]);
    expect(violations.join('\n')).toMatch(message);
  });

  test('but not what is allowed', () => {
    const text = `
      import nacl from 'tweetnacl';
      import { blake2s } from '@noble/hashes/blake2.js';
      import type { Clock } from '../ports.js';
      import { Batch } from '../packet/batch.js';
      const TABLE = new Uint8Array([1, 2, 3]);
      export class Timers {
        static readonly LIMIT = 3;
        process = 0;
        readonly table = new Uint8Array(4);
        constructor(readonly clock: Clock, readonly batch: Batch) {}
        update(now: number): void { this.process = now + TABLE[0]; this.table[0] = 1; this.table.set(TABLE); }
      }
      export const name = (console: { Date: number }) => console.Date + nacl.length + blake2s.length;
    `;
    expect(plant('src/wireguard/timers.ts', text)).toEqual([]);
  });
});
