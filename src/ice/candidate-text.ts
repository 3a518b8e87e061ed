/** The candidate attribute of SDP (RFC 8839 section 5.1), as `ice-candidate` messages carry it. */

import { formatAddress, parseAddress, parseDecimal } from '../packet/address.js';
import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
  writeEndpoint,
} from '../packet/endpoint.js';
import { type Candidate, type CandidateType, isUsableEndpoint } from './candidate.js';

export type CandidateRefusal =
  | 'malformed'
  /** A name under .local (mDNS): the host behind it will show itself by its checks. */
  | 'mdns'
  /** Any other name; candidates are addresses (RFC 8839 section 5.1 lets us ignore them). */
  | 'name'
  /** TCP (RFC 6544). */
  | 'transport'
  | 'component'
  /** Not a unicast address, or port 0. */
  | 'address';

export type CandidateText =
  | { readonly candidate: Candidate; readonly ufrag: string | undefined; readonly refusal?: undefined }
  | { readonly candidate?: undefined; readonly ufrag?: undefined; readonly refusal: CandidateRefusal };

/** Longer lines are not candidates. */
const MOST_CHARACTERS = 512;
const TYPES: readonly string[] = Object.freeze(['host', 'srflx', 'prflx', 'relay']);

/** Reads `candidate:...`, with or without `a=` before it. Never throws. */
export function parseCandidate(text: string, loopback = false): CandidateText {
  if (text.length > MOST_CHARACTERS) return { refusal: 'malformed' };
  const line = text.startsWith('a=') ? text.slice(2) : text;
  if (!line.startsWith('candidate:')) return { refusal: 'malformed' };
  const words = line.slice('candidate:'.length).trim().split(' ');
  if (words.length < 8 || words[6] !== 'typ') return { refusal: 'malformed' };
  const [foundation, component, transport, priorityText, host, portText, , type] = words;
  if (!isIceText(foundation, 1, 32) || !TYPES.includes(type)) return { refusal: 'malformed' };
  const priority = parseDecimal(priorityText, 0x7fffffff);
  const port = parseDecimal(portText, 65535);
  if (priority < 1 || port < 0 || parseDecimal(component, 256) < 1) return { refusal: 'malformed' };
  if (component !== '1') return { refusal: 'component' };
  if (transport.toUpperCase() !== 'UDP') return { refusal: 'transport' };
  const address = parseAddress(host);
  if (address === undefined) return { refusal: refusalOfName(host) };
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(endpoint, 0, address, port);
  if (!isUsableEndpoint(endpoint, loopback)) return { refusal: 'address' };
  const extensions = readExtensions(words);
  return {
    candidate: {
      type: type as CandidateType,
      foundation,
      priority,
      endpoint,
      related: relatedOf(extensions),
    },
    ufrag: extensions.get('ufrag'),
  };
}

/** Without `a=`, and with the `ufrag` it belongs to, so that a late one is not taken for one of a new generation. */
export function formatCandidate(candidate: Candidate, ufrag: string): string {
  const { foundation, priority, endpoint, type, related } = candidate;
  let text = `candidate:${foundation} 1 udp ${priority} ${addressOf(endpoint)} ${endpointPort(endpoint, 0)} typ ${type}`;
  // RFC 8839 section 5.1: required for all but host candidates.
  if (type !== 'host' && related !== undefined)
    text += ` raddr ${addressOf(related)} rport ${endpointPort(related, 0)}`;
  return `${text} ufrag ${ufrag}`;
}

/** RFC 8839 section 5.1 and 5.4: `ice-char` is a letter, a digit, "+" or "/". */
export function isIceText(text: string, least: number, most: number): boolean {
  if (text.length < least || text.length > most) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
    if (!letter && !(code >= 47 && code <= 57) && code !== 43) return false;
  }
  return true;
}

function addressOf(record: Uint8Array): string {
  return formatAddress(record, endpointAddressOffset(0), endpointFamily(record, 0) === FAMILY_IPV4 ? 4 : 16);
}

function refusalOfName(host: string): CandidateRefusal {
  if (host.toLowerCase().endsWith('.local')) return 'mdns';
  return /^[0-9a-z.-]{1,253}$/i.test(host) && /[a-z]/i.test(host) ? 'name' : 'malformed';
}

/** Pairs of words behind the type. */
function readExtensions(words: readonly string[]): Map<string, string> {
  const extensions = new Map<string, string>();
  for (let i = 8; i + 1 < words.length; i += 2) extensions.set(words[i], words[i + 1]);
  return extensions;
}

function relatedOf(extensions: Map<string, string>): Uint8Array | undefined {
  const address = parseAddress(extensions.get('raddr') ?? '');
  const port = parseDecimal(extensions.get('rport') ?? '', 65535);
  if (address === undefined || port < 0) return undefined;
  const record = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(record, 0, address, port);
  return record;
}
