import { describe, expect, it } from 'vitest';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import { LIMITS } from '../../src/wireguard/limits.js';
import { RateLimiter } from '../../src/wireguard/ratelimiter.js';
import { endpointOf, nodePrimitives, Seed } from './virtual/world.js';

const limiter = (limits = {}): RateLimiter =>
  new RateLimiter(nodePrimitives(new Seed(3)), { ...LIMITS, ...limits });

function ipv6(network: number, host: number, port = 1): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  view.setUint32(0, 0x2001_0db8);
  view.setUint32(4, network);
  view.setUint32(12, host);
  writeEndpoint(record, 0, address, port);
  return record;
}

/** How many of `tries` messages, `every` ms apart, are let through. */
function allowed(
  limits: RateLimiter,
  source: Uint8Array,
  from: number,
  tries: number,
  every: number,
): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (limits.allow(source, 0, from + i * every)) count++;
  return count;
}

const SOURCE = endpointOf(192, 0, 2, 1, 1);

describe('the rate limiter', () => {
  it('lets a burst of 5 through, then 20 a second', () => {
    const limits = limiter();
    expect(allowed(limits, SOURCE, 0, 100, 0)).toBe(5);
    expect(limits.allow(SOURCE, 0, 49)).toBe(false);
    expect(limits.allow(SOURCE, 0, 50)).toBe(true);
    expect(limits.allow(SOURCE, 0, 99)).toBe(false);
    expect(limits.allow(SOURCE, 0, 100)).toBe(true);
    expect(allowed(limits, SOURCE, 101, 10_000, 1)).toBeLessThanOrEqual(201);
  });

  it('lets somebody through who keeps asking too fast, at the rate', () => {
    expect(allowed(limiter(), SOURCE, 0, 10_000, 1)).toBe(5 + 199);
  });

  it('saves up no more than the burst', () => {
    const limits = limiter();
    allowed(limits, SOURCE, 0, 100, 0);
    expect(allowed(limits, SOURCE, 3_600_000, 100, 0)).toBe(5);
  });

  it('has the numbers from the limits', () => {
    const limits = limiter({ handshakesPerSecond: 2, handshakeBurst: 3 });
    expect(allowed(limits, SOURCE, 0, 100, 0)).toBe(3);
    expect(allowed(limits, SOURCE, 1, 10_000, 1)).toBe(20);
  });

  it('counts by address, whatever the port; another address has its own credit', () => {
    const limits = limiter();
    for (let port = 1; port <= 5; port++)
      expect(limits.allow(endpointOf(192, 0, 2, 1, port), 0, 0)).toBe(true);
    expect(limits.allow(endpointOf(192, 0, 2, 1, 6), 0, 0)).toBe(false);
    expect(limits.allow(endpointOf(192, 0, 2, 2, 6), 0, 0)).toBe(true);
  });

  it('counts a whole IPv6 /64 as one source', () => {
    const limits = limiter();
    for (let host = 0; host < 5; host++) expect(limits.allow(ipv6(1, host), 0, 0)).toBe(true);
    expect(limits.allow(ipv6(1, 99), 0, 0)).toBe(false);
    expect(limits.allow(ipv6(2, 99), 0, 0)).toBe(true);
  });

  it('has a fixed size: many sources at most make it forget, never fail', () => {
    const limits = limiter({ rateLimiterEntries: 64 });
    for (let i = 0; i < 5_000; i++) expect(limits.allow(ipv6(i, 0), 0, i)).toBe(true);
    // The last one is remembered.
    expect(allowed(limits, ipv6(4_999, 0), 4_999, 10, 0)).toBe(4);
  });
});
