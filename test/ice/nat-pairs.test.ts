import { describe, expect, it } from 'vitest';
import { VirtualGateway } from './virtual/gateway.js';
import { type NatKind, VirtualNetwork } from './virtual/network.js';
import { VirtualTurnServer } from './virtual/turn-server.js';

const KINDS: readonly NatKind[] = ['none', 'full', 'address', 'port', 'symmetric'];

/** RFC 5128, and the matrix measured with real NATs: only these need a relay. */
function needsRelay(a: NatKind, b: NatKind): boolean {
  const hard = [a, b].filter((kind) => kind === 'symmetric').length;
  return hard === 2 || (hard === 1 && (a === 'port' || b === 'port'));
}

const PAIRS = KINDS.flatMap((a) => KINDS.map((b) => [a, b] as const));

describe.each([0, 50, 200])('with %d of 1000 datagrams lost', (loss) => {
  it.each(PAIRS)('connects %s with %s', (a, b) => {
    const seed = (Date.now() ^ (loss << 8)) >>> 0;
    const { left, right, run } = world(seed, a, b, loss);
    run(60_000, () => left.agent.state === 'completed' && right.agent.state === 'completed');
    const state = `seed ${seed}: ${left.agent.state} ${left.way}, ${right.agent.state} ${right.way}`;
    expect([left.agent.state, right.agent.state], state).toEqual(['completed', 'completed']);
    const relayed = [left, right].some((one) => one.agent.selected?.relayed);
    // With many losses a direct pair may come too late; never may a relay be needed where there is none to need.
    if (loss < 200 || needsRelay(a, b)) expect(relayed, state).toBe(needsRelay(a, b));
    // Both ends mean the same way.
    run(3_000);
    left.send('to the right');
    right.send('to the left');
    for (let i = 0; i < 20 && loss > 0; i++) {
      left.send('to the right');
      right.send('to the left');
    }
    run(1_000);
    expect(left.received, state).toContain('to the left');
    expect(right.received, state).toContain('to the right');
  });
});

function world(seed: number, a: NatKind, b: NatKind, loss: number) {
  const network = new VirtualNetwork(seed);
  network.lossPerMille = loss;
  const users = { left: 'secret-1', right: 'secret-2' };
  const server = new VirtualTurnServer(network, '203.0.113.100:3478', users);
  const place = (kind: NatKind, inner: string, outer: string) => {
    if (kind === 'none') return `${outer}:51820`;
    network.nat(kind, outer, [inner]);
    return `${inner}:51820`;
  };
  const make = (name: 'left' | 'right', socket: string, controlling: boolean) =>
    new VirtualGateway(network, {
      socket,
      controlling,
      stun: [server.endpoint],
      turn: [{ endpoint: server.endpoint, username: name, password: users[name] }],
    });
  const left = make('left', place(a, '10.1.0.2', '203.0.113.11'), true);
  const right = make('right', place(b, '10.2.0.2', '203.0.113.12'), false);
  left.meet(right);
  right.meet(left);
  const run = (time: number, done?: () => boolean) => network.run(network.now + time, [left, right], done);
  return { network, server, left, right, run };
}
