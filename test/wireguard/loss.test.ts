/** The share of lost messages, told from gaps in their counters. */
import { expect, it } from 'vitest';
import { A_TO_B, pair } from './virtual/world.js';

const DATA = 4;
const isData = ({ bytes }: { readonly bytes: Uint8Array }): boolean => bytes[0] === DATA;

it('is what the network dropped, each way for itself, over changes of keys, and nothing without traffic', () => {
  const { world, a, b } = pair(7);
  a.send(A_TO_B());
  world.exchange();
  expect(b.peer.loss).toBeUndefined();
  let sent = 0;
  let dropped = 0;
  world.passes = (datagram) => {
    const ours = isData(datagram) && datagram.from.every((byte, i) => byte === a.address[i]);
    const lost = ours && ++sent % 5 === 0;
    if (lost) dropped++;
    return !lost;
  };
  for (let i = 0; i < 200; i++) {
    a.send(A_TO_B(i % 100));
    world.run(1_500);
    // Asked in between, as heartbeats do.
    if (i % 50 === 0) b.peer.loss;
  }
  // 300 s are more than one life of the keys.
  expect(a.peer.keypairs.current?.createdAt).toBeGreaterThan(200_000);
  expect(Math.abs(b.peer.loss! - dropped / sent)).toBeLessThan(0.02);
  world.passes = () => true;
  for (let i = 0; i < 600; i++) a.send(A_TO_B());
  world.exchange();
  expect(b.peer.loss).toBeCloseTo(dropped / (sent + 600), 2);
});

it('is no loss when messages only change their order', () => {
  const { world, a, b } = pair(8);
  a.send(A_TO_B());
  world.exchange();
  for (let i = 0; i < 10; i++) {
    for (let n = 0; n < 8; n++) a.send(A_TO_B(n));
    const datagrams = a.take();
    for (const datagram of datagrams.reverse()) world.deliver(datagram);
  }
  expect(b.peer.loss).toBe(0);
});
