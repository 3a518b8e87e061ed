/** What may move an endpoint, and what it does not cost. */
import { describe, expect, it } from 'vitest';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import { established, v6 } from './attacks.js';
import { gapsOf, keepalives } from './virtual/messages.js';
import { A_TO_B, B_TO_A, endpointOf } from './virtual/world.js';

describe('endpoints', () => {
  it('follow the peer after an authenticated packet, also from IPv4 to IPv6', () => {
    const { world, a, b } = established();
    const v6Address = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint(v6Address, 0, v6(2), 7777);
    b.address = v6Address;
    b.send(B_TO_A(1));
    world.exchange();
    expect(a.peer.endpoint).toEqual(v6Address);
    a.send(A_TO_B(2));
    world.exchange();
    expect(b.delivered).toEqual([A_TO_B(2)]);
  });

  it('follow a keepalive and a new handshake as well', () => {
    const { world, a, b } = established();
    b.address = endpointOf(192, 0, 2, 2, 1111);
    b.peer.sendKeepalive();
    expect(keepalives(world.exchange(), b).length).toBe(1);
    expect(a.peer.endpoint).toEqual(b.address);
    world.run(10_000);
    b.address = endpointOf(192, 0, 2, 2, 2222);
    b.peer.initiate(false);
    expect(gapsOf(world.exchange()).length).toBeGreaterThan(0);
    expect(a.peer.endpoint).toEqual(b.address);
  });
});
