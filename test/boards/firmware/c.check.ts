/** Every C file of the Linux program, with all warnings as errors; the headers are the SDK's and what mcconfig made. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDERS = ['linux', 'linux/drivers', 'linux/offload', 'native', 'native/crypto'].map(
  (folder) => `boards/${folder}`,
);
const GENERATED = join(ROOT, 'dist/xs/.build/linux/tmp/lin/linux/release');
const STRICT = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-fsyntax-only'];

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(folder, name)),
);

const sdk = process.env.MODDABLE ?? '';
const lacking = existsSync(join(sdk, 'xs/includes/xsmc.h')) ? undefined : 'MODDABLE names no SDK';

describe.skipIf(lacking)(`the C of the Linux program${lacking ? ` (skipped: ${lacking})` : ''}`, () => {
  const [generated] = readdirSync(GENERATED).filter((name) => name !== 'lib');
  const glib = spawnSync('pkg-config', ['--cflags', 'gio-2.0'], { encoding: 'utf8' }).stdout.trim();
  const flags = [
    ...STRICT,
    ...[join(sdk, 'xs/includes'), join(sdk, 'xs/platforms/lin'), join(GENERATED, generated)].flatMap(
      (folder) => ['-isystem', folder],
    ),
    ...FOLDERS.map((folder) => `-I${folder}`),
    ...glib.split(' '),
    ...['-include', 'mc.defines.h'],
  ];

  it.each(files)('%s compiles without a warning', (file) => {
    const { status, stderr } = spawnSync('cc', [...flags, file], { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
