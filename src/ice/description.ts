/**
 * The session description that opens a signaling exchange (`sdp-offer`, `sdp-answer`): RFC 8839 and RFC 8840 inside the
 * smallest SDP (RFC 8866). Only ICE's own lines are read; a browser's description may have as many others as it likes.
 */

import type { Candidate } from './candidate.js';
import { formatCandidate } from './candidate-text.js';
import { areIceCredentials, type IceCredentials } from './ice-credentials.js';

/** What the media line calls the datagrams. */
const PROTOCOL = 'UDP/WireGuard';
/** Lines that are looked at. */
const MOST_LINES = 256;

export interface Description extends IceCredentials {
  /** Candidate lines as they stand, `a=` removed. */
  readonly candidates: readonly string[];
  /** RFC 8838: more candidates may follow in messages of their own. */
  readonly trickle: boolean;
  /** RFC 8840 section 8.2: no more will follow. */
  readonly ended: boolean;
}

export function formatDescription(
  local: IceCredentials,
  candidates: readonly Candidate[],
  ended: boolean,
): string {
  const lines = [
    'v=0',
    'o=- 0 0 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    `m=application 9 ${PROTOCOL} 0`,
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    `a=ice-ufrag:${local.ufrag}`,
    `a=ice-pwd:${local.password}`,
    'a=ice-options:trickle ice2',
  ];
  for (const candidate of candidates) lines.push(`a=${formatCandidate(candidate, local.ufrag)}`);
  if (ended) lines.push('a=end-of-candidates');
  return `${lines.join('\r\n')}\r\n`;
}

/** Undefined when there are no valid ICE credentials in it. Never throws. */
export function parseDescription(text: string): Description | undefined {
  let ufrag = '';
  let password = '';
  let trickle = false;
  let ended = false;
  const candidates: string[] = [];
  for (const raw of text.split('\n', MOST_LINES)) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.startsWith('a=ice-ufrag:')) ufrag ||= line.slice(12);
    else if (line.startsWith('a=ice-pwd:')) password ||= line.slice(10);
    else if (line.startsWith('a=ice-options:')) trickle ||= line.slice(14).split(' ').includes('trickle');
    else if (line.startsWith('a=candidate:')) candidates.push(line.slice(2));
    else if (line === 'a=end-of-candidates') ended = true;
  }
  return areIceCredentials(ufrag, password) ? { ufrag, password, candidates, trickle, ended } : undefined;
}
