import type { LabView } from './view.js';

const HEADINGS = ['gateway', 'control', 'data', 'heartbeat', 'session'];
const GAP = '  ';
/** SGR codes. */
const BOLD = 1;
const RED = 31;
const GREEN = 32;

/** The control plane, and both lamps of every gateway with the reason for the first, as lines with their colours. */
export function lampLines(view: LabView): { readonly text: string; readonly colour: number }[] {
  const { running, url, seconds } = view.control;
  const state = running ? `runs at ${url}` : 'was killed';
  const lines = [
    { text: `control plane: ${state}, for ${Math.floor(seconds)} s`, colour: running ? GREEN : RED },
  ];
  const rows = view.gateways.map(({ number, address, lamps }) => ({
    colour: lamps.control === 'green' && lamps.data === 'green' ? GREEN : RED,
    cells: [
      `${number} ${address}`,
      `● ${lamps.control}`,
      `● ${lamps.data}`,
      lamps.acknowledgedAge === undefined ? 'never' : `${lamps.acknowledgedAge} s ago`,
      lamps.session,
    ],
  }));
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map(({ cells }) => cells[column].length)),
  );
  const join = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join(GAP)
      .trimEnd();
  if (rows.length > 0) lines.push({ text: '', colour: BOLD }, { text: join(HEADINGS), colour: BOLD });
  for (const { cells, colour } of rows) lines.push({ text: join(cells), colour });
  return lines;
}
