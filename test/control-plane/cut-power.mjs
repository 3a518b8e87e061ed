// Loaded before the program itself (node --import): kills it, as a power cut does, right before the CUT_AT-th operation
// on its state folder. With CUT_TRACE it writes down what the operations were. The program knows nothing of it.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { relative } from 'node:path';

const folder = process.env.CUT_FOLDER ?? '';
const at = Number(process.env.CUT_AT ?? Number.POSITIVE_INFINITY);
const trace = process.env.CUT_TRACE;
const { appendFileSync } = fs;
const open = new Map();
let step = 0;

function count(operation, path) {
  step++;
  if (trace !== undefined) appendFileSync(trace, `${operation} ${relative(folder, path) || '.'}\n`);
  if (step >= at) process.kill(process.pid, 'SIGKILL');
}

/** Replaces an operation by one that is counted when it concerns the folder. */
function watch(name, pathOf, after) {
  const original = fs[name];
  fs[name] = (...args) => {
    const path = pathOf(args);
    const ours = typeof path === 'string' && path.startsWith(folder);
    if (ours) count(name, path);
    const result = original(...args);
    if (ours) after?.(result, path, args);
    return result;
  };
}

watch(
  'openSync',
  ([path]) => path,
  (fd, path) => open.set(fd, path),
);
watch('writeSync', ([fd]) => open.get(fd));
watch('fsyncSync', ([fd]) => open.get(fd));
watch(
  'closeSync',
  ([fd]) => open.get(fd),
  (_, __, [fd]) => open.delete(fd),
);
watch('renameSync', ([, path]) => path);
watch('rmSync', ([path]) => path);
syncBuiltinESMExports();
