import { describe, expect, it } from 'vitest';
import { ipLength, ipVersion } from '../../src/packet/ip.js';

function ipv4Header(total: number, ihl = 5): Uint8Array {
  const bytes = new Uint8Array(ihl * 4);
  bytes[0] = 0x40 | ihl;
  bytes[2] = total >>> 8;
  bytes[3] = total;
  return bytes;
}

function ipv6Header(payload: number): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes[0] = 0x60;
  bytes[4] = payload >>> 8;
  bytes[5] = payload;
  return bytes;
}

function padded(header: Uint8Array, size: number, at = 0): Uint8Array {
  const bytes = new Uint8Array(at + size);
  bytes.set(header.subarray(0, size), at);
  return bytes;
}

describe('ipVersion', () => {
  it('reads the first nibble and nothing when there is nothing', () => {
    expect(ipVersion(Uint8Array.of(0x45), 0, 1)).toBe(4);
    expect(ipVersion(Uint8Array.of(0, 0x60), 1, 1)).toBe(6);
    expect(ipVersion(new Uint8Array(0), 0, 0)).toBe(0);
    expect(ipVersion(Uint8Array.of(0x45), 0, 0)).toBe(0);
    expect(ipVersion(Uint8Array.of(0x45), 5, 1)).toBe(0);
  });
});

describe('ipLength', () => {
  it.each([
    ['IPv4, exact', padded(ipv4Header(84), 84), 0, 84, 84],
    ['IPv4, padded to 16', padded(ipv4Header(84), 96), 0, 96, 84],
    ['IPv4, at an offset', padded(ipv4Header(84), 96, 48), 48, 96, 84],
    ['IPv4, header only', padded(ipv4Header(20), 20), 0, 20, 20],
    ['IPv4 with options', padded(ipv4Header(60, 15), 64), 0, 64, 60],
    ['IPv4 claims more than there is', padded(ipv4Header(85), 84), 0, 84, 0],
    ['IPv4 claims less than a header', padded(ipv4Header(19), 84), 0, 84, 0],
    ['IPv4 claims less than its own options', padded(ipv4Header(24, 7), 84), 0, 84, 0],
    ['IPv4 header length below five words', padded(Uint8Array.of(0x44, 0, 0, 84), 84), 0, 84, 0],
    ['IPv4 cut short', padded(ipv4Header(20), 19), 0, 19, 0],
    ['IPv6, exact', padded(ipv6Header(8), 48), 0, 48, 48],
    ['IPv6, padded', padded(ipv6Header(1), 48), 0, 48, 41],
    ['IPv6, no payload', padded(ipv6Header(0), 48), 0, 48, 40],
    ['IPv6 claims more than there is', padded(ipv6Header(9), 48), 0, 48, 0],
    ['IPv6 claims the most', padded(ipv6Header(65535), 1420), 0, 1420, 0],
    ['IPv6 cut short', padded(ipv6Header(0), 39), 0, 39, 0],
    ['version 5', padded(Uint8Array.of(0x55, 0, 0, 84), 84), 0, 84, 0],
    ['nothing', new Uint8Array(0), 0, 0, 0],
    ['more said to be available than the array has', padded(ipv4Header(84), 84), 0, 85, 0],
    ['offset beyond the array', padded(ipv4Header(84), 84), 84, 20, 0],
  ])('%s', (_name, bytes, offset, available, expected) => {
    expect(ipLength(bytes, offset, available)).toBe(expected);
  });
});
