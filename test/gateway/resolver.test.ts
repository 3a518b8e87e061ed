import { describe, expect, it } from 'vitest';
import { ipv4Only, lookUp, NodeResolver } from '../../host/gateway/resolver.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import type { Resolver } from '../../src/ports.js';

const answering = (addresses: readonly string[], error?: string): Resolver => ({
  resolve: (_, done) => done(addresses, error),
});

describe('lookUp', () => {
  it('gives every address as an endpoint, in the order of the resolver', async () => {
    const found = await lookUp(answering(['2001:db8::1', '192.0.2.1', 'nonsense']), 'a', 51820);
    expect(found.records.map((record) => formatEndpoint(record, 0))).toEqual([
      '[2001:db8::1]:51820',
      '192.0.2.1:51820',
    ]);
    expect(found).toMatchObject({ error: undefined, final: false });
  });

  it.each([
    ['ENOTFOUND', true],
    ['ENODATA', true],
    ['EAI_AGAIN', false],
    ['ETIMEOUT', false],
  ])('knows whether %s will pass: final %s', async (code, final) => {
    expect(await lookUp(answering([], code), 'a', 1)).toEqual({ records: [], error: code, final });
  });

  it('takes an empty answer for an error that may pass', async () => {
    expect(await lookUp(answering([]), 'a', 1)).toEqual({ records: [], error: 'no address', final: false });
  });

  it('leaves IPv6 addresses out where there is no IPv6', async () => {
    const found = await lookUp(ipv4Only(answering(['2001:db8::1', '192.0.2.1'])), 'a', 7);
    expect(found.records.map((record) => formatEndpoint(record, 0))).toEqual(['192.0.2.1:7']);
  });
});

describe('NodeResolver', () => {
  it("answers from the system's hosts file", async () => {
    const found = await lookUp(new NodeResolver(), 'localhost', 9);
    expect(found.records.map((record) => formatEndpoint(record, 0))).toContain('127.0.0.1:9');
  });
});
