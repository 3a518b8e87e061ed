/**
 * The network as this gateway sees it: a version, its own addresses, and its peers. It moves by deltas, each from
 * one version to the next; whatever does not fit exactly asks for a snapshot instead of guessing. What a message
 * would change is judged as a whole before anything is changed, so a message seen twice, late or torn changes nothing.
 */

import { keyFromBase64 } from '../crypto/key-text.js';
import { type Prefix, parsePrefix, prefixContains } from '../packet/address.js';
import type { RecordValue, Value } from './shape.js';

export interface NetworkPeer {
  readonly id: string;
  /** base64 */
  readonly publicKey: string;
  readonly nextPublicKey: string | undefined;
  readonly presharedKey: string | undefined;
  readonly allowedIps: readonly string[];
  readonly endpoint: string | undefined;
  /** Seconds; undefined: the gateway's default. */
  readonly keepalive: number | undefined;
  /** Hint, outside of the version. */
  online: boolean | undefined;
}

export interface NetworkLimits {
  readonly peers: number;
}

/** What the gateway enrolled in: nothing that the server says later makes it another network. */
export interface NetworkTenant {
  readonly tenant: string;
  readonly tenantCidr: readonly string[];
}

export const NETWORK_LIMITS: NetworkLimits = Object.freeze({ peers: 1024 });

/** What became of a message. `refused` names the lie; `gap` and `epoch` ask for a snapshot. */
export type Outcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'already-known' }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'gap' | 'epoch' }
  | { readonly kind: 'refused'; readonly reason: string };

const APPLIED: Outcome = Object.freeze({ kind: 'applied' });
const KNOWN: Outcome = Object.freeze({ kind: 'already-known' });

interface Assembly {
  readonly epoch: string;
  readonly version: number;
  readonly parts: (RecordValue | undefined)[];
  missing: number;
}

export class NetworkState {
  epoch: string | undefined;
  version = 0;
  address: readonly string[] = [];
  tenantCidr: readonly string[] = [];
  readonly peers = new Map<string, NetworkPeer>();
  readonly #limits: NetworkLimits;
  readonly #tenant: NetworkTenant | undefined;
  #assembly: Assembly | undefined;

  constructor(limits: NetworkLimits = NETWORK_LIMITS, tenant?: NetworkTenant) {
    this.#limits = limits;
    this.#tenant = tenant;
  }

  /** Applies a message of type `snapshot`, `peer-join`, `peer-leave` or `mesh-update`, already checked for shape. */
  apply(type: string, data: RecordValue): Outcome {
    switch (type) {
      case 'snapshot':
        return this.#collect(data);
      case 'peer-join':
        return this.#delta(data, () => this.#join(data.peer as RecordValue));
      case 'peer-leave':
        return this.#delta(data, () => this.#leave(data.id as string));
      case 'mesh-update':
        return this.#hint(data);
      default:
        return refused(`${type} does not concern the network`);
    }
  }

  /** As one snapshot of one part: for storage. */
  toRecord(): RecordValue {
    return {
      epoch: this.epoch ?? '',
      version: this.version,
      part: 0,
      parts: 1,
      address: [...this.address],
      tenant_cidr: [...this.tenantCidr],
      peers: [...this.peers.values()].map(peerRecord),
    };
  }

  #delta(data: RecordValue, change: () => Outcome): Outcome {
    if (data.epoch !== this.epoch) return { kind: 'epoch' };
    const version = data.version as number;
    const base = data.base as number;
    if (version <= this.version) return KNOWN;
    if (base !== this.version || version !== base + 1) return { kind: 'gap' };
    const outcome = change();
    if (outcome.kind === 'applied') this.version = version;
    return outcome;
  }

  #join(record: RecordValue): Outcome {
    const peer = readPeer(record);
    const fault = this.#peerFault(peer, this.tenantCidr, this.peers);
    if (fault !== undefined) return refused(fault);
    this.peers.set(peer.id, peer);
    return APPLIED;
  }

  #leave(id: string): Outcome {
    this.peers.delete(id);
    return APPLIED;
  }

  #hint(data: RecordValue): Outcome {
    if (this.#tenant && data.mesh_id !== this.#tenant.tenant) return refused('it is of another tenant');
    for (const entry of data.peers as RecordValue[]) {
      const peer = this.peers.get(entry.id as string);
      if (peer) peer.online = entry.status === 'online';
    }
    return APPLIED;
  }

  #collect(data: RecordValue): Outcome {
    const epoch = data.epoch as string;
    const version = data.version as number;
    const count = data.parts as number;
    const part = data.part as number;
    if (part >= count) return refused('a snapshot part beyond its count');
    if (epoch === this.epoch && version < this.version) return refused('a snapshot older than what is known');
    const known = this.#assembly;
    if (known?.epoch !== epoch || known.version !== version || known.parts.length !== count) {
      this.#assembly = { epoch, version, parts: new Array(count).fill(undefined), missing: count };
    }
    const assembly = this.#assembly as Assembly;
    if (assembly.parts[part] === undefined) {
      assembly.parts[part] = data;
      assembly.missing--;
    }
    if (assembly.missing > 0) return { kind: 'incomplete' };
    this.#assembly = undefined;
    return this.#replace(assembly);
  }

  #replace(assembly: Assembly): Outcome {
    const parts = assembly.parts as RecordValue[];
    const address = parts.flatMap((part) => (part.address ?? []) as string[]);
    const tenantCidr = parts.flatMap((part) => (part.tenant_cidr ?? []) as string[]);
    const tenant = readPrefixes(tenantCidr);
    if (!tenant) return refused('tenant_cidr is not a list of prefixes');
    const own = this.#tenant && readPrefixes(this.#tenant.tenantCidr);
    if (own && !contains(own, tenant))
      return refused('tenant_cidr is not of the tenant that was enrolled in');
    if (!contains(tenant, readPrefixes(address))) return refused('our address is outside of the tenant');
    const peers = new Map<string, NetworkPeer>();
    for (const part of parts) {
      for (const record of part.peers as RecordValue[]) {
        const peer = readPeer(record);
        const fault = this.#peerFault(peer, tenantCidr, peers);
        if (fault !== undefined) return refused(fault);
        peers.set(peer.id, peer);
      }
    }
    this.epoch = assembly.epoch;
    this.version = assembly.version;
    this.address = address;
    this.tenantCidr = tenantCidr;
    this.peers.clear();
    for (const [id, peer] of peers) this.peers.set(id, peer);
    return APPLIED;
  }

  /** Undefined when the peer is sound: real keys, addresses inside the tenant, no key that another peer has. */
  #peerFault(
    peer: NetworkPeer,
    tenantCidr: readonly string[],
    others: ReadonlyMap<string, NetworkPeer>,
  ): string | undefined {
    if (!others.has(peer.id) && others.size >= this.#limits.peers)
      return `more than ${this.#limits.peers} peers`;
    for (const key of [peer.publicKey, peer.nextPublicKey, peer.presharedKey]) {
      if (key !== undefined && !keyFromBase64(key)) return `peer ${peer.id}: a key is no key`;
    }
    const tenant = readPrefixes(tenantCidr);
    if (!tenant || !contains(tenant, readPrefixes(peer.allowedIps))) {
      return `peer ${peer.id}: addresses outside of the tenant`;
    }
    for (const other of others.values()) {
      if (other.id !== peer.id && other.publicKey === peer.publicKey)
        return `peer ${peer.id}: the key of another peer`;
    }
    return undefined;
  }
}

function refused(reason: string): Outcome {
  return { kind: 'refused', reason };
}

function readPeer(record: RecordValue): NetworkPeer {
  return {
    id: record.id as string,
    publicKey: record.public_key as string,
    nextPublicKey: record.next_public_key as string | undefined,
    presharedKey: record.preshared_key as string | undefined,
    allowedIps: record.allowed_ips as string[],
    endpoint: record.endpoint as string | undefined,
    keepalive: record.keepalive as number | undefined,
    online: record.status === undefined ? undefined : record.status === 'online',
  };
}

function peerRecord(peer: NetworkPeer): Value {
  const record: RecordValue = { id: peer.id, public_key: peer.publicKey, allowed_ips: [...peer.allowedIps] };
  if (peer.nextPublicKey !== undefined) record.next_public_key = peer.nextPublicKey;
  if (peer.presharedKey !== undefined) record.preshared_key = peer.presharedKey;
  if (peer.endpoint !== undefined) record.endpoint = peer.endpoint;
  if (peer.keepalive !== undefined) record.keepalive = peer.keepalive;
  return record;
}

/** Undefined when one of them is no prefix. */
function readPrefixes(texts: readonly string[]): Prefix[] | undefined {
  const prefixes: Prefix[] = [];
  for (const text of texts) {
    const prefix = parsePrefix(text);
    if (!prefix) return undefined;
    prefixes.push(prefix);
  }
  return prefixes;
}

function contains(outer: readonly Prefix[], inner: readonly Prefix[] | undefined): boolean {
  if (!inner) return false;
  return inner.every((prefix) =>
    outer.some((wide) => wide.prefixLength <= prefix.prefixLength && prefixContains(wide, prefix.address)),
  );
}
