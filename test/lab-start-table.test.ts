import { expect, test } from 'vitest';
import { bytes, duration, renderTable } from '../host/lab/table.js';
import type { LabView } from '../host/lab/view.js';

/** The table of peers begins at this line: above it stand the summary, the control plane and the lamps. */
const TABLE = 7;

const VIEW: LabView = {
  seconds: 65,
  control: { running: true, url: 'http://127.0.0.1:8080', seconds: 64 },
  gateways: [
    {
      number: 1,
      address: '10.88.0.1',
      gateway: 'gw-1',
      publicKey: 'key',
      listenPort: 40001,
      lamps: { control: 'green', data: 'green', acknowledgedAge: 2, session: 'live: websocket' },
      mode: 'rootless',
      modeReason: 'own namespaces',
      tier: 't0',
      peers: [
        {
          label: 'gateway 2',
          number: 2,
          transport: 'udp',
          endpoint: '127.0.0.1:40002',
          handshakeAge: 61,
          roundTrip: 1.25,
          received: 1536,
          sent: 820,
          state: 'established',
          reason: 'authenticated traffic came under the current keys',
        },
        {
          label: 'guest',
          number: undefined,
          transport: 'udp',
          endpoint: '',
          handshakeAge: undefined,
          roundTrip: undefined,
          received: 0,
          sent: 0,
          state: 'idle',
          reason: 'no endpoint is configured, and the peer has not called in',
        },
      ],
    },
  ],
  silent: [],
  pings: [{ from: 1, to: 2, sent: 3, answered: 3, milliseconds: 0.74, detail: 'echo reply' }],
  requests: [
    { from: 2, to: 1, sent: 5, answered: 4, milliseconds: undefined, detail: 'no answer within 2000 ms' },
  ],
};

test('every column the newcomer is promised is there', () => {
  const lines = renderTable(VIEW, 200, false);
  expect(lines[0]).toBe('1 gateways, 1 min 5 s. Tier t0, mode rootless: own namespaces');
  expect(lines[TABLE]).toMatch(
    /^gateway +peer +transport +handshake +round trip +ping +received +sent +state: reason$/,
  );
  expect(lines[TABLE + 1]).toMatch(
    /^1 10\.88\.0\.1 +gateway 2 +udp 127\.0\.0\.1:40002 +1 min 1 s ago +1\.3 ms +0\.7 ms +1\.5 KiB +820 B +established: auth/,
  );
  expect(lines[TABLE + 2]).toMatch(/^ +guest +udp +never +- +- +0 B +0 B +idle: no endpoint/);
  expect(lines[TABLE + 4]).toBe(
    'gateway 2 asks gateway 1 through the tunnel: no answer within 2000 ms (4 of 5 answered)',
  );
});

test('a narrow terminal loses addresses, not states', () => {
  const lines = renderTable(VIEW, 80, false);
  expect(lines[TABLE]).toMatch(/^gateway +peer +transport +handshake +round trip +ping +received +sent$/);
  expect(lines[TABLE + 1]).toMatch(/^1 +gateway 2 +udp +1 min 1 s ago +1\.3 ms +0\.7 ms +1\.5 KiB +820 B$/);
  expect(lines[TABLE + 2]).toBe('    established: authenticated traffic came under the current keys');
  expect(lines[TABLE + 3]).toMatch(/^ +guest +udp +never/);
});

test('no line is wider than the terminal', () => {
  for (const width of [20, 80, 132]) {
    for (const line of renderTable(VIEW, width, false)) expect(line.length).toBeLessThanOrEqual(width);
  }
});

test('colour changes nothing but the colour', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal's colours are
  const plain = renderTable(VIEW, 120, true).map((line) => line.replace(/\x1b\[[0-9;]*m/g, ''));
  expect(plain).toEqual(renderTable(VIEW, 120, false));
});

test('a lab in which nobody answers says so', () => {
  const lines = renderTable(
    {
      seconds: 1,
      control: { running: false, url: '', seconds: 3 },
      gateways: [],
      silent: [{ number: 1, reason: 'exit code 1: no memory' }],
      pings: [],
      requests: [],
    },
    80,
    false,
  );
  expect(lines[0]).toContain('None answers yet');
  expect(lines).toContain('1 does not answer: exit code 1: no memory');
});

test('both lamps of every gateway, with the reason', () => {
  const lines = renderTable(VIEW, 80, false);
  expect(lines[2]).toBe('control plane: runs at http://127.0.0.1:8080, for 64 s');
  expect(lines[4]).toMatch(/^gateway +control +data +heartbeat +session$/);
  expect(lines[5]).toMatch(/^1 10\.88\.0\.1 +● green +● green +2 s ago +live: websocket$/);
  const [gateway] = VIEW.gateways;
  const lamps = { ...gateway.lamps, control: 'red', session: 'waiting: connection refused' } as const;
  const killed = {
    ...VIEW,
    control: { ...VIEW.control, running: false },
    gateways: [{ ...gateway, lamps }],
  };
  const dark = renderTable(killed, 120, false);
  expect(dark[2]).toBe('control plane: was killed, for 64 s');
  expect(dark[5]).toMatch(/● red +● green +2 s ago +waiting: connection refused$/);
});

test('durations and amounts', () => {
  expect([0, 59.9, 60, 3599, 3600, 90_000].map(duration)).toEqual([
    ...['0 s', '59 s', '1 min 0 s', '59 min 59 s', '1 h 0 min', '25 h 0 min'],
  ]);
  expect([0, 1023, 1024, 1024 ** 2, 3 * 1024 ** 3].map(bytes)).toEqual([
    ...['0 B', '1023 B', '1.0 KiB', '1.0 MiB', '3.0 GiB'],
  ]);
});
