/**
 * Endpoints as people write them: `192.0.2.1:51820`, `[2001:db8::1]:51820`, `[fe80::1%eth0]:51820`,
 * `vpn.example.net:51820`.
 */

import { formatAddress, parseAddress, parseDecimal, parseScopedAddress } from './address.js';
import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  endpointScope,
  FAMILY_IPV4,
  FAMILY_IPV6,
  writeEndpoint,
} from './endpoint.js';

export type EndpointText =
  /** An address: `record` is a new 24-byte endpoint record. */
  | { readonly kind: 'address'; readonly record: Uint8Array }
  /** A host name, to be looked up by a `Resolver`. */
  | { readonly kind: 'name'; readonly host: string; readonly port: number }
  /** Neither. `message` says what is wrong, `remedy` what would be right; both end without a full stop. */
  | { readonly kind: 'error'; readonly message: string; readonly remedy: string };

/** Index of an interface by its name (`eth0`), as only the host knows it. */
export type ZoneIndex = (zone: string) => number | undefined;
/** Name of an interface by its index. */
export type ZoneName = (index: number) => string | undefined;

/** RFC 1035 section 2.3.4. */
const NAME_BYTES = 253;
const LABEL_BYTES = 63;

const FORM = 'write 192.0.2.1:51820, [2001:db8::1]:51820 or vpn.example.net:51820';

/** Never throws. Zones that are numbers are indices; others go through `zoneIndex` and are refused without it. */
export function parseEndpoint(text: string, zoneIndex?: ZoneIndex): EndpointText {
  let host: string;
  let portText: string;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close < 0) return wrong('the closing bracket is missing', FORM);
    host = text.slice(1, close);
    const rest = text.slice(close + 1);
    if (rest === '') return withoutPort(host);
    if (!rest.startsWith(':')) return wrong('something other than ":port" follows the bracket', FORM);
    portText = rest.slice(1);
    if (!host.includes(':')) return wrong('brackets hold something other than an IPv6 address', FORM);
  } else {
    const colon = text.lastIndexOf(':');
    if (colon < 0) return withoutPort(text);
    host = text.slice(0, colon);
    portText = text.slice(colon + 1);
    if (host.includes(':')) {
      return parseScopedAddress(text) !== undefined
        ? withoutPort(text)
        : wrong('an IPv6 address stands without brackets', FORM);
    }
  }
  if (host === '') return wrong('the host is missing', FORM);
  const port = parseDecimal(portText, 65535);
  if (port <= 0) {
    return portText === ''
      ? wrong('the port is missing', FORM)
      : wrong('the port is not a number of 1 to 65535', 'the usual port is 51820');
  }
  return host.includes(':') ? addressWithZone(host, port, zoneIndex) : addressOrName(host, port);
}

/**
 * The text of the record at `at`; empty when it names no IP endpoint. A zone is written by name when `zoneName`
 * knows one.
 */
export function formatEndpoint(records: Uint8Array, at: number, zoneName?: ZoneName): string {
  const family = endpointFamily(records, at);
  const port = endpointPort(records, at);
  const address = endpointAddressOffset(at);
  if (family === FAMILY_IPV4) return `${formatAddress(records, address, 4)}:${port}`;
  if (family !== FAMILY_IPV6) return '';
  const scope = endpointScope(records, at);
  const zone = scope === 0 ? '' : `%${zoneName?.(scope) ?? scope}`;
  return `[${formatAddress(records, address, 16)}${zone}]:${port}`;
}

/** Repeats only an address: what else stands here might be a key that slipped a line. */
function withoutPort(host: string): EndpointText {
  const address = parseScopedAddress(host)?.address;
  if (address !== undefined) {
    return wrong('the port is missing', `write ${address.length === 16 ? `[${host}]` : host}:51820`);
  }
  const isName = host.includes('.') && hostNameMistake(host) === undefined;
  return wrong('the port is missing', isName ? 'write the port behind the name, usually :51820' : FORM);
}

function addressWithZone(host: string, port: number, zoneIndex: ZoneIndex | undefined): EndpointText {
  const parsed = parseScopedAddress(host);
  if (parsed === undefined) return wrong('the IPv6 address is malformed', FORM);
  let scope = 0;
  if (parsed.zone !== undefined) {
    const index = parseDecimal(parsed.zone, 0xffffffff);
    const known = index >= 0 ? index : zoneIndex?.(parsed.zone);
    if (known === undefined) {
      return wrong('no interface here has the name behind "%"', 'name an interface of this host');
    }
    scope = known;
  }
  return { kind: 'address', record: endpointRecord(parsed.address, port, scope) };
}

function addressOrName(host: string, port: number): EndpointText {
  const address = parseAddress(host);
  if (address !== undefined) return { kind: 'address', record: endpointRecord(address, port, 0) };
  const mistake = hostNameMistake(host);
  return mistake === undefined ? { kind: 'name', host, port } : wrong(mistake, FORM);
}

/** A new record; `address` has 4 or 16 bytes. */
export function endpointRecord(address: Uint8Array, port: number, scope: number): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(record, 0, address, port, scope);
  return record;
}

/** What is wrong with a host name, `undefined` when nothing is (RFC 1123 section 2.1, with "_" as DNS has it). */
export function hostNameMistake(host: string): string | undefined {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  if (name.length === 0) return 'the host name is empty';
  if (name.length > NAME_BYTES) return `the host name is longer than ${NAME_BYTES} characters`;
  const labels = name.split('.');
  for (const label of labels) {
    if (label === '') return 'the host name has an empty part';
    if (label.length > LABEL_BYTES) return `a part of the host name is longer than ${LABEL_BYTES} characters`;
    for (let i = 0; i < label.length; i++) {
      const code = label.charCodeAt(i);
      const letterOrDigit =
        (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
      const inner = code === 45 && i > 0 && i < label.length - 1;
      if (!letterOrDigit && !inner && code !== 95) {
        return code > 127
          ? 'the host name is not in its ASCII form ("xn--")'
          : 'the host name has a character that names cannot have';
      }
    }
  }
  // RFC 1123 section 2.1: what ends in a number is meant to be an address. It was not a right one.
  return /^[0-9]+$/.test(labels[labels.length - 1]) ? 'the IPv4 address is malformed' : undefined;
}

function wrong(message: string, remedy: string): EndpointText {
  return { kind: 'error', message, remedy };
}
