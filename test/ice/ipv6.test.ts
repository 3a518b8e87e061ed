import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import { eventually } from './real/eventually.js';
import { GatewayEnd, type SignalLine } from './real/gateway-end.js';

const ends: GatewayEnd[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const one of ends.splice(0)) one.close();
  for (const one of sockets.splice(0)) one.close();
});

it('connects over IPv6 alone, with candidates that go through text', async () => {
  const lines: SignalLine[] = [];
  for (const controlling of [true, false]) {
    const socket = createSocket('udp6');
    socket.bind(0, '::1');
    await once(socket, 'listening');
    sockets.push(socket);
    const index = ends.length;
    const end = new GatewayEnd({
      socket,
      addresses: ['::1', 'fe80::1'],
      controlling,
      limits: { loopback: true },
      signal: (line) => {
        lines.push(line);
        setTimeout(() => ends[1 - index]?.take(line), 5);
      },
    });
    ends.push(end);
  }
  await eventually(() => ends.every((one) => one.agent.state === 'completed'));
  const [left, right] = ends;
  left.send('from the left');
  await eventually(() => right.received.includes('from the left'));
  expect(formatEndpoint(left.agent.selected!.remote.endpoint, 0)).toBe(`[::1]:${sockets[1].address().port}`);
  // Link-local addresses mean nothing elsewhere, and are not named.
  const candidates = lines.flatMap((line) => line.candidate ?? []);
  expect(
    candidates.every((line) => / ::1 \d+ typ host /.test(line)),
    candidates.join('\n'),
  ).toBe(true);
  expect(candidates).toHaveLength(2);
});
