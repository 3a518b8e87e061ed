/**
 * The values of wg-quick settings, each read by one function that returns the value or says what is wrong with it.
 * None of them repeats the text it was given: any of them may have been given a secret by mistake.
 */

import { keyFromBase64 } from '../crypto/key-text.js';
import { type Prefix, parseAddress, parseDecimal, parseInterfaceAddress } from '../packet/address.js';
import { hostNameMistake, parseEndpoint, type ZoneIndex } from '../packet/endpoint-text.js';
import type { PeerEndpoint } from './tunnel-config.js';

export interface Mistake {
  readonly message: string;
  readonly remedy: string;
}

export type Value<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & Mistake);

const KEY_CHARACTERS = 44;
const IPV4_SMALLEST_MTU = 68; // RFC 791 section 3.2: every link forwards this much
/** An IP packet has at most 65,535 bytes; 80 of them are the outer IPv6 and UDP headers and WireGuard's own. */
const GREATEST_MTU = 65_535 - 80;

/** Names that every Linux knows for routing tables (`/etc/iproute2/rt_tables`). */
const TABLE_NAMES: Readonly<Record<string, number>> = Object.freeze({ default: 253, main: 254, local: 255 });

/** A private or preshared key: 32 bytes. */
export function readSecretKey(text: string, how: 'genkey' | 'genpsk'): Value<Uint8Array> {
  return readKey(text, `make one with "cloudbridge-gateway ${how}" or paste it again, whole`);
}

export function readPublicKey(text: string): Value<Uint8Array> {
  return readKey(text, 'copy it from the peer, where "cloudbridge-gateway pubkey" or "wg show" tells it');
}

export function readPort(text: string): Value<number> {
  const port = parseDecimal(text, 65_535);
  if (port >= 0) return right(port);
  return wrong('the port is not a number of 0 to 65535', 'the usual port is 51820; 0 lets the system choose');
}

export function readMtu(text: string): Value<number> {
  const mtu = parseDecimal(text, 0xffffffff);
  if (mtu > GREATEST_MTU) {
    return wrong(
      `the MTU is over ${GREATEST_MTU}, the most that fits into a datagram with the tunnel's 80 bytes`,
      'leave the line out, or write 1420 for a path that carries 1500 bytes',
    );
  }
  if (mtu >= IPV4_SMALLEST_MTU) return right(mtu);
  return wrong(
    mtu < 0 ? 'the MTU is not a number' : `the MTU is below ${IPV4_SMALLEST_MTU}, the least that IP allows`,
    'leave the line out, or write 1420 for a path that carries 1500 bytes',
  );
}

export function readKeepalive(text: string): Value<number> {
  if (isWord(text, 'off')) return right(0);
  const seconds = parseDecimal(text, 65_535);
  if (seconds >= 0) return right(seconds);
  return wrong(
    'the interval is neither "off" nor a number of seconds from 0 to 65535',
    'write 25 behind a NAT or firewall, otherwise leave the line out',
  );
}

export function readFwMark(text: string): Value<number> {
  const mark = readUint32(text);
  if (mark !== undefined) return right(mark);
  return wrong(
    'the mark is neither "off" nor a 32-bit number',
    'write a number, decimal or hexadecimal as in 0xca6c, or "off"',
  );
}

export function readTable(text: string): Value<'auto' | 'off' | number> {
  if (isWord(text, 'auto')) return right('auto');
  if (isWord(text, 'off')) return right('off');
  const name = text.toLowerCase();
  const number = Object.hasOwn(TABLE_NAMES, name) ? TABLE_NAMES[name] : readUint32(text);
  if (number !== undefined && number > 0) return right(number);
  return wrong(
    'the table is neither "auto" nor "off" nor the number of a routing table',
    'leave the line out for "auto", or write "off" and set routes yourself',
  );
}

export function readBoolean(text: string): Value<boolean> {
  if (isWord(text, 'true')) return right(true);
  if (isWord(text, 'false')) return right(false);
  return wrong('the value is neither "true" nor "false"', 'write "false" or leave the line out');
}

/** An address with or without a prefix length; host bits are kept. */
export function readPrefix(text: string): Value<Prefix> {
  const prefix = parseInterfaceAddress(text);
  if (prefix !== undefined) return right(prefix);
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address !== undefined) {
    return wrong(
      `the prefix length is not a number of 0 to ${address.length * 8}`,
      address.length === 4 ? 'write it as in 10.0.0.0/24' : 'write it as in fd00::/64',
    );
  }
  if (text === '') return wrong('an entry of the list is empty', 'remove the comma that is too much');
  return wrong(
    text.includes(':') ? 'the IPv6 address is malformed' : 'the IPv4 address is malformed',
    'write it as in 10.0.0.2/24 or fd00::2/64',
  );
}

/** A name server's address, or a search domain. */
export function readDns(text: string): Value<Uint8Array | string> {
  const address = parseAddress(text);
  if (address !== undefined) return right(address);
  const mistake = text.includes(':') ? 'the IPv6 address is malformed' : hostNameMistake(text);
  if (mistake === undefined) return right(text);
  return wrong(mistake, 'write addresses of name servers and search domains, as in 10.0.0.1, home.example');
}

export function readEndpoint(text: string, zoneIndex: ZoneIndex | undefined): Value<PeerEndpoint> {
  const endpoint = parseEndpoint(text, zoneIndex);
  return endpoint.kind === 'error' ? wrong(endpoint.message, endpoint.remedy) : right(endpoint);
}

function readKey(text: string, remedy: string): Value<Uint8Array> {
  const key = keyFromBase64(text);
  if (key !== undefined) return right(key);
  if (text.length !== KEY_CHARACTERS) {
    return wrong(`the key has ${text.length} characters, a key has ${KEY_CHARACTERS}`, remedy);
  }
  if (!text.endsWith('=')) return wrong('the key does not end in "="', remedy);
  if (!/^[A-Za-z0-9+/]*=$/.test(text)) {
    return wrong('the key has a character that is not of base64', remedy);
  }
  return wrong('the last character before "=" cannot stand there in the base64 of 32 bytes', remedy);
}

/** A 32-bit number, decimal or with `0x`, or "off" for 0. */
function readUint32(text: string): number | undefined {
  if (isWord(text, 'off')) return 0;
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) return Number.parseInt(text.slice(2), 16);
  const value = parseDecimal(text, 0xffffffff);
  return value < 0 ? undefined : value;
}

function isWord(text: string, word: string): boolean {
  return text.toLowerCase() === word;
}

function right<T>(value: T): Value<T> {
  return { ok: true, value };
}

function wrong(message: string, remedy: string): { ok: false } & Mistake {
  return { ok: false, message, remedy };
}
