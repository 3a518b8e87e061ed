// Keeps the "preload" of our manifests complete: every TypeScript module by its name. mcconfig knows patterns there, too,
// but lets them match JavaScript only, and says nothing. `node boards/preload.mjs` rewrites, `--check` only tells.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const MANIFESTS = [
  'manifest.json',
  ...['linux/manifest', 'esp32/chip', 'esp32/manifest', 'esp32-eth/manifest'].map(
    (name) => `boards/${name}.json`,
  ),
];

/** Names of the TypeScript modules that a manifest's "modules" bring. */
function typeScriptModules(manifest, folder) {
  const names = [];
  for (const [pattern, sources] of Object.entries(manifest.modules)) {
    if (!pattern.endsWith('/*')) continue;
    for (const source of [sources].flat()) {
      const path = source.startsWith('$(BOARDS)')
        ? source.replace('$(BOARDS)', 'boards')
        : join(folder, source);
      const name = (file) => pattern.slice(0, -1) + file;
      if (!path.endsWith('*')) {
        if (existsSync(join(root, `${path}.ts`))) names.push(name(path.slice(path.lastIndexOf('/') + 1)));
        continue;
      }
      for (const file of readdirSync(join(root, dirname(path))).sort()) {
        if (file.endsWith('.ts') && !file.endsWith('.d.ts')) names.push(name(file.slice(0, -3)));
      }
    }
  }
  return names;
}

let stale = 0;
for (const path of MANIFESTS) {
  const manifest = JSON.parse(readFileSync(join(root, path), 'utf8'));
  const ours = (name) => name.startsWith('src/') || name.startsWith('boards/');
  const others = manifest.preload.filter((name) => !ours(name));
  const preload = [...others, ...typeScriptModules(manifest, dirname(path))];
  if (JSON.stringify(preload) === JSON.stringify(manifest.preload)) continue;
  stale++;
  console.error(`${path}: "preload" ${process.argv.includes('--check') ? 'is not complete' : 'completed'}`);
  manifest.preload = preload;
  if (process.argv.includes('--check')) continue;
  writeFileSync(join(root, path), `${JSON.stringify(manifest, null, 2)}\n`);
  execFileSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', join(root, path)], {
    stdio: 'ignore',
  });
}
if (stale > 0 && process.argv.includes('--check')) {
  console.error('run: node boards/preload.mjs');
  process.exitCode = 1;
}
