/** Candidates and their priorities (RFC 8445 section 5.1). One component, UDP. */

import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
  FAMILY_IPV6,
} from '../packet/endpoint.js';
import { crc32 } from './crc32.js';

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

export interface Candidate {
  readonly type: CandidateType;
  /** RFC 8445 section 5.1.1.3: equal for candidates that will likely fare alike. 1 to 32 characters. */
  readonly foundation: string;
  /** 1 to 2^31 - 1. */
  readonly priority: number;
  /** Endpoint record. */
  readonly endpoint: Uint8Array;
  /** Endpoint record that an srflx or relay candidate comes from; for people only. */
  readonly related: Uint8Array | undefined;
}

/** Of ours: what it is sent from. */
export interface LocalCandidate extends Candidate {
  /** Number of the base (RFC 8445 section 4): a socket or a relay. */
  readonly base: number;
}

/** RFC 8445 section 5.1.2.2. */
export const TYPE_PREFERENCE: Readonly<Record<CandidateType, number>> = Object.freeze({
  host: 126,
  prflx: 110,
  srflx: 100,
  relay: 0,
});

/** RFC 8445 section 5.1.2.1; `localPreference` is 0 to 65535. */
export function candidatePriority(type: CandidateType, localPreference: number): number {
  return TYPE_PREFERENCE[type] * 0x1000000 + localPreference * 0x100 + (256 - 1);
}

/** The same for equal type, base address and server (RFC 8445 section 5.1.1.3), and tells nobody what they are. */
export function foundationOf(
  type: CandidateType,
  base: Uint8Array,
  server: Uint8Array | undefined,
  salt: Uint8Array,
): string {
  const input = new Uint8Array(salt.length + 1 + 2 * ENDPOINT_BYTES);
  input.set(salt, 0);
  input[salt.length] = TYPE_PREFERENCE[type];
  const at = salt.length + 1;
  input.set(base, at);
  if (server !== undefined) input.set(server, at + ENDPOINT_BYTES);
  // Ports do not matter.
  input.fill(0, at + 2, at + 4);
  input.fill(0, at + ENDPOINT_BYTES + 2, at + ENDPOINT_BYTES + 4);
  return crc32(input, 0, input.length).toString(10);
}

/**
 * Whether a candidate may point there: a port and a unicast address that means the same everywhere on a network.
 * Link-local IPv6 does not, since its zone is not signaled; loopback only where `loopback` says so.
 */
export function isUsableEndpoint(record: Uint8Array, loopback: boolean): boolean {
  if (endpointPort(record, 0) === 0) return false;
  const family = endpointFamily(record, 0);
  const at = endpointAddressOffset(0);
  if (family === FAMILY_IPV4) {
    const first = record[at];
    if (first === 127) return loopback;
    return first !== 0 && first < 224;
  }
  if (family !== FAMILY_IPV6 || record[at] === 0xff) return false;
  if (record[at] === 0xfe && (record[at + 1] & 0xc0) === 0x80) return false;
  // ::, ::1, IPv4-mapped and IPv4-compatible addresses: the first 80 bits are zero.
  for (let i = 0; i < 10; i++) if (record[at + i] !== 0) return true;
  for (let i = 10; i < 15; i++) if (record[at + i] !== 0) return false;
  return record[at + 15] === 1 && loopback;
}
