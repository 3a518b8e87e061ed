import { describe, expect, it } from 'vitest';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { DeviceKeys } from '../../src/identity/keys.js';
import { KeyRotation } from '../../src/identity/rotation.js';
import { SealedStore } from '../../src/identity/sealed-store.js';
import { Flash, PowerCut, untilPowered, walkPowerCuts } from '../control/power.js';
import { FakeControl, startAgent } from '../control/virtual-control.js';
import { nodePrimitives, VirtualClock } from '../wireguard/virtual/world.js';

function start(flash: Flash, clock = new VirtualClock()) {
  const primitives = nodePrimitives();
  const keys = new DeviceKeys(primitives, flash);
  const store = new SealedStore(primitives, flash, keys.identity.privateKey);
  return { clock, keys, rotation: new KeyRotation({ primitives, clock, store, keys }) };
}

describe('rotation of the tunnel key', () => {
  it('offers, switches, confirms, and answers under the old key until the overlap is over', () => {
    const { clock, keys, rotation } = start(new Flash());
    const before = keys.tunnelPublic;
    const offered = rotation.begin('r', 600);
    expect(rotation.begin('r', 600)).toBe(offered);
    expect(rotation.usingPublic).toBe(before);
    expect(rotation.switch('other', 60)).toBe(false);
    expect(rotation.switch('r', 60)).toBe(true);
    expect(rotation.usingPublic).toBe(offered);
    expect(rotation.acknowledged(before)).toBeUndefined();
    expect(keys.tunnelPublic).toBe(before);
    expect(rotation.acknowledged(offered!)).toBe('switched');
    expect(keys.tunnelPublic).toBe(offered);
    expect(keyToBase64(rotation.keys.beside!.publicKey)).toBe(before);
    clock.set(clock.monotonic() + 600_000);
    rotation.advance();
    expect(rotation.keys.beside).toBeUndefined();
    expect(rotation.usingPublic).toBe(offered);
  });

  it('uses both keys in turn until one is acknowledged, and keeps that one', () => {
    for (const turns of [1, 2, 7, 8]) {
      const { clock, keys, rotation } = start(new Flash());
      const before = keys.tunnelPublic;
      const offered = rotation.begin('r', 600)!;
      rotation.switch('r', 60);
      for (let i = 0; i < turns; i++) {
        clock.set(rotation.nextDeadline());
        rotation.advance();
      }
      const using = rotation.usingPublic;
      expect(using).toBe(turns % 2 === 0 ? offered : before);
      expect(rotation.begin('another', 600)).toBeUndefined();
      expect(rotation.acknowledged(using)).toBe(turns % 2 === 0 ? 'switched' : 'rolled-back');
      expect(keys.tunnelPublic).toBe(using);
    }
  });

  it('falls back to the key on flash when its record is damaged', () => {
    const flash = new Flash();
    const first = start(flash);
    const before = first.keys.tunnelPublic;
    first.rotation.begin('r', 600);
    first.rotation.switch('r', 60);
    flash.values.get('rotation')![5] ^= 1;
    expect(start(flash).rotation.usingPublic).toBe(before);
  });

  it('changes nothing when the new key cannot be kept', () => {
    const flash = new Flash();
    const { rotation, keys } = start(flash);
    flash.cutAt = flash.operations;
    expect(() => rotation.begin('r', 600)).toThrow(PowerCut);
    expect(rotation.phase).toBe('none');
    expect(rotation.usingPublic).toBe(keys.tunnelPublic);
    expect(rotation.keys.beside).toBeUndefined();
  });

  it('comes back by itself from a power cut at every write, with a key the network knows', () => {
    const cases = walkPowerCuts((flash) => {
      const clock = new VirtualClock();
      const server = new FakeControl(clock);
      // What the network knows; the server repeats the step it is at whenever it hears from the gateway.
      let known = '';
      let offered: string | undefined;
      let done = false;
      server.onMessage = ({ type, data }) => {
        if (type === 'key-offer') {
          offered = data.public_key as string;
          server.say('key-switch', { rotation: 'r', confirm_within: 60 });
        }
        if (type !== 'heartbeat' || data.tunnel_key === undefined) return;
        const key = data.tunnel_key as string;
        if (known === '') known = key;
        // Peers answer to the key they know and to the one that was offered last, to no other.
        expect([known, offered]).toContain(key);
        if (key === offered) {
          known = key;
          done = true;
        }
        if (!done) server.say('key-rotation', { rotation: 'r', overlap: 600 });
      };
      let seed = 1;
      let last = untilPowered(() => {
        const world = startAgent(flash, { clock, server, seed: seed++ });
        world.run(1_000_000);
        return world;
      });
      expect(done).toBe(true);
      expect(last.agent.rotation.phase).toBe('none');
      expect(last.keys.tunnelPublic).toBe(known);
      // And once more, from what lies on flash.
      last = startAgent(flash, { clock, server, seed: seed++ });
      expect(last.agent.rotation.usingPublic).toBe(known);
    });
    expect(cases).toBeGreaterThan(12);
  });
});
