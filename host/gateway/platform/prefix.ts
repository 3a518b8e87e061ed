/** Address prefixes as text, `10.0.0.1/24`, the way the `ip` command takes them. */

import { isIPv6 } from 'node:net';

export interface Prefix {
  readonly family: 4 | 6;
  readonly address: string;
  readonly length: number;
  /** The address as a number; host bits as written. */
  readonly value: bigint;
}

/** A missing length means a host address. Throws on text that `src/config` would have refused. */
export function parsePrefix(text: string): Prefix {
  const [address, lengthText] = text.split('/');
  const family = isIPv6(address) ? 6 : 4;
  const bits = family === 6 ? 128 : 32;
  const length = lengthText === undefined ? bits : Number(lengthText);
  if (!Number.isInteger(length) || length < 0 || length > bits) throw new Error(`not a prefix: ${text}`);
  return { family, address, length, value: family === 6 ? value6(address) : value4(address) };
}

export function prefixText(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

/** Whether every address of `inner` is in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const shift = BigInt((outer.family === 6 ? 128 : 32) - outer.length);
  return outer.value >> shift === inner.value >> shift;
}

function value4(address: string): bigint {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
    throw new Error(`not an address: ${address}`);
  }
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function value6(address: string): bigint {
  // RFC 4291 section 2.2: `::` stands for as many zero groups as are missing, the last 32 bits may be dotted.
  let text = address;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (dotted !== null) {
    const low = value4(dotted[2]);
    text = `${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head, tail] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...new Array<string>(Math.max(missing, 0)).fill('0'), ...after];
  if (groups.length !== 8) throw new Error(`not an address: ${address}`);
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
