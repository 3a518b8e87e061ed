import { describe, expect, it } from 'vitest';
import {
  ControlPeers,
  controlAddress,
  controlHost,
  controlPeerRecord,
} from '../../host/control-plane/control-peers.js';
import type { GatewayRow } from '../../host/control-plane/gateways.js';
import { ControlPeer } from '../../src/control/control-peer.js';
import { SealedStore } from '../../src/identity/sealed-store.js';
import { MemoryStore, nodePrimitives } from '../wireguard/virtual/world.js';

const SECRET = {
  privateKey: key(1),
  presharedSecret: key(2),
  prefix: 'fd12345678900000',
};
const ID = 'gw-0123456789abcdef';

function key(byte: number): string {
  return Buffer.alloc(32, byte).toString('base64');
}

function hex(byte: number): string {
  return Buffer.alloc(32, byte).toString('hex');
}

function row(change: Partial<GatewayRow> = {}): GatewayRow {
  const usual = {
    id: ID,
    tenant: 't',
    state: 'active',
    identity_key: key(9),
    public_key: key(3),
    next_public_key: null,
  };
  return { ...usual, ...change } as GatewayRow;
}

describe('gateways as peers of the control plane', () => {
  it('have addresses of their own that the gateway itself believes', () => {
    expect(controlHost(SECRET)).toBe('fd12:3456:7890::1');
    expect(controlAddress(SECRET, ID)).toBe('fd12:3456:7890:0:123:4567:89ab:cdef');
    const record = controlPeerRecord(SECRET, key(8), 'control.example:51900', ID);
    const store = new SealedStore(nodePrimitives(), new MemoryStore(), Buffer.alloc(32, 1));
    expect(new ControlPeer(store, record).route?.tunnel).toBe('http://[fd12:3456:7890::1]:80');
  });

  it('change their key without a moment in which neither is known', () => {
    const peers = new ControlPeers(SECRET);
    expect(peers.change(row())).toContain(`public_key=${hex(3)}`);
    expect(peers.change(row())).toEqual([]);
    expect(peers.change(row({ next_public_key: key(4) }))).toEqual([
      `public_key=${hex(3)}`,
      'update_only=true',
      `next_public_key=${hex(4)}`,
    ]);
    expect(peers.change(row({ public_key: key(4) }))).toEqual([
      `public_key=${hex(3)}`,
      'update_only=true',
      'promote_next_public_key=true',
    ]);
    // Back to the key before, as when the gateway never heard that the new one was believed.
    expect(peers.change(row({ public_key: key(4), next_public_key: key(3) }))[2]).toBe(
      `next_public_key=${hex(3)}`,
    );
  });

  it('stay while they are quarantined, and go when they are withdrawn', () => {
    const peers = new ControlPeers(SECRET);
    peers.change(row());
    expect(peers.change(row({ state: 'quarantined' }))).toEqual([]);
    expect(peers.change(row({ state: 'revoked' }))).toEqual([`public_key=${hex(3)}`, 'remove=true']);
    expect(peers.change(row({ state: 'revoked' }))).toEqual([]);
    expect(peers.change(row({ identity_key: null }))).toEqual([]);
  });

  it('cannot take the place of another by naming its key', () => {
    const peers = new ControlPeers(SECRET);
    peers.change(row({ next_public_key: key(4) }));
    const thief = { id: 'gw-ffffffffffffffff', tenant: 'other' };
    expect(peers.change(row({ ...thief, public_key: key(3) }))).toEqual([]);
    expect(peers.change(row({ ...thief, public_key: key(4) }))).toEqual([]);
    expect(peers.change(row({ ...thief, public_key: key(5), next_public_key: key(3) }))).not.toContain(
      `next_public_key=${hex(3)}`,
    );
    peers.change(row({ state: 'left' }));
    expect(peers.change(row({ ...thief, public_key: key(3) }))).not.toEqual([]);
  });
});
