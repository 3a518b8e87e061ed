/** What is tested on the firmware's Linux program: its own tests, and the lab with it in the gateway's place. */
import { defineConfig } from 'vitest/config';
import LeftOut from '../../left-out.js';

export default defineConfig({
  test: {
    root: new URL('../../..', import.meta.url).pathname,
    include: [
      'test/boards/firmware/*.check.ts',
      'test/lab/{interop,conformance-*,cookies,hostile-wire,router,waiting,wg-tools,probes}.test.ts',
    ],
    env: { GATEWAY_ENGINE: 'xs' },
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', new LeftOut()],
  },
});
