/**
 * `npm run test:xs [-- FILES]`: the portable core's own tests on a real XS engine, without the Moddable SDK. Each file
 * is bundled with stand-ins for vitest and Node and run in an engine of its own.
 */

import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { requireEngine, run } from './engine.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const FOLDERS = ['packet', 'config', 'crypto', 'wireguard'];
/** What cannot run there, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'test/crypto/node.test.ts': "tests the Node host's primitives",
  'test/crypto/x25519.test.ts': 'iterates the slow JavaScript curve, which takes minutes here',
  'test/crypto/secrets.test.ts': "looks at objects with Node's inspector",
  'test/crypto/differential.test.ts': 'compares implementations of which only one is here',
  'test/crypto/kdf.test.ts': "compares with Node's own HKDF",
  'test/wireguard/security-advisories.test.ts':
    "puts its own functions in the place of a module, with vitest's help",
  'test/wireguard/session.test.ts': 'hundreds of handshakes on the slow JavaScript curve take minutes here',
  'test/wireguard/timers.test.ts': 'hundreds of handshakes on the slow JavaScript curve take minutes here',
  'test/packet/address.test.ts': "compares with Node's own reading of addresses",
};

/** Single tests or suites of them, by name. */
const TESTS_LEFT_OUT: Readonly<Record<string, string>> = {
  "works on Node's pooled Buffers": 'there are no Buffers',
  'does not overflow with the longest packet of all ones': 'its slow twin takes 65,535 arguments',
};

/** Modules of Node and of vitest, and what stands in for them. */
const STAND_INS: readonly (readonly [RegExp, string])[] = [
  [/^vitest$/, 'vitest.ts'],
  // The second is what tweetnacl asks for, and does without.
  [/^(node:)?crypto$/, 'node-crypto.ts'],
  [/host\/gateway\/crypto\.js$/, 'primitives.ts'],
  [/\/implementations\.js$/, 'implementations.ts'],
];

const standIns: Plugin = {
  name: 'stand-ins',
  setup(build) {
    for (const [filter, file] of STAND_INS) {
      build.onResolve({ filter }, ({ importer }) =>
        importer.includes('/test/xs/')
          ? undefined
          : { path: fileURLToPath(new URL(`./stand-ins/${file}`, import.meta.url)) },
      );
    }
  },
};

async function bundle(file: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: [
        ...['globals', 'fewer-runs'].map((name) => `import './test/xs/stand-ins/${name}.ts';`),
        `import './${file}';`,
        `import { runAll } from './test/xs/stand-ins/vitest.ts'; runAll(${JSON.stringify(TESTS_LEFT_OUT)});`,
      ].join('\n'),
      resolveDir: ROOT,
    },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    // This engine is older than the boards' and makes static fields before it knows their class.
    supported: { 'class-static-field': false, 'class-static-blocks': false, 'regexp-set-notation': false },
    // The package says that its modules have no side effects; tests have nothing else.
    ignoreAnnotations: true,
    plugins: [standIns],
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

function testsIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, 'test', folder)).filter((name) => name.endsWith('.test.ts'));
  return names.sort().map((name) => `test/${folder}/${name}`);
}

interface Outcome {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly reason: string;
}

async function main(): Promise<void> {
  requireEngine();
  const given = process.argv.slice(2).map((path) => relative(ROOT, resolve(path)));
  const files = given.length > 0 ? given : FOLDERS.flatMap(testsIn);
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const file of files) {
    if (LEFT_OUT[file] !== undefined) {
      console.log(`- ${file}: left out, ${LEFT_OUT[file]}`);
      continue;
    }
    const began = performance.now();
    const own = { passed: 0, failed: 0, skipped: 0 };
    const failures: string[] = [];
    try {
      await run(await bundle(file), (message) => {
        const { name, state, reason } = JSON.parse(message) as Outcome;
        own[state]++;
        if (state === 'failed') failures.push(`  ${name}\n    ${reason}`);
      });
      if (own.passed + own.failed === 0) failures.push('  no test ran');
    } catch (error) {
      failures.push(`  ${(error as Error).message}`);
    }
    own.failed = Math.max(own.failed, failures.length);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(
      `${failures.length === 0 ? '✓' : '×'} ${file}: ${own.passed} passed, ${own.failed} failed (${seconds} s)`,
    );
    for (const failure of failures) console.log(failure);
    for (const state of ['passed', 'failed', 'skipped'] as const) total[state] += own[state];
  }
  console.log(`on XS: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

await main();
