import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { IP, labSuite, NFT } from '../lab/requirements.js';
import { COTURN, OPENSSL } from './real/coturn.js';
import { eventually } from './real/eventually.js';
import { GatewayEnd, type SignalLine } from './real/gateway-end.js';
import { INNER, NatLab, RELAY_ADDRESS, type RealNat } from './real/nat-lab.js';

const STUN = `${RELAY_ADDRESS}:3478`;
const KINDS: readonly RealNat[] = ['full', 'address', 'port', 'symmetric'];
/** ms for a message by way of the control plane. */
const SIGNALING = 30;

function needsRelay(a: RealNat, b: RealNat): boolean {
  return (a === 'symmetric' && (b === 'symmetric' || b === 'port')) || (b === 'symmetric' && a === 'port');
}

labSuite('two gateways behind real NATs', ['root', IP, NFT, COTURN, OPENSSL], () => {
  let lab: NatLab;
  const ends: GatewayEnd[] = [];

  beforeAll(async () => {
    lab = await NatLab.open();
  });
  afterEach(() => {
    for (const one of ends.splice(0)) one.close();
  });
  afterAll(() => lab.close());

  async function connect(a: RealNat, b: RealNat): Promise<[GatewayEnd, GatewayEnd]> {
    lab.setNat(0, a);
    lab.setNat(1, b);
    const sockets = await Promise.all(lab.hosts.map((host) => host.udp({ address: '0.0.0.0' })));
    for (const [i, socket] of sockets.entries()) {
      ends.push(
        new GatewayEnd({
          socket,
          addresses: [INNER[i]],
          controlling: i === 0,
          stun: STUN,
          turn: { server: STUN, ...lab.coturn.credentials(`gateway-${i}`) },
          signal: (line: SignalLine) => void sleep(SIGNALING).then(() => ends[1 - i]?.take(line)),
        }),
      );
    }
    const [left, right] = ends;
    const tell = () => ends.map((one) => `${one.story.join(', ')}; ${one.way}`).join('\n');
    await eventually(() => ends.every((one) => one.agent.state === 'completed'), 20_000, tell);
    return [left, right];
  }

  async function exchange(left: GatewayEnd, right: GatewayEnd): Promise<void> {
    left.received.length = right.received.length = 0;
    await eventually(() => {
      left.send('to the right');
      right.send('to the left');
      return left.received.includes('to the left') && right.received.includes('to the right');
    });
  }

  it.each(KINDS.flatMap((a) => KINDS.map((b) => [a, b] as const)))('connect: %s with %s', async (a, b) => {
    const [left, right] = await connect(a, b);
    await exchange(left, right);
    expect(left.relayed || right.relayed, `${left.way}; ${right.way}`).toBe(needsRelay(a, b));
  });

  it('restart without a gap', async () => {
    const [left, right] = await connect('port', 'port');
    const before = left.agent.local.ufrag;
    left.do((now) => left.agent.restart(now));
    for (let i = 0; i < 40; i++) {
      left.received.length = 0;
      right.send(`number ${i}`);
      await eventually(() => left.received.includes(`number ${i}`), 1_000);
      await sleep(10);
    }
    await eventually(() => ends.every((one) => one.agent.state === 'completed'));
    expect(left.agent.local.ufrag).not.toBe(before);
    expect(right.agent.remote?.ufrag).toBe(left.agent.local.ufrag);
    await exchange(left, right);
  });
});
