/**
 * The control plane as a peer of the tunnel: where it is reached without TLS, once WireGuard carries the session. Every
 * gateway has an address of its own for that, out of one ULA /64 (RFC 4193) that only the control plane's peer routes,
 * so tenants may overlap as they like. The server tells of it at enrolment and in each `welcome`; what is kept serves a
 * start without the control plane.
 */

import { keyFromBase64 } from '../crypto/key-text.js';
import type { SealedStore } from '../identity/sealed-store.js';
import { formatAddress, type Prefix, parsePrefix } from '../packet/address.js';
import { parseEndpoint } from '../packet/endpoint-text.js';
import type { Log } from '../ports.js';
import type { Route } from './link.js';
import { CONTROL_PEER } from './messages.js';
import type { NetworkPeer } from './network-state.js';
import { mismatch, type RecordValue, type Value } from './shape.js';

const RECORD = 'control-peer';
/** What the peer is called among the peers of the tunnel; no gateway has such a name. */
export const CONTROL_PEER_ID = 'control-plane';
/** RFC 4193, section 3.1. */
const ULA = 0xfc;
const ULA_MASK = 0xfe;
/** Bytes of a /64. */
const SUBNET_BYTES = 8;

export class ControlPeer {
  readonly #store: SealedStore;
  readonly #log: Log | undefined;
  #record: RecordValue | undefined;

  /** `enrolled`: what the answer to the claim said. Throws what the store throws. */
  constructor(store: SealedStore, enrolled: unknown, log?: Log) {
    this.#store = store;
    this.#log = log;
    const kept = store.read(RECORD);
    // `null` is kept when the server said that it is no peer any more.
    const candidate = kept === undefined ? enrolled : kept;
    if (candidate !== undefined && candidate !== null && controlPeerFault(candidate) === undefined) {
      this.#record = candidate as RecordValue;
    }
  }

  /** What a `welcome` says; undefined: the control plane is no peer. True when something changed. Throws as the store. */
  take(record: RecordValue | undefined): boolean {
    if (JSON.stringify(record) === JSON.stringify(this.#record)) return false;
    const fault = record === undefined ? undefined : controlPeerFault(record);
    if (fault !== undefined) {
      this.#log?.write('warn', 'control-peer-refused', { reason: fault });
      return false;
    }
    this.#store.write(RECORD, (record ?? null) as Value);
    this.#record = record;
    return true;
  }

  /** Our own address for it, as a /128. */
  get address(): string | undefined {
    return this.#record?.address as string | undefined;
  }

  /** As one of the tunnel's peers. The heartbeat keeps its way open, so it needs no keepalive. */
  get peer(): NetworkPeer | undefined {
    const record = this.#record;
    if (!record) return undefined;
    return {
      id: CONTROL_PEER_ID,
      publicKey: record.public_key as string,
      nextPublicKey: undefined,
      presharedKey: record.preshared_key as string,
      allowedIps: [record.host as string],
      endpoint: record.endpoint as string,
      keepalive: 0,
      online: undefined,
    };
  }

  get route(): Route | undefined {
    const record = this.#record;
    const host = record && parsePrefix(record.host as string);
    if (!record || !host) return undefined;
    const authority = `[${formatAddress(host.address, 0, host.address.length)}]:${record.port as number}`;
    return { kind: 'websocket', url: `ws://${authority}/ws`, tunnel: `http://${authority}` };
  }
}

/** Undefined when the record is sound. */
function controlPeerFault(value: unknown): string | undefined {
  const fault = mismatch(value, CONTROL_PEER);
  if (fault !== undefined) return fault;
  const record = value as RecordValue;
  if (!keyFromBase64(record.public_key as string)) return 'public_key is no key';
  if (!keyFromBase64(record.preshared_key as string)) return 'preshared_key is no key';
  if (parseEndpoint(record.endpoint as string).kind === 'error') return 'endpoint is none';
  const own = parsePrefix(record.address as string);
  const host = parsePrefix(record.host as string);
  if (!own || !host || !isLocalHost(own) || !isLocalHost(host)) return 'not two addresses of fc00::/7';
  for (let i = 0; i < SUBNET_BYTES; i++) {
    if (own.address[i] !== host.address[i]) return 'the addresses are not of one /64';
  }
  return record.address === record.host ? 'the addresses are one' : undefined;
}

function isLocalHost({ address, prefixLength }: Prefix): boolean {
  return address.length === 16 && prefixLength === 128 && (address[0] & ULA_MASK) === ULA;
}
