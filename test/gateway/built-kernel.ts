/**
 * The WebAssembly kernel compiled from the sources as they are now, for tests: `npm test` builds `dist/` first, but a
 * single test file may be run without that. Kept by a digest of the sources in node_modules/.cache.
 */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kernel } from '../../host/gateway/wasm/kernel.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'host/gateway/wasm');

function digest(): string {
  const hash = createHash('sha256');
  hash.update(createRequire(import.meta.url)('assemblyscript/package.json').version);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(ts|mjs|json)$/.test(name)) hash.update(`\n${name}\n`).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex').slice(0, 32);
}

async function build(): Promise<string> {
  const file = join(root, 'node_modules/.cache/cloudbridge', `kernel-${digest()}.wasm`);
  if (!existsSync(file)) {
    const { buildKernel } = (await import(join(folder, 'build.mjs'))) as {
      buildKernel(outFile: string): Promise<void>;
    };
    await buildKernel(file);
  }
  return file;
}

/** Path of the compiled kernel. */
export const kernelFile = await build();

export function makeKernel(): Kernel {
  return new Kernel(kernelFile);
}
