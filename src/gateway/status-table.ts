import type { PathView } from '../transport/path-view.js';
import { controlLines } from './control-status.js';
import type { GatewayStatus, PeerView } from './status.js';

const COLUMNS: readonly string[] = Object.freeze([
  'peer',
  'endpoint',
  'transport',
  'handshake',
  'round trip',
  'loss',
  'received',
  'sent',
  'state',
]);
/** Enough of a public key to tell peers apart. */
const KEY_CHARACTERS = 12;

/** A gateway's status for people: a few lines on the gateway, then one line a peer with its reason below it. */
export function statusTable(status: GatewayStatus): string {
  const lines = [
    `interface: ${status.interface} (version ${status.version}, process ${status.pid}, up ${duration(status.uptime)})`,
    `  mode: ${status.mode}, because ${status.modeReason}`,
    `  tier: ${status.tier}, because ${status.tierReason}`,
    `  public key: ${status.publicKey ?? 'none'}`,
    `  listening on UDP port ${status.listenPort}, MTU ${status.mtu}`,
  ];
  if (status.fwmark !== 0) lines.push(`  fwmark: 0x${status.fwmark.toString(16)}`);
  if (status.ipv6Missing !== null) lines.push(`  IPv4 only: ${status.ipv6Missing}`);
  if (status.control) lines.push(...controlLines(status.control));
  if (status.underLoad) lines.push('  under load: handshakes are answered with cookies');
  if (status.peers.length === 0) return [...lines, '  no peers'].join('\n');
  const rows = [COLUMNS, ...status.peers.map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const format = (row: readonly string[]) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column])).join('  ')}`.trimEnd();
  lines.push('', format(rows[0]));
  for (const [at, peer] of status.peers.entries())
    lines.push(format(rows[at + 1]), `    ${peer.explanation}`, ...(peer.path ? [pathLine(peer.path)] : []));
  return lines.join('\n');
}

/** `path: masque relay.example:443 for 12 s (active-silent); also udp failed (no-endpoint)` */
function pathLine(path: PathView): string {
  const active = path.transports.find(({ role }) => role === 'active');
  const others = path.transports.filter(({ role }) => role !== 'active');
  const first = active ? `${active.name} for ${duration(Math.round(path.since))}` : 'trying all';
  const rest = others.map(({ name, state, reason }) => `${name} ${state} (${reason})`);
  return `    path: ${first} (${path.reason})${rest.length > 0 ? `; also ${rest.join(', ')}` : ''}`;
}

function cells(peer: PeerView): string[] {
  return [
    `${peer.publicKey.slice(0, KEY_CHARACTERS)}…`,
    peer.endpoint ?? peer.endpointName ?? '-',
    peer.transport,
    peer.handshakeAge === null ? 'never' : `${duration(peer.handshakeAge)} ago`,
    peer.roundTrip === null ? '-' : `${peer.roundTrip.toFixed(1)} ms`,
    peer.loss === null ? '-' : `${(peer.loss * 100).toFixed(1)} %`,
    bytes(peer.received),
    bytes(peer.sent),
    `${peer.state} (${peer.reason})`,
  ];
}

/** `42 s`, `3 min 5 s`, `2 h 4 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Binary units, as `wg show` has them. */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  let value = count;
  let unit = -1;
  for (; value >= 1024 && unit < 4; unit++) value /= 1024;
  return `${value.toFixed(2)} ${['KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]}`;
}
