/**
 * The gateways as peers of the control plane's own tunnel end: who may connect, under which address, and how a change
 * of a key is told to the running peer without ending a session.
 */

import { createHmac } from 'node:crypto';
import type { RecordValue } from '../../src/control/shape.js';
import { bytesToHex, keyFromBase64 } from '../../src/crypto/key-text.js';
import { formatAddress } from '../../src/packet/address.js';
import type { GatewayRow } from './gateways.js';

/** What the control plane keeps of its end, forever. */
export interface ControlTunnelSecret {
  /** base64 */
  readonly privateKey: string;
  /** base64; from which every gateway's preshared key is derived. */
  readonly presharedSecret: string;
  /** Hex of the eight bytes of a ULA /64 (RFC 4193, section 3.1: fd, and a random global ID). */
  readonly prefix: string;
}

/** Port of HTTP and WebSocket at the control plane's address. */
export const CONTROL_PORT = 80;
const NO_KEY = '0'.repeat(64);

/** `fd..::1`, without a length. */
export function controlHost({ prefix }: ControlTunnelSecret): string {
  return addressOf(prefix, '0000000000000001');
}

/** A gateway's own: its name is eight random bytes, which serve as the interface identifier. */
export function controlAddress({ prefix }: ControlTunnelSecret, gateway: string): string {
  return addressOf(prefix, gateway.slice(-16));
}

export function controlPresharedKey({ presharedSecret }: ControlTunnelSecret, gateway: string): string {
  const hmac = createHmac('sha256', Buffer.from(presharedSecret, 'base64'));
  return hmac.update(`control tunnel of ${gateway}`).digest('base64');
}

/** What a gateway is told; `endpoint` and `publicKey` are the control plane's. */
export function controlPeerRecord(
  secret: ControlTunnelSecret,
  publicKey: string,
  endpoint: string,
  gateway: string,
): RecordValue {
  return {
    public_key: publicKey,
    preshared_key: controlPresharedKey(secret, gateway),
    endpoint,
    address: `${controlAddress(secret, gateway)}/128`,
    host: `${controlHost(secret)}/128`,
    port: CONTROL_PORT,
  };
}

interface Applied {
  readonly publicKey: string;
  readonly nextPublicKey: string | null;
}

/** Follows the gateways; tells what a running peer has to change, as lines of the userspace API. */
export class ControlPeers {
  readonly #secret: ControlTunnelSecret;
  readonly #applied = new Map<string, Applied>();
  /** Which gateway has a key. Public keys are public: another one that names it as its own must not take the place. */
  readonly #owners = new Map<string, string>();

  constructor(secret: ControlTunnelSecret) {
    this.#secret = secret;
  }

  /** The peer has started anew and knows nobody. */
  reset(): void {
    this.#applied.clear();
    this.#owners.clear();
  }

  /** Lines for this gateway; empty when nothing has changed. A quarantined one stays: it must hear when it is released. */
  change(row: GatewayRow): string[] {
    const known = this.#applied.get(row.id);
    const now = this.#wanted(row);
    if (known?.publicKey === now?.publicKey && known?.nextPublicKey === now?.nextPublicKey) return [];
    for (const key of keysOf(known)) this.#owners.delete(key);
    for (const key of keysOf(now)) this.#owners.set(key, row.id);
    if (!now) {
      this.#applied.delete(row.id);
      return known ? [`public_key=${hex(known.publicKey)}`, 'remove=true'] : [];
    }
    this.#applied.set(row.id, now);
    const next = `next_public_key=${now.nextPublicKey === null ? NO_KEY : hex(now.nextPublicKey)}`;
    if (known?.publicKey === now.publicKey) {
      return [`public_key=${hex(now.publicKey)}`, 'update_only=true', next];
    }
    if (known && known.nextPublicKey === now.publicKey) {
      const promoted = ['update_only=true', 'promote_next_public_key=true'];
      return [
        `public_key=${hex(known.publicKey)}`,
        ...promoted,
        ...(now.nextPublicKey === null ? [] : [next]),
      ];
    }
    return [
      ...(known ? [`public_key=${hex(known.publicKey)}`, 'remove=true'] : []),
      `public_key=${hex(now.publicKey)}`,
      `preshared_key=${hex(controlPresharedKey(this.#secret, row.id))}`,
      'replace_allowed_ips=true',
      `allowed_ip=${controlAddress(this.#secret, row.id)}/128`,
      next,
    ];
  }

  /** What the peer should know of the gateway; undefined: nothing. */
  #wanted(row: GatewayRow): Applied | undefined {
    const { id, state, public_key: publicKey, next_public_key: next } = row;
    const here = state === 'active' || state === 'quarantined';
    if (!here || row.identity_key === null || !this.#isFree(publicKey, id)) return undefined;
    return { publicKey, nextPublicKey: next !== null && this.#isFree(next, id) ? next : null };
  }

  #isFree(key: string, gateway: string): boolean {
    return (this.#owners.get(key) ?? gateway) === gateway;
  }
}

function keysOf(applied: Applied | undefined): string[] {
  if (!applied) return [];
  const { publicKey, nextPublicKey } = applied;
  return nextPublicKey === null ? [publicKey] : [publicKey, nextPublicKey];
}

function hex(key: string): string {
  return bytesToHex(keyFromBase64(key)!);
}

function addressOf(prefix: string, identifier: string): string {
  return formatAddress(new Uint8Array(Buffer.from(prefix + identifier, 'hex')));
}
