// The arm64 libraries that the program is linked with, taken out of Debian packages, without installing any.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

export const SYSROOT_NEEDS = ['apt-get', 'dpkg'];

const PACKAGES = [
  ...['libc6', 'libc6-dev', 'linux-libc-dev', 'libgcc-s1', 'libatomic1', 'libglib2.0-0', 'libglib2.0-dev'],
  ...['libpcre2-8-0', 'libpcre2-dev', 'libffi8', 'libffi-dev', 'zlib1g', 'zlib1g-dev', 'libmount1'],
  ...['libssl3', 'libssl-dev'],
  ...['libmount-dev', 'libselinux1', 'libselinux1-dev', 'libsepol-dev', 'libblkid1', 'libblkid-dev'],
];

/** Makes the folder, once for each list of packages, and gives its path back. Debian must know arm64: `dpkg --add-architecture arm64`. */
export function makeSysroot(folder, quiet) {
  const listing = join(folder, 'packages.txt');
  if (existsSync(listing) && readFileSync(listing, 'utf8') === PACKAGES.join('\n')) return folder;
  const stdio = ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'];
  const fresh = `${folder}.${process.pid}`;
  const downloads = join(fresh, 'packages');
  mkdirSync(downloads, { recursive: true });
  const foreign = execFileSync('dpkg', ['--print-foreign-architectures'], { encoding: 'utf8' });
  const own = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' });
  if (!`${own}\n${foreign}`.split('\n').includes('arm64')) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error('apt does not know arm64 packages yet: dpkg --add-architecture arm64 && apt-get update');
  }
  execFileSync('apt-get', ['download', '-q', ...PACKAGES.map((name) => `${name}:arm64`)], {
    cwd: downloads,
    stdio,
  });
  for (const name of readdirSync(downloads)) {
    execFileSync('dpkg', ['-x', join(downloads, name), fresh], { stdio });
  }
  rmSync(downloads, { recursive: true });
  bendLinks(fresh);
  writeFileSync(join(fresh, 'packages.txt'), PACKAGES.join('\n'));
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  return folder;
}

/** Links from the root of the file system would lead out of the folder. */
function bendLinks(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    if (!lstatSync(path).isSymbolicLink()) continue;
    const target = readlinkSync(path);
    if (!target.startsWith('/')) continue;
    rmSync(path);
    symlinkSync(relative(dirname(path), join(folder, target)), path);
  }
}
