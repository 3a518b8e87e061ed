import * as nodeFs from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../../src/ports.js';
import { EXIT, GatewayError, messageOf, systemCode } from './errors.js';

/** The file operations the store is made of; replaced by tests that cut the power between two of them. */
export type StoreFiles = Pick<
  typeof nodeFs,
  | 'mkdirSync'
  | 'openSync'
  | 'writeSync'
  | 'fsyncSync'
  | 'closeSync'
  | 'renameSync'
  | 'readFileSync'
  | 'rmSync'
>;

/** A value could not be read, kept or removed. */
export class StoreError extends GatewayError {
  constructor(action: string, cause: unknown) {
    super(EXIT.state, `cannot ${action}: ${explain(cause)}`, { cause });
  }
}

/** Longest value name, in characters: with the temporary suffix it stays far below the file systems' 255. */
const NAME_LIMIT = 100;
const NAME = /^[a-z0-9-][a-z0-9.-]*$/;

/**
 * Key/value storage in a directory: one file a value, mode 0600 in a 0700 directory. A value is written beside its
 * name, flushed, renamed over it, and the directory is flushed: after a power cut either the old value is there or
 * the new one, and once `set` has returned it is the new one.
 */
export class FileStore implements Store {
  readonly directory: string;
  private readonly files: StoreFiles;

  /** Makes the directory when it is missing. Throws a {@link StoreError}. */
  constructor(directory: string, files: StoreFiles = nodeFs) {
    this.directory = directory;
    this.files = files;
    try {
      files.mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new StoreError(`make the state directory ${directory}`, error);
    }
  }

  get(name: string): Uint8Array | undefined {
    const path = this.path(name);
    try {
      return new Uint8Array(this.files.readFileSync(path));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw new StoreError(`read "${name}" in ${this.directory}`, error);
    }
  }

  set(name: string, value: Uint8Array): void {
    const path = this.path(name);
    const { files } = this;
    // Values start with a letter, a digit or `-`, so this name can never be one.
    const temporary = join(this.directory, `.${name}.new`);
    let fd: number | undefined;
    try {
      fd = files.openSync(temporary, 'w', 0o600);
      for (let at = 0; at < value.length; ) at += files.writeSync(fd, value, at, value.length - at);
      files.fsyncSync(fd);
      files.closeSync(fd);
      fd = undefined;
      files.renameSync(temporary, path);
      this.flushDirectory();
    } catch (error) {
      if (fd !== undefined) files.closeSync(fd);
      this.discard(temporary);
      throw new StoreError(`keep "${name}" in ${this.directory}`, error);
    }
  }

  delete(name: string): void {
    try {
      this.files.rmSync(this.path(name), { force: true });
      this.flushDirectory();
    } catch (error) {
      throw new StoreError(`remove "${name}" in ${this.directory}`, error);
    }
  }

  /** Without this the rename itself may be lost, although the file's bytes are on disk. */
  private flushDirectory(): void {
    const fd = this.files.openSync(this.directory, 'r');
    try {
      this.files.fsyncSync(fd);
    } finally {
      this.files.closeSync(fd);
    }
  }

  private discard(temporary: string): void {
    try {
      this.files.rmSync(temporary, { force: true });
    } catch {
      // The first error is the one to tell.
    }
  }

  private path(name: string): string {
    if (name.length > NAME_LIMIT || !NAME.test(name)) throw new RangeError(`bad state name "${name}"`);
    return join(this.directory, name);
  }
}

function explain(cause: unknown): string {
  switch (systemCode(cause)) {
    case 'ENOSPC':
      return 'the disk is full; free some space or choose another place with --state-dir';
    case 'EDQUOT':
      return 'the disk quota is used up; free some space or choose another place with --state-dir';
    case 'EROFS':
      return 'the file system is read-only; choose another place with --state-dir';
    case 'EACCES':
    case 'EPERM':
      return 'no permission to write there; choose another place with --state-dir';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a file is in the way of the directory; choose another place with --state-dir';
    default:
      return messageOf(cause);
  }
}
