import { lampLines } from './lamps.js';
import type { GatewayView, LabView, PeerView, ProbeView } from './view.js';

const HEADINGS = ['gateway', 'peer', 'transport', 'handshake', 'round trip', 'ping', 'received', 'sent'];
const STATE_HEADING = 'state: reason';
/** Columns with numbers end on one line. */
const RIGHT = new Set([3, 4, 5, 6, 7]);
const GAP = '  ';
const NARROW_GAP = ' ';
/** Columns that the state and its reason must have beside the others; with fewer it gets a line of its own. */
const STATE_WIDTH = 40;
const INDENT = '    ';

/** The lab as lines for a terminal `width` columns wide, with colour or without. */
export function renderTable(view: LabView, width: number, colour: boolean): string[] {
  const paint = (code: number, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const first = view.gateways[0];
  const summary = first ? `Tier ${first.tier}, mode ${first.mode}: ${first.modeReason}` : 'None answers yet.';
  const lines = [cut(`${view.gateways.length} gateways, ${duration(view.seconds)}. ${summary}`, width), ''];

  for (const { text, colour: code } of lampLines(view)) lines.push(paint(code, cut(text, width)));
  lines.push('');

  const full = tableLines(view, false);
  const fits = full.width + GAP.length + STATE_WIDTH <= width;
  const { heading, rows } = fits ? full : tableLines(view, true);
  lines.push(paint(1, cut(fits ? `${heading}${GAP}${STATE_HEADING}` : heading, width)));
  for (const { peer, line } of rows) {
    const state = peer.reason === '' ? peer.state : `${peer.state}: ${peer.reason}`;
    const texts = fits ? [`${line}${GAP}${state}`] : [line.trimEnd(), `${INDENT}${state}`];
    for (const text of texts) lines.push(paint(rowColour(peer), cut(text, width)));
  }

  for (const { number, reason } of view.silent) {
    lines.push(paint(31, cut(`${number} does not answer: ${reason}`, width)));
  }
  if (view.requests.length > 0) lines.push('');
  for (const request of view.requests) {
    const time = request.milliseconds === undefined ? '' : ` in ${milliseconds(request.milliseconds)}`;
    const text =
      `gateway ${request.from} asks gateway ${request.to} through the tunnel: ` +
      `${request.detail}${time} (${request.answered} of ${request.sent} answered)`;
    lines.push(paint(request.milliseconds === undefined ? 33 : 32, cut(text, width)));
  }
  return lines;
}

interface TableLines {
  readonly heading: string;
  readonly rows: readonly { readonly peer: PeerView; readonly line: string }[];
  readonly width: number;
}

/** The columns before the state, all of one width. `narrow` leaves the addresses out. */
function tableLines(view: LabView, narrow: boolean): TableLines {
  const gap = narrow ? NARROW_GAP : GAP;
  const rows = view.gateways.flatMap((gateway) =>
    gateway.peers.map((peer, index) => ({
      peer,
      cells: cells(gateway, peer, index === 0, view.pings, narrow),
    })),
  );
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row.cells[column].length)),
  );
  return {
    heading: joinCells(HEADINGS, widths, gap),
    rows: rows.map(({ peer, cells }) => ({ peer, line: joinCells(cells, widths, gap) })),
    width: widths.reduce((sum, one) => sum + one + gap.length, -gap.length),
  };
}

function cells(
  gateway: GatewayView,
  peer: PeerView,
  first: boolean,
  pings: readonly ProbeView[],
  narrow: boolean,
): string[] {
  const ping = pings.find((one) => one.from === gateway.number && one.to === peer.number);
  const name = narrow ? `${gateway.number}` : `${gateway.number} ${gateway.address}`;
  return [
    first ? name : '',
    peer.label,
    narrow || peer.endpoint === '' ? peer.transport : `${peer.transport} ${peer.endpoint}`,
    peer.handshakeAge === undefined ? 'never' : `${duration(peer.handshakeAge)} ago`,
    peer.roundTrip === undefined ? '-' : milliseconds(peer.roundTrip),
    ping?.milliseconds === undefined ? '-' : milliseconds(ping.milliseconds),
    bytes(peer.received),
    bytes(peer.sent),
  ];
}

/** Green once there was a handshake, yellow before, grey for a guest that has not come. */
function rowColour(peer: PeerView): number {
  if (peer.handshakeAge !== undefined) return 32;
  return peer.number === undefined ? 90 : 33;
}

function joinCells(row: readonly string[], widths: readonly number[], gap: string): string {
  return row
    .map((cell, column) => (RIGHT.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
    .join(gap);
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

/** `7 s`, `2 min 5 s`, `1 h 3 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `820 B`, `1.4 KiB`, `3.0 MiB`. */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KiB`;
  if (count < 1024 ** 3) return `${(count / 1024 ** 2).toFixed(1)} MiB`;
  return `${(count / 1024 ** 3).toFixed(1)} GiB`;
}

function milliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
