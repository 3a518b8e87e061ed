// Builds the firmware of a chip, or only links it: `npm run build:xs -- --board esp32 [--link-only]`.
//
// Linking needs the Moddable SDK but no ESP-IDF: TypeScript is checked and compiled, everything is linked and preloaded
// into the one C file (mc.xs.c) that holds the program's bytecode and objects. What it does not show is that the C links
// against the IDF and that the program runs.

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const CHIPS = ['esp32', 'esp32-eth', 'esp32-c6'];

/** The SDK's versionCheck.py takes no other. */
const IDF_VERSION = 'v6.0';

/** What building needs beyond the SDK, each with its remedy. */
export function idfShortcomings() {
  const idf = process.env.IDF_PATH;
  if (!idf || !existsSync(join(idf, 'tools/idf.py'))) {
    return [
      `ESP-IDF ${IDF_VERSION}: git clone -b ${IDF_VERSION} --recursive https://github.com/espressif/esp-idf, then in it ` +
        './install.sh esp32,esp32c6 and . export.sh (or add --link-only, which needs none)',
    ];
  }
  if (spawnSync('idf.py', ['--version']).status === 0) return [];
  return [`the tools of ESP-IDF in this shell: . ${idf}/export.sh`];
}

/** A folder that passes for the IDF while nothing is compiled: its version, and an idf.py that makes an empty header. */
function standInForIdf(folder) {
  const programs = join(folder, 'bin');
  if (!existsSync(join(folder, '.git'))) {
    mkdirSync(programs, { recursive: true });
    const git = (...words) =>
      spawnSync('git', ['-c', 'user.name=link', '-c', 'user.email=link@localhost', ...words], {
        cwd: folder,
      });
    git('init', '-q');
    git('commit', '-q', '--allow-empty', '-m', 'stands in for ESP-IDF');
    git('tag', '-a', IDF_VERSION, '-m', IDF_VERSION);
  }
  const program = join(programs, 'idf.py');
  writeFileSync(
    program,
    '#!/bin/sh\necho "$@" >> "$IDF_PATH/calls"\nmkdir -p build/config && : > build/config/sdkconfig.h\n',
  );
  chmodSync(program, 0o755);
  return { IDF_PATH: folder, PATH: programs };
}

function run(program, words, cwd, env, quiet) {
  return new Promise((resolve) => {
    const child = spawn(program, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const hear = (piece) => {
      text += piece;
      if (!quiet) process.stdout.write(piece);
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.on('error', (error) => resolve({ code: 1, text: `${text}${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

/**
 * Links the board `name`. `environment` has MODDABLE and the SDK's tools in PATH. Resolves to the exit code, everything
 * that was said, the warnings in it, and the path of mc.xs.c.
 */
export async function linkChip({ name, root, output, environment, quiet = true }) {
  mkdirSync(output, { recursive: true });
  const { IDF_PATH, PATH } = standInForIdf(join(output, 'idf'));
  const env = { ...environment, IDF_PATH, PATH: `${PATH}:${environment.PATH}` };
  const words = ['-p', 'esp32', '-o', output, `./boards/${name}/manifest.json`];
  const configured = await run('mcconfig', words, root, env, quiet);
  const folder = join(output, 'tmp/esp32/release', name);
  const linked = join(folder, 'mc.xs.c');
  const goals = [linked, join(folder, 'mc.resources.c')];
  const made =
    configured.code === 0
      ? await run('make', ['-f', join(folder, 'makefile'), ...goals], root, env, quiet)
      : configured;
  const text = configured.text + made.text;
  const warnings = text.split('\n').filter((line) => /warning|error/i.test(line));
  const calls = join(IDF_PATH, 'calls');
  return {
    code: made.code,
    text,
    warnings,
    linked,
    folder,
    calls: existsSync(calls) ? readFileSync(calls, 'utf8') : '',
  };
}

/** Builds with the IDF, and flashes when the board is at hand (UPLOAD_PORT). Resolves to the exit code. */
export async function buildChip({ name, root, output, environment, debug }) {
  mkdirSync(output, { recursive: true });
  const words = [
    ...(debug ? ['-d'] : []),
    '-m',
    '-p',
    'esp32',
    '-o',
    output,
    `./boards/${name}/manifest.json`,
  ];
  return (await run('mcconfig', words, root, environment, false)).code;
}
