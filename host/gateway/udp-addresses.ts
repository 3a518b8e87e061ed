import { networkInterfaces } from 'node:os';
import { formatAddress, parseScopedAddress } from '../../src/packet/address.js';
import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointScope,
  FAMILY_IPV4,
  FAMILY_IPV6,
  sameEndpoint,
  writeEndpoint,
} from '../../src/packet/endpoint.js';

/** Sources remembered for received datagrams; beyond that the memory starts anew (flooding must not grow it). */
const SOURCES = 4096;
/** Slots of the direct-mapped memory of destinations; a power of two. */
const DESTINATIONS = 1024;

/**
 * Endpoint records to the strings that Node's sockets speak and back. Both directions remember recent answers:
 * most datagrams of a gateway go to and come from few places, and text is slow to make.
 */
export class UdpAddresses {
  private readonly sources = new Map<string, Uint8Array>();
  private readonly records = new Uint8Array(DESTINATIONS * ENDPOINT_BYTES);
  private readonly texts: (string | undefined)[] = new Array(DESTINATIONS);

  /** Writes the record of a datagram's source; false when the text is no address. */
  write(into: Uint8Array, at: number, address: string, port: number): boolean {
    let record = this.sources.get(address);
    if (record === undefined) {
      record = new Uint8Array(ENDPOINT_BYTES);
      if (!writeText(record, address)) return false;
      if (this.sources.size >= SOURCES) this.sources.clear();
      this.sources.set(address, record);
    }
    into.set(record, at);
    into[at + 2] = port >>> 8;
    into[at + 3] = port;
    return true;
  }

  /** The address of a record as text with its zone, or `undefined` when UDP cannot reach it. */
  text(records: Uint8Array, at: number): string | undefined {
    const slot = slotOf(records, at);
    const own = slot * ENDPOINT_BYTES;
    if (this.texts[slot] !== undefined && sameEndpoint(this.records, own, records, at))
      return this.texts[slot];
    const text = addressText(records, at);
    if (text === undefined) return undefined;
    this.records.set(records.subarray(at, at + ENDPOINT_BYTES), own);
    this.texts[slot] = text;
    return text;
  }
}

/** FNV-1a over the record, folded to a slot. */
function slotOf(records: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < ENDPOINT_BYTES; i++) hash = Math.imul(hash ^ records[at + i], 0x01000193);
  return (hash ^ (hash >>> 16)) & (DESTINATIONS - 1);
}

/** `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`. */
function addressText(records: Uint8Array, at: number): string | undefined {
  const from = endpointAddressOffset(at);
  const family = endpointFamily(records, at);
  if (family === FAMILY_IPV4) return formatAddress(records.subarray(from, from + 4));
  if (family !== FAMILY_IPV6) return undefined;
  const text = formatAddress(records.subarray(from, from + 16));
  const scope = endpointScope(records, at);
  return scope === 0 ? text : `${text}%${zoneName(scope)}`;
}

function writeText(record: Uint8Array, text: string): boolean {
  const parsed = parseScopedAddress(text);
  if (parsed === undefined) return false;
  const { address, zone } = parsed;
  writeEndpoint(record, 0, address, 0, zone === undefined ? 0 : (zoneIndex(zone) ?? 0));
  return true;
}

/** The kernel's number of an IPv6 zone (RFC 4007), given by interface name or number. */
export function zoneIndex(zone: string): number | undefined {
  if (/^[0-9]{1,10}$/.test(zone)) return Number(zone) >>> 0;
  for (const address of networkInterfaces()[zone] ?? []) {
    if (address.family === 'IPv6' && address.scopeid) return address.scopeid;
  }
  return undefined;
}

/** The interface name of a zone number, or the number itself when the interface is gone. */
export function zoneName(index: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((a) => a.family === 'IPv6' && a.scopeid === index)) return name;
  }
  return String(index);
}
