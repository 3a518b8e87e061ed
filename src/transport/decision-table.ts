/**
 * Which transports to use, best first, by scenario: the seed's decision matrix as data that an operator can edit.
 * WireGuard is in every row, being the session itself; where the seed names it as a choice, it means plain UDP, and its
 * "TURN relay" and "P2P" are `turn` and `ice`.
 */

import { TRANSPORT_KINDS, type TransportKind } from './transport.js';

export type Scenario = 'pop' | 'relay' | 'corporate' | 'browser' | 'iot' | 'file-transfer' | 'video';

export type DecisionTable = Readonly<Record<Scenario, readonly TransportKind[]>>;

export const DECISION_TABLE: DecisionTable = Object.freeze({
  // PoP-to-PoP: QUIC, TCP+TLS.
  pop: Object.freeze(['udp', 'quic', 'masque', 'websocket']),
  // Client-to-Relay (normal): QUIC, MASQUE, WebSocket.
  relay: Object.freeze(['udp', 'ice', 'quic', 'masque', 'turn', 'websocket']),
  // Client-to-Relay (corporate): MASQUE, QUIC if allowed. What the network lets out decides, so the rest follows.
  corporate: Object.freeze(['masque', 'quic', 'websocket', 'turn', 'udp', 'ice']),
  // P2P (browsers): WebRTC, TURN, MASQUE.
  browser: Object.freeze(['webrtc', 'ice', 'turn', 'masque', 'websocket']),
  // P2P (IoT/embedded): WireGuard, QUIC, WebRTC; and what gets through when these do not.
  iot: Object.freeze(['udp', 'ice', 'turn', 'quic', 'masque', 'webrtc', 'websocket']),
  // File transfer (P2P): data channel, WireGuard, QUIC relay.
  'file-transfer': Object.freeze(['webrtc', 'udp', 'ice', 'quic', 'turn', 'masque', 'websocket']),
  // Video (P2P): WebRTC, QUIC relay.
  video: Object.freeze(['webrtc', 'ice', 'udp', 'quic', 'turn', 'masque', 'websocket']),
} satisfies DecisionTable);

export const SCENARIOS = Object.freeze(Object.keys(DECISION_TABLE)) as readonly Scenario[];

export type TableResult =
  | { readonly ok: true; readonly table: DecisionTable }
  | { readonly ok: false; readonly line: number; readonly message: string; readonly remedy: string };

/**
 * Reads an operator's table: one row a line, `scenario: transport, transport ...`, `#` begins a comment. Scenarios that
 * are not named keep their row.
 */
export function parseDecisionTable(text: string): TableResult {
  const table: Record<string, readonly TransportKind[]> = { ...DECISION_TABLE };
  const seen = new Set<string>();
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].split('#')[0].trim();
    if (line === '') continue;
    const wrong = (message: string, remedy: string): TableResult => ({
      ok: false,
      line: i + 1,
      message,
      remedy,
    });
    const colon = line.indexOf(':');
    const scenario = line.slice(0, Math.max(0, colon)).trim();
    if (!Object.hasOwn(DECISION_TABLE, scenario)) {
      return wrong(
        'the line names no known scenario',
        `write one of ${SCENARIOS.join(', ')} and a colon before it`,
      );
    }
    if (seen.has(scenario)) return wrong('the scenario has a row already', 'remove one of the two');
    seen.add(scenario);
    const row: TransportKind[] = [];
    for (const word of line.slice(colon + 1).split(',')) {
      const kind = TRANSPORT_KINDS.find((known) => known === word.trim());
      if (kind === undefined)
        return wrong('a transport is not known', `known are ${TRANSPORT_KINDS.join(', ')}`);
      if (row.includes(kind)) return wrong('a transport stands there twice', 'remove one of the two');
      row.push(kind);
    }
    table[scenario] = row;
  }
  return { ok: true, table: table as DecisionTable };
}
