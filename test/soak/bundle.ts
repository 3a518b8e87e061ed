/** Bundles `gateway.ts` beside the programs of `build.mjs`, whose files it needs there. */

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Some packages are CommonJS and ask for Node's own modules by `require`. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

let bundled: Promise<string> | undefined;

/** Gives the path of the bundle, made once. */
export function bundleGateway(): Promise<string> {
  bundled ??= bundle();
  return bundled;
}

async function bundle(): Promise<string> {
  const outfile = fileURLToPath(new URL('../../dist/test-soak-gateway.js', import.meta.url));
  await build({
    entryPoints: [fileURLToPath(new URL('./gateway.ts', import.meta.url))],
    outfile,
    bundle: true,
    // Finds its library beside its own modules.
    external: ['koffi'],
    banner: { js: REQUIRE },
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
  });
  return outfile;
}
