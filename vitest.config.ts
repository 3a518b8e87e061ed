import { defineConfig } from 'vitest/config';
import LeftOut from './test/left-out.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Each file in a process of its own: tests change into namespaces, open sockets and take signals.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', new LeftOut()],
  },
});
