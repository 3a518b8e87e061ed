/** Secrets reach neither logs nor error texts. */
import { describe, expect, it } from 'vitest';
import { ATTACKER, overload } from './attacks.js';
import { A_TO_B, pair, privateKeyOf } from './virtual/world.js';

describe('secrets', () => {
  it('never reach the log', () => {
    const lines: string[] = [];
    const log = { write: (...all: unknown[]) => void lines.push(JSON.stringify(all)) };
    const secrets = new Set<string>();
    const note = (key: Uint8Array | undefined): void => {
      if (!key) return;
      const bytes = Buffer.from(key);
      secrets.add(bytes.toString('hex')).add(bytes.toString('base64')).add(bytes.toString('base64url'));
      secrets.add([...bytes].join(',')).add(bytes.subarray(0, 8).toString('hex'));
      secrets.add(bytes.subarray(0, 9).toString('base64'));
    };
    const psk = privateKeyOf('psk');
    const keypairs = {
      keypairInstalled: (pair: { sendKey: Uint8Array; receiveKey: Uint8Array }) => {
        note(pair.sendKey);
        note(pair.receiveKey);
      },
      keypairErased: () => {},
    };
    const { world, a, b } = pair(1, { log, keypairs });
    for (const node of [a, b]) {
      note(node.device.privateKey);
      node.peer.presharedKey = psk;
      node.peer.persistentKeepalive = 5;
    }
    note(psk);
    const staticShared = new Uint8Array(32);
    world.primitives.x25519(staticShared, a.device.privateKey!, b.publicKey);
    note(staticShared);
    a.send(A_TO_B());
    world.run(400_000);
    overload(b);
    world.run(2_000);
    world.passes = () => false;
    world.run(400_000);
    b.device.removeAllPeers();
    a.device.setPrivateKey(privateKeyOf('another'));
    note(a.device.privateKey);
    world.passes = () => true;
    world.run(10_000);
    a.address = ATTACKER;
    world.run(10_000);
    a.device.close();
    const events = new Set(lines.map((line) => JSON.parse(line)[1] as string));
    expect([...events]).toEqual(
      expect.arrayContaining(['session-established', 'under-load', 'handshake-unanswered']),
    );
    expect(secrets.size).toBeGreaterThan(30);
    for (const line of lines) for (const secret of secrets) expect(line.includes(secret)).toBe(false);
  });

  it('never reach an error’s text', () => {
    const { a } = pair();
    const key = privateKeyOf('secret');
    const attempts = [
      () => a.device.setPrivateKey(key.subarray(0, 31)),
      () => a.device.setPrivateKey(new Uint8Array([...key, 1])),
      () => a.device.addPeer(a.publicKey),
      () => a.device.allowedIps.insert(key, 3, a.peer),
    ];
    const hex = Buffer.from(key).toString('hex').slice(0, 12);
    const base64 = Buffer.from(key).toString('base64').slice(0, 10);
    for (const attempt of attempts) {
      let text = '';
      try {
        attempt();
      } catch (error) {
        text = `${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
      }
      expect(text).not.toBe('');
      expect(text).not.toContain(hex);
      expect(text).not.toContain(base64);
      expect(text).not.toContain([...key.subarray(0, 5)].join(','));
    }
  });
});
