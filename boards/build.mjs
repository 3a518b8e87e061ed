// Builds the firmware of a board with the Moddable SDK: `npm run build:xs -- --board linux`.
//
// Looks for everything that is needed first and names, for all that is missing, how to get it. The product lies in
// dist/xs/<board>/; what the SDK leaves on the way in dist/xs/.build/<board>/.

import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildChip, CHIPS, idfShortcomings, linkChip } from './esp32/chip-build.mjs';
import { makeSysroot, SYSROOT_NEEDS } from './raspberry-pi/sysroot.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The SDK this was written and measured with. */
const SDK_VERSION = '8.2.3';
/** mcconfig asks the compiler for lib es2025, which older ones do not know. */
const TYPESCRIPT_MAJOR = 6;
const CROSS = 'aarch64-linux-gnu';

/** `platform` is the SDK's; `product` what its make leaves in its binary directory. */
const BOARDS = {
  linux: { platform: 'lin', product: 'cloudbridge-gateway', host: true },
  'raspberry-pi': { platform: 'lin', product: 'cloudbridge-gateway', host: process.arch === 'arm64' },
  ...Object.fromEntries(CHIPS.map((name) => [name, { platform: 'esp32', chip: true }])),
};

const { values: options } = parseArgs({
  options: {
    board: { type: 'string', default: 'linux' },
    debug: { type: 'boolean', default: false },
    /** Chips only: stop before the IDF, which need not be there. */
    'link-only': { type: 'boolean', default: false },
    clean: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

function finds(program, ...words) {
  return spawnSync(program, words.length > 0 ? words : ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Everything that is missing, each with its remedy. */
function shortcomings(board) {
  const missing = [];
  const sdk = process.env.MODDABLE;
  if (!sdk || !existsSync(join(sdk, 'tools/mcconfig'))) {
    missing.push(
      `the Moddable SDK ${SDK_VERSION}: git clone --depth 1 --branch ${SDK_VERSION} ` +
        'https://github.com/Moddable-OpenSource/moddable, then export MODDABLE=<that folder>',
    );
  } else if (!existsSync(join(tools(sdk), 'mcconfig'))) {
    missing.push(`the SDK's own tools: see boards/README.md, or: cd ${sdk}/build/makefiles/lin && make`);
  } else {
    const version = readFileSync(join(sdk, 'tools/VERSION'), 'utf8').trim();
    if (version !== SDK_VERSION) console.warn(`warning: SDK ${version} instead of ${SDK_VERSION}`);
  }
  const typescript = join(root, 'node_modules/typescript/package.json');
  if (!existsSync(typescript)) missing.push('the packages of this project: npm ci');
  else if (Number.parseInt(JSON.parse(readFileSync(typescript, 'utf8')).version, 10) < TYPESCRIPT_MAJOR) {
    missing.push(`TypeScript ${TYPESCRIPT_MAJOR} or later: npm ci`);
  }
  if (!finds('make')) missing.push('make: apt-get install make');
  if (board.chip) return [...missing, ...(options['link-only'] ? [] : idfShortcomings())];
  if (!finds('pkg-config')) missing.push('pkg-config: apt-get install pkg-config');
  if (board.host) {
    if (!finds('cc')) missing.push('a C compiler: apt-get install gcc');
    if (!finds('pkg-config', '--exists', 'gio-2.0')) missing.push('GLib: apt-get install libglib2.0-dev');
    if (!finds('pkg-config', '--atleast-version=3.0', 'openssl'))
      missing.push('OpenSSL 3: apt-get install libssl-dev');
  } else {
    if (!finds(`${CROSS}-gcc`)) missing.push(`the compiler for arm64: apt-get install gcc-${CROSS}`);
    for (const program of SYSROOT_NEEDS) {
      if (!finds(program))
        missing.push(`${program}, which Debian and its like have, for the board's libraries`);
    }
  }
  return missing;
}

function tools(sdk) {
  return join(sdk, 'build/bin/lin/release');
}

function surroundings(board) {
  const sdk = process.env.MODDABLE;
  const environment = {
    ...process.env,
    PATH: `${tools(sdk)}:${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
  };
  if (board.host || board.chip) return environment;
  const sysroot = makeSysroot(join(root, 'dist/xs/.build/sysroot-arm64'), options.quiet);
  const libraries = `${sysroot}/usr/lib/${CROSS}`;
  return {
    ...environment,
    CC: `${CROSS}-gcc --sysroot=${sysroot}`,
    PKG_CONFIG_SYSROOT_DIR: sysroot,
    PKG_CONFIG_LIBDIR: `${libraries}/pkgconfig:${sysroot}/usr/share/pkgconfig`,
  };
}

/** Runs mcconfig. Its linker warns of what cannot live in flash and goes on; here that is a mistake. */
function compile(name, board, output) {
  const words = ['-m', ...(options.debug ? ['-d'] : []), '-p', `${board.platform}:./boards/${name}`];
  return new Promise((resolve) => {
    const child = spawn('mcconfig', [...words, '-o', output, './manifest.json'], {
      cwd: root,
      env: surroundings(board),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let warnings = 0;
    const show = (text) => {
      for (const line of text.split('\n')) {
        if (/warning/i.test(line)) warnings++;
        if (line !== '' && (!options.quiet || !/^#/.test(line))) console.log(line);
      }
    };
    child.stdout.setEncoding('utf8').on('data', show);
    child.stderr.setEncoding('utf8').on('data', show);
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('close', (code) => {
      if (code === 0 && warnings > 0) console.error(`${warnings} warnings: see above`);
      resolve(code === 0 && warnings > 0 ? 1 : (code ?? 1));
    });
  });
}

/** The exit code. */
async function makeChip(name, board, output) {
  const common = { name, root, output, environment: surroundings(board) };
  if (!options['link-only']) return buildChip({ ...common, debug: options.debug });
  const { code, warnings, linked } = await linkChip({ ...common, quiet: options.quiet });
  for (const line of warnings) console.error(line);
  if (code === 0) console.log(linked);
  return code === 0 && warnings.length > 0 ? 1 : code;
}

const name = options.board;
const board = BOARDS[name];
if (board === undefined) {
  console.error(`there is no board ${name}; there are ${Object.keys(BOARDS).join(', ')}`);
  process.exit(2);
}
const missing = shortcomings(board);
if (missing.length > 0) {
  console.error(`To build for ${name}, these are missing:\n${missing.map((line) => `- ${line}`).join('\n')}`);
  process.exit(1);
}
const output = join(root, 'dist/xs/.build', name);
if (options.clean) rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
if (board.chip) process.exit(await makeChip(name, board, output));
const code = await compile(name, board, output);
if (code === 0) {
  const goal = options.debug ? 'debug' : 'release';
  const made = join(output, 'bin', board.platform, name, goal, basename(root), board.product);
  const product = join(root, 'dist/xs', name, board.product);
  mkdirSync(dirname(product), { recursive: true });
  // A running program's file cannot be written to, but replaced.
  rmSync(product, { force: true });
  copyFileSync(made, product);
  console.log(product);
}
process.exit(code);
