/**
 * Brings a WireGuard device in line with the network that the control plane describes: peers by their keys, present
 * and next, their addresses, preshared keys and endpoints, and the gateway's own keys while they change. What did
 * not change is not touched, so its sessions live on; applied twice it changes nothing.
 */

import type { NetworkPeer } from '../control/network-state.js';
import { equal } from '../crypto/constant-time.js';
import { keyFromBase64 } from '../crypto/key-text.js';
import type { TunnelKeys } from '../identity/rotation.js';
import { formatPrefix, type Prefix, parsePrefix } from '../packet/address.js';
import { parseEndpoint } from '../packet/endpoint-text.js';
import type { Log } from '../ports.js';
import type { Device } from '../wireguard/device.js';
import type { Peer } from '../wireguard/peer.js';
import { ToldEndpoint } from './told-endpoint.js';

export interface DesiredNetwork {
  readonly keys: TunnelKeys;
  readonly peers: Iterable<NetworkPeer>;
  /** Seconds, for peers that name none. */
  readonly keepalive: number;
}

interface Applied {
  readonly peer: Peer;
  /** As last told; a peer that has roamed since stays where it is. */
  endpoint: string | undefined;
  readonly told: ToldEndpoint;
}

export class NetworkApplier {
  readonly #device: Device;
  readonly #log: Log | undefined;
  /** By the peer's name in the network. */
  readonly #applied = new Map<string, Applied>();

  constructor(device: Device, log?: Log) {
    this.#device = device;
    this.#log = log;
  }

  /** The device's peer of this name. */
  peer(id: string): Peer | undefined {
    return this.#applied.get(id)?.peer;
  }

  /** Names and peers, as applied last. */
  peers(): [string, Peer][] {
    return Array.from(this.#applied, ([id, { peer }]): [string, Peer] => [id, peer]);
  }

  /** To be called about once a second: looks after endpoints that were told and are not proven. */
  review(): void {
    const now = this.#device.clock.monotonic();
    for (const { told } of this.#applied.values()) told.review(now);
  }

  /** Why this peer is not where the control plane says it is; undefined when it is. */
  reason(peer: Peer): string | undefined {
    for (const applied of this.#applied.values()) if (applied.peer === peer) return applied.told.reason;
    return undefined;
  }

  apply(desired: DesiredNetwork): void {
    applyKeys(this.#device, desired.keys);
    const wanted = new Map<string, NetworkPeer>();
    for (const entry of desired.peers) wanted.set(entry.id, entry);
    this.#removeOthers(wanted);
    const present: [NetworkPeer, Applied][] = [];
    for (const entry of wanted.values()) {
      const applied = this.#ensure(entry);
      if (applied) present.push([entry, applied]);
    }
    // First everything that goes, so that a prefix moving between peers is never without both.
    for (const [entry, { peer }] of present) this.#dropStaleAllowedIps(peer, entry);
    for (const [entry, { peer }] of present) {
      for (const { address, prefixLength } of prefixes(entry)) {
        this.#device.allowedIps.insert(address, prefixLength, peer);
      }
    }
    for (const [entry, applied] of present) this.#applyRest(entry, applied, desired.keepalive);
  }

  #removeOthers(wanted: ReadonlyMap<string, NetworkPeer>): void {
    for (const [id, { peer }] of [...this.#applied]) {
      const entry = wanted.get(id);
      if (entry && this.#device.peer(keyOf(entry.publicKey)) === peer) continue;
      // Also a peer whose key is another one without warning: its sessions end with the old key.
      this.#applied.delete(id);
      this.#device.removePeer(peer);
    }
    const known = new Set([...this.#applied.values()].map(({ peer }) => peer));
    for (const peer of [...this.#device.peers()]) if (!known.has(peer)) this.#device.removePeer(peer);
  }

  /** The peer with the keys the entry names; undefined when the device refuses it. */
  #ensure(entry: NetworkPeer): Applied | undefined {
    const device = this.#device;
    const publicKey = keyOf(entry.publicKey);
    try {
      let applied = this.#applied.get(entry.id);
      if (!applied) {
        const peer = device.addPeer(publicKey);
        applied = { peer, endpoint: undefined, told: new ToldEndpoint(peer) };
        this.#applied.set(entry.id, applied);
      }
      const { peer } = applied;
      if (!equal(peer.publicKey, publicKey)) device.promoteNextPublicKey(peer);
      const next = entry.nextPublicKey === undefined ? undefined : keyOf(entry.nextPublicKey);
      device.setNextPublicKey(peer, next);
      return applied;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#log?.write('warn', 'peer-refused', { peer: entry.id, reason: error.message });
      return this.#applied.get(entry.id);
    }
  }

  #dropStaleAllowedIps(peer: Peer, entry: NetworkPeer): void {
    const kept = new Set(prefixes(entry).map(formatPrefix));
    const { allowedIps } = this.#device;
    for (const prefix of allowedIps.entries(peer)) {
      if (!kept.has(formatPrefix(prefix))) allowedIps.remove(prefix.address, prefix.prefixLength, peer);
    }
  }

  #applyRest(entry: NetworkPeer, applied: Applied, keepalive: number): void {
    const { peer } = applied;
    const preshared = entry.presharedKey === undefined ? undefined : keyOf(entry.presharedKey);
    if (!sameKey(peer.presharedKey, preshared)) peer.presharedKey = preshared;
    if (entry.endpoint !== applied.endpoint) {
      applied.endpoint = entry.endpoint;
      this.#applyEndpoint(applied, entry);
    }
    const seconds = entry.keepalive ?? keepalive;
    if (peer.persistentKeepalive !== seconds) peer.persistentKeepalive = seconds;
  }

  #applyEndpoint({ peer, told }: Applied, entry: NetworkPeer): void {
    const endpoint = entry.endpoint === undefined ? undefined : parseEndpoint(entry.endpoint);
    peer.endpointName = endpoint?.kind === 'name' ? { host: endpoint.host, port: endpoint.port } : undefined;
    if (endpoint?.kind === 'address') told.told(endpoint.record, this.#device.clock.monotonic());
    else told.forget();
    if (endpoint?.kind === 'address') return;
    if (endpoint?.kind === 'name') this.#device.onResolve?.(peer);
    else if (endpoint)
      this.#log?.write('warn', 'endpoint-refused', { peer: entry.id, reason: endpoint.message });
  }
}

/** Puts the keys in place in the order that ends no session. */
function applyKeys(device: Device, { using, beside }: TunnelKeys): void {
  const is = (key: Uint8Array | undefined, wanted: Uint8Array): boolean =>
    key !== undefined && equal(key, wanted);
  if (!is(device.publicKey, using.publicKey)) {
    if (device.publicKey === undefined) device.setPrivateKey(using.privateKey);
    else {
      if (!is(device.otherPublicKey, using.publicKey)) device.addPrivateKey(using.privateKey);
      device.switchKeys();
    }
  }
  if (!beside) device.dropOtherKey();
  else if (!is(device.otherPublicKey, beside.publicKey)) device.addPrivateKey(beside.privateKey);
}

/** Keys and prefixes of a `NetworkState` have been checked. */
function keyOf(text: string): Uint8Array {
  return keyFromBase64(text)!;
}

function prefixes(entry: NetworkPeer): Prefix[] {
  return entry.allowedIps.map((text) => parsePrefix(text)!);
}

function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equal(a, b);
}
