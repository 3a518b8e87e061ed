import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOGGLE_KEY, watchKeys } from './keys.js';
import type { Lab } from './lab.js';
import { Screen } from './screen.js';
import { renderTable } from './table.js';

/** Between two pictures in a terminal, and between two in a file or pipe, in ms. */
const REFRESH = 1_000;
const REFRESH_PLAIN = 5_000;
/** Columns where there is no terminal to ask. */
const PLAIN_WIDTH = 200;

/** What the keys do, below the table. */
const HELP = `${TOGGLE_KEY} kills the control plane and starts it again. Ctrl-C ends the lab and leaves nothing behind.`;

/** Prints `introduction`, then pings, asks and shows the table until `end`. */
export async function runLive(lab: Lab, introduction: string, end: AbortSignal): Promise<void> {
  const ended = once(end, 'abort');
  const { stdout } = process;
  const screen = stdout.isTTY ? new Screen(stdout) : undefined;
  stdout.write(screen ? introduction : `${introduction}${HELP}\n\n`);
  let refresh = new AbortController();
  const forgetKeys = watchKeys((key) => {
    if (key === TOGGLE_KEY) void lab.toggleControl().then(() => refresh.abort());
  });
  try {
    if (screen === undefined) await Promise.race([ended, Promise.all([lab.pingAll(), lab.requestAll()])]);
    while (!end.aborted) {
      const lines = renderTable(
        await lab.look(),
        screen?.width ?? PLAIN_WIDTH,
        screen !== undefined && !process.env.NO_COLOR,
      );
      if (screen) screen.draw([...lines, '', HELP]);
      else stdout.write(`${lines.join('\n')}\n\n`);
      refresh = new AbortController();
      const { signal } = refresh;
      const pause = sleep(screen ? REFRESH : REFRESH_PLAIN, undefined, { signal }).catch(() => {});
      await Promise.race([ended, Promise.all([lab.pingAll(), lab.requestAll(), pause])]);
    }
  } finally {
    refresh.abort();
    forgetKeys();
    screen?.close();
  }
}
