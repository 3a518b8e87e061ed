/**
 * Instructions that the firmware takes for one handshake (both ends, confirmation included) and for one packet of 1420
 * bytes sealed and opened, by callgrind. Unlike times they are the same in every run. What happens inside the native
 * primitives is told apart from everything else: byte code, the engine, its garbage collection.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XS_PROGRAM } from '../lab/gateway-end.js';

const FEW = 10;
const MANY = 60;

function instructions(directory: string, work: string, count: number, collect: readonly string[]): number {
  const out = join(directory, 'callgrind.out');
  const valgrind = ['--tool=callgrind', '--quiet', `--callgrind-out-file=${out}`, ...collect];
  execFileSync('valgrind', [...valgrind, XS_PROGRAM, 'measure', work, `${count}`], { stdio: 'pipe' });
  return Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(out, 'utf8'))![1]);
}

const directory = mkdtempSync(join(tmpdir(), 'xs-instructions-'));
try {
  /** The start and whatever else happens once cancels out. */
  const each = (work: string, collect: readonly string[] = []) =>
    (instructions(directory, work, MANY, collect) - instructions(directory, work, FEW, collect)) /
    (MANY - FEW);
  const show = (value: number) => Math.round(value).toLocaleString('en');
  console.log(
    '\n| instructions | all | native primitives | TypeScript and engine |\n| --- | ---: | ---: | ---: |',
  );
  for (const [work, title] of [
    ['handshake', 'one handshake, both ends'],
    ['packet', 'one packet of 1420 bytes, sealed and opened'],
  ]) {
    const all = each(work);
    const native = each(work, ['--collect-atstart=no', '--toggle-collect=xs_primitives_*']);
    console.log(`| ${title} | ${show(all)} | ${show(native)} | ${show(all - native)} |`);
  }
} catch (error) {
  console.error(`bench: ${(error as Error).message}; valgrind is needed: apt-get install valgrind`);
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true });
}
