/** What a key at the chips' serial console shows (boards/esp32/firmware/status-lines.ts). */

import { expect, test } from 'vitest';
import { writeStatus } from '../../boards/esp32/firmware/status-lines.js';
import { LineLog } from '../../boards/xs/log.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { Device } from '../../src/wireguard/device.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import {
  endpointOf,
  MemoryStore,
  nodePrimitives,
  privateKeyOf,
  Seed,
  VirtualClock,
} from '../wireguard/virtual/world.js';

test('tells of the interface and of each peer, and no secret', () => {
  const clock = new VirtualClock();
  const primitives = nodePrimitives(new Seed(7));
  const device = new Device({ primitives, clock, timestamps: new TimestampSource(clock, new MemoryStore()) });
  device.setPrivateKey(privateKeyOf('chip'));
  const keys = ['one', 'two'].map((name) => {
    const publicKey = new Uint8Array(32);
    primitives.x25519PublicKey(publicKey, privateKeyOf(name));
    return publicKey;
  });
  const [asked] = keys.map((key) => device.addPeer(key));
  asked.presharedKey = new Uint8Array(32).fill(9);
  asked.setEndpoint(endpointOf(192, 0, 2, 7, 51_820), 0);
  asked.initiate(false);
  clock.set(61_000);
  const lines: string[] = [];
  const log = new LineLog((line) => lines.push(line), clock, 'info');
  writeStatus(log, device, { listenPort: 51_820, up: 1_000, now: clock.monotonic(), dropped: 3 });
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(
    /^\S+ info {2}status uptime=60 listenPort=51820 mtu=1420 peers=2 underLoad=false dropped=3\n$/,
  );
  expect(lines[1]).toContain(`key=${JSON.stringify(`${keyToBase64(keys[0]).slice(0, 8)}…`)}`);
  expect(lines[1]).toMatch(
    / state=\S+ reason=awaiting-response endpoint=192\.0\.2\.7:51820 received=0 sent=148\n$/,
  );
  expect(lines[2]).toMatch(/ reason=no-endpoint received=0 sent=0\n$/);
  for (const secret of [privateKeyOf('chip'), asked.presharedKey])
    expect(lines.join('')).not.toContain(keyToBase64(secret).slice(0, 8));
});
