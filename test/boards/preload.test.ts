/** A module that is not preloaded costs a chip the memory it has not got; mcconfig does not tell of it. */

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('the manifests preload every TypeScript module (node boards/preload.mjs)', () => {
  const { stderr, status } = spawnSync(process.execPath, ['boards/preload.mjs', '--check'], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
