import { readFileSync } from 'node:fs';

const CTRL_C = '\x03';
/** Kills the control plane, or starts it again. */
export const TOGGLE_KEY = 'k';

/**
 * Calls back for every key: of the terminal at once, without Enter; of a pipe as it comes. Does nothing in the
 * background, where reading the terminal would stop the process. Ctrl-C stays what it is.
 */
export function watchKeys(pressed: (key: string) => void): () => void {
  const { stdin } = process;
  const terminal = stdin.isTTY === true;
  if (terminal && !inForeground()) return () => {};
  if (terminal) stdin.setRawMode(true);
  const read = (text: string): void => {
    for (const key of text) {
      // A raw terminal sends no signal; to the whole group, as it would.
      if (terminal && key === CTRL_C) process.kill(0, 'SIGINT');
      else pressed(key);
    }
  };
  stdin.setEncoding('utf8').on('data', read);
  stdin.on('error', () => {});
  return () => {
    stdin.off('data', read);
    stdin.pause();
    if (terminal) stdin.setRawMode(false);
  };
}

/** proc(5), `/proc/pid/stat`: our process group is the one that the terminal listens to. */
function inForeground(): boolean {
  try {
    const text = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , , foreground] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    return false;
  }
}
