import type { Store } from '../../../src/ports.js';
import { makeDirectory, readFile, removeFile, replaceFile } from './files.js';
import { EACCES, EDQUOT, EEXIST, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS, errorText } from './system-error.js';

/** Values are a few bytes; a larger file is none of ours. */
const VALUE_LIMIT = 65_536;
const NAME_LIMIT = 100;

/** A value could not be read, kept or removed. */
export class StoreError extends Error {
  readonly errno: number;

  constructor(directory: string, action: string, errno: number) {
    super(`cannot ${action} in ${directory}: ${explain(errno)}`);
    this.errno = errno;
  }
}

/** Key/value storage in a directory of mode 0700: one file of mode 0600 a value, replaced atomically. */
export class FileStore implements Store {
  readonly #directory: string;

  /** Makes the directory and those above it. Throws a {@link StoreError}. */
  constructor(directory: string) {
    this.#directory = directory;
    for (let at = directory.indexOf('/', 1); at > 0; at = directory.indexOf('/', at + 1)) {
      this.#check(makeDirectory(directory.slice(0, at), 0o755), 'make a directory');
    }
    this.#check(makeDirectory(directory, 0o700), 'make the state directory');
  }

  get(name: string): Uint8Array | undefined {
    requireName(name);
    const value = readFile(`${this.#directory}/${name}`, VALUE_LIMIT);
    if (typeof value !== 'number') return new Uint8Array(value);
    if (value === -ENOENT) return undefined;
    throw new StoreError(this.#directory, `read "${name}"`, -value);
  }

  set(name: string, value: Uint8Array): void {
    requireName(name);
    this.#check(replaceFile(this.#directory, name, value), `keep "${name}"`);
  }

  delete(name: string): void {
    requireName(name);
    this.#check(removeFile(this.#directory, name), `remove "${name}"`);
  }

  #check(result: number, action: string): void {
    if (result < 0) throw new StoreError(this.#directory, action, -result);
  }
}

/** Lower-case letters, digits, `-` and `.`, not beginning with `.`: temporary files do. */
function requireName(name: string): void {
  let good = name.length > 0 && name.length <= NAME_LIMIT && !name.startsWith('.');
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    good &&= (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45 || code === 46;
  }
  if (!good) throw new RangeError(`bad state name "${name}"`);
}

function explain(errno: number): string {
  switch (errno) {
    case ENOSPC:
      return 'the disk is full; free some space or choose another place with --state-dir';
    case EDQUOT:
      return 'the disk quota is used up; free some space or choose another place with --state-dir';
    case EROFS:
      return 'the file system is read-only; choose another place with --state-dir';
    case EACCES:
    case EPERM:
      return 'no permission to write there; choose another place with --state-dir';
    case ENOTDIR:
    case EEXIST:
      return 'a file is in the way of the directory; choose another place with --state-dir';
    default:
      return errorText(errno);
  }
}
