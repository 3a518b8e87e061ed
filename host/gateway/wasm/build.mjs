/**
 * Compiles the WebAssembly kernel from AssemblyScript. `node host/gateway/wasm/build.mjs [OUT]` does it by hand; the
 * project's build calls `buildKernel`. The compiler is an npm development dependency: nothing else is needed.
 */

import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { argv, pid } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');

/** Pages of 64 KiB. The key table stands last and grows towards the maximum; `kernel.ts` gives the same numbers. */
const INITIAL_PAGES = 80;
const MAXIMUM_PAGES = 8192;

/** Writes the compiled kernel to `outFile` (made in one step, so that a reader never sees half a file). */
export async function buildKernel(outFile) {
  await mkdir(dirname(outFile), { recursive: true });
  const temporary = `${outFile}.${pid}`;
  const { error, stderr } = await asc.main(
    [
      'host/gateway/wasm/assembly/index.ts',
      '--baseDir',
      root,
      '--outFile',
      temporary,
      '-O3',
      '--runtime',
      'stub',
      '--noAssert',
      '--use',
      'abort=',
      '--enable',
      'simd',
      '--enable',
      'threads',
      '--importMemory',
      '--sharedMemory',
      '--initialMemory',
      String(INITIAL_PAGES),
      '--maximumMemory',
      String(MAXIMUM_PAGES),
    ],
    { stderr: undefined },
  );
  if (error !== null) {
    await rm(temporary, { force: true });
    throw new Error(`the WebAssembly kernel does not compile: ${error.message}\n${stderr.toString()}`);
  }
  await rename(temporary, outFile);
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const outFile = argv[2] ?? join(root, 'dist', 'kernel.wasm');
  await buildKernel(outFile);
  console.log(outFile);
}
