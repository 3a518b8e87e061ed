/**
 * IPv4 and IPv6 addresses as text: strict reading (RFC 4291 section 2.2, dotted decimal without leading zeros) and
 * the canonical writing of RFC 5952. An address is 4 or 16 bytes, in network order.
 */

/** An address block (host bits clear) or an interface's own address in its network (host bits set). */
export interface Prefix {
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

/** Four bytes, or `undefined` when the text is not exactly four decimal numbers of 0 to 255. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return undefined;
  const address = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const value = parseDecimal(parts[i], 255);
    if (value < 0) return undefined;
    address[i] = value;
  }
  return address;
}

/** Sixteen bytes, or `undefined`. No zone and no brackets: see `parseScopedAddress` and `parseEndpoint`. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length < 2 || text.length > 45) return undefined;
  const gap = text.indexOf('::');
  if (gap < 0) {
    const address = new Uint8Array(16);
    return writeGroups(text, address, 0) === 16 ? address : undefined;
  }
  if (text.indexOf('::', gap + 1) >= 0) return undefined;
  const head = text.slice(0, gap);
  const tail = text.slice(gap + 2);
  const address = new Uint8Array(16);
  const headBytes = head === '' ? 0 : head.includes('.') ? -1 : writeGroups(head, address, 0);
  const tailBytes = tail === '' ? 0 : writeGroups(tail, address, headBytes);
  // RFC 4291 section 2.2: "::" stands for one or more groups of zeros.
  if (headBytes < 0 || tailBytes < 0 || headBytes + tailBytes > 14) return undefined;
  if (tailBytes > 0) {
    address.copyWithin(16 - tailBytes, headBytes, headBytes + tailBytes);
    address.fill(0, headBytes, 16 - tailBytes);
  }
  return address;
}

/** Either kind, 4 or 16 bytes, or `undefined`. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/**
 * An address with an optional zone (`fe80::1%eth0`, RFC 4007 section 11). Only IPv6 addresses have one; it is not
 * empty.
 */
export function parseScopedAddress(
  text: string,
): { address: Uint8Array; zone: string | undefined } | undefined {
  const percent = text.indexOf('%');
  const address = parseAddress(percent < 0 ? text : text.slice(0, percent));
  if (address === undefined) return undefined;
  if (percent < 0) return { address, zone: undefined };
  const zone = text.slice(percent + 1);
  return address.length === 16 && isZone(zone) ? { address, zone } : undefined;
}

/** The RFC 5952 text of the 4 or 16 bytes at `offset`. */
export function formatAddress(bytes: Uint8Array, offset = 0, length = bytes.length - offset): string {
  return length === 4 ? formatIpv4(bytes, offset) : formatIpv6(bytes, offset);
}

/** `address/length`, or an address alone for all of its bits. Host bits stay. `undefined` when malformed. */
export function parseInterfaceAddress(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = address.length << 3;
  const prefixLength = slash < 0 ? bits : parseDecimal(text.slice(slash + 1), bits);
  return prefixLength < 0 ? undefined : { address, prefixLength };
}

/** Like `parseInterfaceAddress`, with the host bits cleared. */
export function parsePrefix(text: string): Prefix | undefined {
  const parsed = parseInterfaceAddress(text);
  if (parsed !== undefined) maskAddress(parsed.address, parsed.prefixLength);
  return parsed;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.prefixLength}`;
}

/** Clears, in place, all bits behind the first `prefixLength`. */
export function maskAddress(address: Uint8Array, prefixLength: number): void {
  const whole = prefixLength >>> 3;
  if (whole >= address.length) return;
  address[whole] &= 0xff00 >>> (prefixLength & 7);
  address.fill(0, whole + 1);
}

/** Whether `address` (as long as the prefix's) lies in the prefix. */
export function prefixContains(prefix: Prefix, address: Uint8Array): boolean {
  if (address.length !== prefix.address.length) return false;
  const whole = prefix.prefixLength >>> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix.address[i]) return false;
  const rest = 0xff00 >>> (prefix.prefixLength & 7);
  return whole === address.length || ((address[whole] ^ prefix.address[whole]) & rest & 0xff) === 0;
}

/**
 * The IPv4 address inside an IPv4-mapped one (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), any other unchanged. A
 * rule for addresses is only as good as this step before it.
 */
export function canonicalAddress(address: Uint8Array): Uint8Array {
  return isIpv4Mapped(address, 0, address.length) ? address.slice(12) : address;
}

export function isIpv4Mapped(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length !== 16) return false;
  for (let i = 0; i < 10; i++) if (bytes[offset + i] !== 0) return false;
  return bytes[offset + 10] === 0xff && bytes[offset + 11] === 0xff;
}

/** A decimal number of 0 to `greatest` without sign or leading zeros; -1 when the text is anything else. */
export function parseDecimal(text: string, greatest: number): number {
  if (text.length === 0 || text.length > 10 || (text.length > 1 && text.charCodeAt(0) === 48)) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value > greatest ? -1 : value;
}

/**
 * Writes the colon-separated groups of `text` behind each other and returns the number of bytes, -1 when malformed.
 * The last group may be a dotted IPv4 address (RFC 4291 section 2.2, third form).
 */
function writeGroups(text: string, address: Uint8Array, at: number): number {
  if (at < 0) return -1;
  const groups = text.split(':', 9);
  let length = 0;
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i];
    if (i === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined || at + length + 4 > 16) return -1;
      address.set(ipv4, at + length);
      return length + 4;
    }
    const value = parseGroup(group);
    if (value < 0 || at + length + 2 > 16) return -1;
    address[at + length] = value >>> 8;
    address[at + length + 1] = value;
    length += 2;
  }
  return length;
}

function parseGroup(text: string): number {
  if (text.length === 0 || text.length > 4) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    let digit: number;
    if (code >= 48 && code <= 57) digit = code - 48;
    else if (code >= 97 && code <= 102) digit = code - 87;
    else if (code >= 65 && code <= 70) digit = code - 55;
    else return -1;
    value = (value << 4) | digit;
  }
  return value;
}

/** RFC 4007 section 11.2 leaves the zone's text to the system; spaces, brackets and slashes would not come back. */
function isZone(zone: string): boolean {
  if (zone.length === 0 || zone.length > 64) return false;
  for (let i = 0; i < zone.length; i++) {
    const code = zone.charCodeAt(i);
    if (code <= 32 || code >= 127) return false;
    const c = zone[i];
    if (c === '%' || c === '/' || c === '[' || c === ']') return false;
  }
  return true;
}

function formatIpv4(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

function formatIpv6(bytes: Uint8Array, offset: number): string {
  // RFC 5952 section 5: the mixed notation where the prefix says that an IPv4 address is inside.
  if (isIpv4Mapped(bytes, offset, 16)) return `::ffff:${formatIpv4(bytes, offset + 12)}`;
  // RFC 5952 section 4.2: "::" for the longest run of zero groups, the first of equals, never for one alone.
  let gapStart = 8;
  let gapLength = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && bytes[offset + end * 2] === 0 && bytes[offset + end * 2 + 1] === 0) end++;
    if (end - i > gapLength) {
      gapStart = i;
      gapLength = end - i;
    }
    if (end > i) i = end;
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === gapStart) {
      text += '::';
      i += gapLength - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += ((bytes[offset + i * 2] << 8) | bytes[offset + i * 2 + 1]).toString(16);
  }
  return text;
}
