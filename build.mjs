// Builds the programs into dist/: `node build.mjs [--declarations] [--quiet]`.
//
// dist/cloudbridge-{gateway,lab,control}.js              the programs, one bundled file each
// dist/LICENSES.txt                                      the licences of the packages inside them
// dist/kernel.wasm                                       the data plane's one pass over a batch
// dist/core/                                             the portable core, one module per source file, with
//                                                        its type declarations (only with --declarations)
//
// `npm start` and `npm test` run this every time, so it does as little as it can: a file whose contents would
// not change is left alone, and the kernel is compiled only when its sources did. Files appear by renaming, so
// that two builds at once, or a program starting meanwhile, never see half of one.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node.js ${process.versions.node} is too old; 20.19 or newer is needed.`);
  process.exit(1);
}
const { build } = await import('esbuild').catch((failure) => {
  if (failure.code !== 'ERR_MODULE_NOT_FOUND') throw failure;
  console.error('The packages are not installed yet. Run: npm ci');
  process.exit(1);
});

const root = fileURLToPath(new URL('.', import.meta.url));
const dist = join(root, 'dist');
const require = createRequire(import.meta.url);

/** Programs by name: what `npm pack` installs, with what the gateway's threads run; the lab and the control plane, which only a checkout has. */
const PROGRAMS = {
  'cloudbridge-gateway': 'host/gateway/main.ts',
  'cloudbridge-lane': 'host/gateway/native/worker.ts',
  'cloudbridge-lab': 'host/lab/main.ts',
  'cloudbridge-control': 'host/control-plane/main.ts',
  'cloudbridge-relay': 'host/relay/main.ts',
};

/** Some of the packages are CommonJS and ask for Node's own modules by `require`, which ES modules do not have. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

const { values: options } = parseArgs({
  options: {
    declarations: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

function say(text) {
  if (!options.quiet) console.log(text);
}

/** Puts `contents` at dist/`name` unless they are there already. */
function place(name, contents, mode = 0o644) {
  const path = join(dist, name);
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, contents);
  chmodSync(fresh, mode);
  renameSync(fresh, path);
  say(`${name}  ${(contents.length / 1024).toFixed(1)} KiB`);
}

async function buildPrograms() {
  const result = await build({
    absWorkingDir: root,
    entryPoints: PROGRAMS,
    outdir: dist,
    write: false,
    bundle: true,
    // They find their files beside their own modules.
    external: ['@electric-sql/pglite', '@electric-sql/pglite-prepopulatedfs', 'koffi'],
    // With the packages they use inside: one file starts more than twice as fast as a hundred.
    metafile: true,
    banner: { js: REQUIRE },
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  for (const file of result.outputFiles) {
    const name = file.path.slice(dist.length + 1);
    place(name, Buffer.from(file.contents), name.endsWith('.js') ? 0o755 : 0o644);
  }
  place('LICENSES.txt', Buffer.from(licences(Object.keys(result.metafile.inputs))));
}

/** The licences of the packages that are inside the programs, as they ask for. */
function licences(inputs) {
  const packages = new Set(
    inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean),
  );
  const texts = [...packages].sort().map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.\w+)?$/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return `The programs in this folder contain these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** Everything the compiled kernel depends on, as one digest. */
function kernelDigest(folder) {
  const hash = createHash('sha256');
  hash.update(require('assemblyscript/package.json').version);
  for (const entry of readdirSync(folder, { recursive: true }).sort()) {
    if (!/\.(ts|mjs|json)$/.test(entry)) continue;
    hash.update(`\n${entry}\n`).update(readFileSync(join(folder, entry)));
  }
  return hash.digest('hex');
}

async function buildKernel() {
  const folder = join(root, 'host/gateway/wasm');
  const wasm = join(dist, 'kernel.wasm');
  const stamp = `${wasm}.sources`;
  const digest = kernelDigest(folder);
  if (existsSync(wasm) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  const fresh = join(dist, `kernel.${process.pid}.wasm`);
  try {
    const kernel = await import(new URL('./host/gateway/wasm/build.mjs', import.meta.url).href);
    await kernel.buildKernel(fresh);
    place('kernel.wasm', readFileSync(fresh));
    place('kernel.wasm.sources', Buffer.from(digest));
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** The portable core as it is published: the compiler's own output, one module per file, nothing bundled. */
async function buildCore() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const core = join(dist, 'core');
  rmSync(core, { recursive: true, force: true });
  const flags = ['--noEmit', 'false', '--declaration', '--sourceMap', '--inlineSources'];
  await promisify(execFile)(process.execPath, [
    ...[tsc, '-p', join(root, 'src/tsconfig.json')],
    ...['--rootDir', join(root, 'src'), '--outDir', core],
    ...flags,
  ]).catch((failure) => {
    throw new Error(`type declarations: ${failure.stdout || failure.message}`);
  });
  say(
    `core/  ${readdirSync(core, { recursive: true }).filter((name) => name.endsWith('.js')).length} modules`,
  );
}

mkdirSync(dist, { recursive: true });
try {
  await Promise.all([buildPrograms(), buildKernel(), options.declarations ? buildCore() : undefined]);
} catch (failure) {
  // esbuild has already shown its own errors, with the line.
  if (!failure.errors) console.error(failure.message);
  else if (failure.errors.some(({ text }) => /^Could not resolve "[^.]/.test(text))) {
    console.error(
      'A package is missing: the list of packages has changed since they were installed. Run: npm ci',
    );
  }
  process.exit(1);
}
