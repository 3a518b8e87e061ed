import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/packet/address.js';
import { ENDPOINT_BYTES, FAMILY_VIRTUAL } from '../../src/packet/endpoint.js';
import { endpointRecord, formatEndpoint, parseEndpoint } from '../../src/packet/endpoint-text.js';

describe('parseEndpoint', () => {
  it.each([
    ['192.0.2.1:51820', '192.0.2.1', 51820, 0],
    ['[2001:db8::1]:1', '2001:db8::1', 1, 0],
    ['[fe80::1%7]:65535', 'fe80::1', 65535, 7],
    ['[fe80::1%eth9]:51820', 'fe80::1', 51820, 42],
    ['[::ffff:192.0.2.1]:51820', '::ffff:192.0.2.1', 51820, 0],
  ])('reads %s', (text, address, port, scope) => {
    const zoneIndex = (name: string) => (name === 'eth9' ? 42 : undefined);
    expect(parseEndpoint(text, zoneIndex)).toEqual({
      kind: 'address',
      record: endpointRecord(parseAddress(address)!, port, scope),
    });
  });

  it.each([
    ['vpn.example.net:51820', 'vpn.example.net', 51820],
    ['localhost:1', 'localhost', 1],
    ['a-b.c_d.xn--p1ai.:443', 'a-b.c_d.xn--p1ai.', 443],
    ['1a.2b:80', '1a.2b', 80],
  ])('reports %s as a name', (text, host, port) => {
    expect(parseEndpoint(text)).toEqual({ kind: 'name', host, port });
  });

  it.each([
    ['', 'the port is missing'],
    ['192.0.2.1', 'the port is missing'],
    ['vpn.example.net', 'the port is missing'],
    ['vpn.example.net:', 'the port is missing'],
    ['[2001:db8::1]', 'the port is missing'],
    ['2001:db8::1', 'the port is missing'],
    ['[2001:db8::1]:', 'the port is missing'],
    [':51820', 'the host is missing'],
    ['192.0.2.1:0', 'the port is not a number of 1 to 65535'],
    ['192.0.2.1:65536', 'the port is not a number of 1 to 65535'],
    ['192.0.2.1:+1', 'the port is not a number of 1 to 65535'],
    ['192.0.2.1:http', 'the port is not a number of 1 to 65535'],
    ['192.0.2.1:051820', 'the port is not a number of 1 to 65535'],
    ['[2001:db8::1:51820', 'the closing bracket is missing'],
    ['[2001:db8::1]51820', 'something other than ":port" follows the bracket'],
    ['[192.0.2.1]:51820', 'brackets hold something other than an IPv6 address'],
    ['[vpn.example.net]:51820', 'brackets hold something other than an IPv6 address'],
    ['2001:db8:zz::1:51820', 'an IPv6 address stands without brackets'],
    ['[2001:db8::g]:51820', 'the IPv6 address is malformed'],
    ['[fe80::1%]:51820', 'the IPv6 address is malformed'],
    ['[fe80::1%eth9]:51820', 'no interface here has the name behind "%"'],
    ['192.0.2.256:51820', 'the IPv4 address is malformed'],
    ['192.0.2:51820', 'the IPv4 address is malformed'],
    ['1.2.3.4%eth0:51820', 'the host name has a character that names cannot have'],
    ['vpn example.net:51820', 'the host name has a character that names cannot have'],
    ['-vpn.example.net:51820', 'the host name has a character that names cannot have'],
    ['vpn..example.net:51820', 'the host name has an empty part'],
    ['впн.example.net:51820', 'the host name is not in its ASCII form ("xn--")'],
    [`${'a'.repeat(64)}.net:51820`, 'a part of the host name is longer than 63 characters'],
    [`${'a.'.repeat(127)}b:51820`, 'the host name is longer than 253 characters'],
  ])('refuses %j and says why', (text, message) => {
    expect(parseEndpoint(text)).toMatchObject({ kind: 'error', message });
  });

  it('says how to write what lacks only its port', () => {
    expect(parseEndpoint('192.0.2.1')).toMatchObject({ remedy: 'write 192.0.2.1:51820' });
    expect(parseEndpoint('2001:db8::1')).toMatchObject({ remedy: 'write [2001:db8::1]:51820' });
    expect(parseEndpoint('[2001:db8::1]')).toMatchObject({ remedy: 'write [2001:db8::1]:51820' });
    expect(parseEndpoint('vpn.example.net')).toMatchObject({
      remedy: 'write the port behind the name, usually :51820',
    });
  });

  it('does not repeat what is not surely a host', () => {
    for (const text of [
      'cGFzdGVkIGJ5IG1pc3Rha2UsIGEgc2VjcmV0IGtleSE=',
      '[cGFzdGVk]',
      'cGFzdGVkIGJ5',
      'a.cGFzdGVk',
    ]) {
      expect(JSON.stringify(parseEndpoint(text))).not.toContain('cGFzdGVk');
    }
  });
});

describe('formatEndpoint', () => {
  it('gives text that is read back as the same record', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 4, maxLength: 4 }),
          fc.uint8Array({ minLength: 16, maxLength: 16 }),
        ),
        fc.integer({ min: 1, max: 65535 }),
        fc.nat(0xffffffff),
        (address, port, scope) => {
          const record = endpointRecord(address, port, address.length === 4 ? 0 : scope);
          const records = new Uint8Array(3 * ENDPOINT_BYTES).fill(0xee);
          records.set(record, ENDPOINT_BYTES);
          expect(parseEndpoint(formatEndpoint(records, ENDPOINT_BYTES))).toEqual({ kind: 'address', record });
        },
      ),
    );
  });

  it('names the zone when it can', () => {
    const record = endpointRecord(parseAddress('fe80::1')!, 51820, 3);
    expect(formatEndpoint(record, 0)).toBe('[fe80::1%3]:51820');
    expect(formatEndpoint(record, 0, (index) => (index === 3 ? 'eth0' : undefined))).toBe(
      '[fe80::1%eth0]:51820',
    );
  });

  it('is empty for what is no IP endpoint', () => {
    const record = new Uint8Array(ENDPOINT_BYTES);
    expect(formatEndpoint(record, 0)).toBe('');
    record[0] = FAMILY_VIRTUAL;
    expect(formatEndpoint(record, 0)).toBe('');
  });
});
