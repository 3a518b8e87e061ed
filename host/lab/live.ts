import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.js';
import { Screen } from './screen.js';
import { renderTable } from './table.js';

/** Between two pictures in a terminal, and between two in a file or pipe, in ms. */
const REFRESH = 1_000;
const REFRESH_PLAIN = 5_000;
/** Columns where there is no terminal to ask. */
const PLAIN_WIDTH = 200;

/** Prints `introduction`, then pings, asks and shows the table until `end`. */
export async function runLive(lab: Lab, introduction: string, end: AbortSignal): Promise<void> {
  const ended = once(end, 'abort');
  const { stdout } = process;
  stdout.write(introduction);
  const screen = stdout.isTTY ? new Screen(stdout) : undefined;
  try {
    if (screen === undefined) await Promise.race([ended, Promise.all([lab.pingAll(), lab.requestAll()])]);
    while (!end.aborted) {
      const lines = renderTable(
        await lab.look(),
        screen?.width ?? PLAIN_WIDTH,
        screen !== undefined && !process.env.NO_COLOR,
      );
      if (screen) screen.draw([...lines, '', 'Ctrl-C ends the lab and leaves nothing behind.']);
      else stdout.write(`${lines.join('\n')}\n\n`);
      const pause = sleep(screen ? REFRESH : REFRESH_PLAIN, undefined, { signal: end }).catch(() => {});
      await Promise.race([ended, Promise.all([lab.pingAll(), lab.requestAll(), pause])]);
    }
  } finally {
    screen?.close();
  }
}
