import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../host/gateway/errors.js';
import { FileStore, StoreError, type StoreFiles } from '../../host/gateway/file-store.js';

let base: string;
beforeAll(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'cb-store-'));
});
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

describe('FileStore', () => {
  it('keeps, replaces and deletes values, in files that only their owner reads', () => {
    const store = new FileStore(join(base, 'plain'));
    expect(store.get('tai64n')).toBeUndefined();
    store.set('tai64n', bytes('one'));
    store.set('tai64n', bytes('two'));
    expect(new FileStore(store.directory).get('tai64n')).toEqual(bytes('two'));
    expect(fs.statSync(store.directory).mode & 0o777).toBe(0o700);
    expect(fs.statSync(join(store.directory, 'tai64n')).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(store.directory)).toEqual(['tai64n']);
    store.delete('tai64n');
    store.delete('tai64n');
    expect(store.get('tai64n')).toBeUndefined();
  });

  it('refuses names that could leave the directory or meet its own files', () => {
    const store = new FileStore(join(base, 'names'));
    for (const name of ['', '.', '..', '../x', 'a/b', '.x.new', 'A', 'a b', 'x'.repeat(101)]) {
      expect(() => store.set(name, bytes('x'))).toThrow(RangeError);
      expect(() => store.get(name)).toThrow(RangeError);
    }
  });

  it.each([
    ['ENOSPC', /the disk is full; free some space or choose another place with --state-dir/],
    ['EROFS', /read-only/],
    ['EDQUOT', /quota/],
  ])('explains %s, keeps the old value and leaves no half file', (code, sentence) => {
    const directory = join(base, `full-${code}`);
    new FileStore(directory).set('value', bytes('old'));
    const failing: StoreFiles = {
      ...fs,
      fsyncSync: () => {
        throw Object.assign(new Error(code), { code });
      },
    };
    const store = new FileStore(directory, failing);
    expect(() => store.set('value', bytes('new'))).toThrow(StoreError);
    expect(() => store.set('value', bytes('new'))).toThrow(sentence);
    try {
      store.set('value', bytes('new'));
    } catch (error) {
      expect((error as StoreError).exitCode).toBe(EXIT.state);
    }
    expect(store.get('value')).toEqual(bytes('old'));
    expect(fs.readdirSync(directory)).toEqual(['value']);
  });

  it('says what is in the way of its directory', () => {
    fs.writeFileSync(join(base, 'file'), '');
    expect(() => new FileStore(join(base, 'file', 'below'))).toThrow(/a file is in the way/);
  });

  it('meets a really full disk', (context) => {
    if (process.getuid?.() !== 0) return context.skip('needs root to mount a small disk');
    const disk = join(base, 'disk');
    fs.mkdirSync(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'cb-store-test', disk]).status !== 0) {
      return context.skip('needs the right to mount a small disk');
    }
    try {
      const store = new FileStore(join(disk, 'state'));
      store.set('value', bytes('old'));
      expect(() => store.set('value', new Uint8Array(1 << 20))).toThrow(/the disk is full/);
      expect(store.get('value')).toEqual(bytes('old'));
      expect(fs.readdirSync(store.directory)).toEqual(['value']);
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

/**
 * The power cut: a process is killed just before its n-th file operation while it replaces a value, for every n
 * there is. Kills, unlike power cuts, spare the page cache; that `fsync` comes before `rename`, and on the directory
 * behind it, is what the order of the operations shows.
 */
describe('a power cut', () => {
  const OLD = 'o'.repeat(4000);
  const NEW = 'n'.repeat(5000);
  let script: string;

  beforeAll(async () => {
    script = join(base, 'cut.mjs');
    await build({
      stdin: {
        contents: `
          import * as fs from 'node:fs';
          import { FileStore } from './host/gateway/file-store.ts';
          const [directory, cut] = process.argv.slice(2);
          let done = 0;
          const counted = Object.fromEntries(
            ['mkdirSync', 'openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync', 'readFileSync', 'rmSync'].map((name) => [
              name,
              (...args) => {
                // One byte at a time would be a fine way to be cut in the middle: half of the value, then nothing.
                if (name === 'writeSync' && args[3] > 1000) args[3] = 1000;
                if (armed && ++done === Number(cut)) process.kill(process.pid, 'SIGKILL');
                if (armed) console.log(name);
                return fs[name](...args);
              },
            ]),
          );
          let armed = false;
          const store = new FileStore(directory, counted);
          armed = true;
          store.set('value', new Uint8Array(Buffer.from('${NEW}')));
        `,
        resolveDir: process.cwd(),
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: script,
      logLevel: 'silent',
    });
  });

  const cutAt = (directory: string, n: number) =>
    spawnSync(process.execPath, [script, directory, String(n)], { encoding: 'utf8' });

  it('leaves the old value or the new one, whichever moment it comes', () => {
    const reference = join(base, 'whole');
    new FileStore(reference).set('value', bytes(OLD));
    const steps = cutAt(reference, 0).stdout.trim().split('\n');
    expect(steps).toEqual(
      'openSync writeSync writeSync writeSync writeSync writeSync fsyncSync closeSync renameSync openSync fsyncSync closeSync'.split(
        ' ',
      ),
    );
    for (let n = 1; n <= steps.length; n++) {
      const directory = join(base, `cut-${n}`);
      new FileStore(directory).set('value', bytes(OLD));
      expect(cutAt(directory, n).signal).toBe('SIGKILL');
      const survivor = new FileStore(directory);
      const expected = n <= steps.indexOf('renameSync') + 1 ? OLD : NEW;
      expect(Buffer.from(survivor.get('value')!).toString()).toBe(expected);
      // What the cut left behind does not disturb the next write.
      survivor.set('value', bytes('next'));
      expect(survivor.get('value')).toEqual(bytes('next'));
      expect(fs.readdirSync(directory)).toEqual(['value']);
    }
  });
});
