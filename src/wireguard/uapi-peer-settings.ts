/** The lines of `set=1` that concern one peer, from its `public_key` to the next or to the end. */

import { equal, isZero } from '../crypto/constant-time.js';
import { bytesFromHex } from '../crypto/key-text.js';
import { KEY_BYTES } from '../crypto/primitives.js';
import { parseDecimal, parsePrefix } from '../packet/address.js';
import { parseEndpoint } from '../packet/endpoint-text.js';
import type { Device } from './device.js';
import type { Peer } from './peer.js';
import { UAPI_INVALID, UAPI_NO_SPACE, UAPI_OK } from './uapi-errno.js';
import type { UapiHost } from './uapi-host.js';

export class UapiPeerSettings {
  readonly #device: Device;
  readonly #host: UapiHost;
  /** The peer being changed; undefined for one whose lines are read and ignored. */
  #peer: Peer | undefined;
  #created = false;
  /** Applied at the end of the peer's lines: turning it on sends at once, and the endpoint may come later. */
  #keepalive = -1;

  constructor(device: Device, host: UapiHost) {
    this.#device = device;
    this.#host = host;
  }

  /** Applies a line at once; `public_key` begins another peer. Returns an errno of `uapi-errno.ts`. */
  set(name: string, value: string): number {
    const peer = this.#peer;
    switch (name) {
      case 'public_key':
        return this.#begin(value);
      case 'update_only':
        if (value !== 'true') return UAPI_INVALID;
        if (this.#created) this.#drop();
        return UAPI_OK;
      case 'remove':
        if (value !== 'true') return UAPI_INVALID;
        this.#drop();
        return UAPI_OK;
      case 'preshared_key': {
        const key = bytesFromHex(value, KEY_BYTES);
        if (key === undefined) return UAPI_INVALID;
        if (peer !== undefined) peer.presharedKey = key;
        key.fill(0);
        return UAPI_OK;
      }
      case 'endpoint':
        return this.#setEndpoint(value);
      case 'persistent_keepalive_interval': {
        const seconds = parseDecimal(value, 0xffff);
        if (seconds < 0) return UAPI_INVALID;
        this.#keepalive = seconds;
        return UAPI_OK;
      }
      case 'replace_allowed_ips':
        if (value !== 'true') return UAPI_INVALID;
        if (peer !== undefined) this.#device.allowedIps.removePeer(peer);
        return UAPI_OK;
      case 'allowed_ip':
        return this.#setAllowedIp(value);
      // Two lines of our own, for peers that change their key without losing a session; `wg` writes neither.
      case 'next_public_key':
        return this.#setNextKey(value);
      case 'promote_next_public_key':
        if (value !== 'true') return UAPI_INVALID;
        if (peer !== undefined) this.#device.promoteNextPublicKey(peer);
        return UAPI_OK;
      case 'protocol_version':
        return value === '1' ? UAPI_OK : UAPI_INVALID;
      default:
        return UAPI_INVALID;
    }
  }

  /** No further line concerns the peer. */
  end(): void {
    if (this.#peer !== undefined && this.#keepalive >= 0) this.#peer.persistentKeepalive = this.#keepalive;
    this.#peer = undefined;
    this.#keepalive = -1;
  }

  #begin(value: string): number {
    this.end();
    this.#created = false;
    const key = bytesFromHex(value, KEY_BYTES);
    if (key === undefined) return UAPI_INVALID;
    this.#peer = this.#device.peer(key);
    // A list of peers shared by all its members names the reader too: those lines are read and ignored.
    if (this.#peer !== undefined || this.#isOwnKey(key)) return UAPI_OK;
    try {
      this.#peer = this.#device.addPeer(key);
      this.#created = true;
    } catch {
      return UAPI_NO_SPACE;
    }
    return UAPI_OK;
  }

  #setEndpoint(value: string): number {
    const endpoint = parseEndpoint(value, this.#host.zoneIndex);
    // Names are looked up by `wg` itself; here only addresses arrive.
    if (endpoint.kind !== 'address') return UAPI_INVALID;
    if (this.#peer !== undefined) {
      this.#peer.endpointName = undefined;
      this.#peer.setEndpoint(endpoint.record, 0);
    }
    return UAPI_OK;
  }

  /** A second key that the peer is answered to under; all zeros: none. */
  #setNextKey(value: string): number {
    const key = bytesFromHex(value, KEY_BYTES);
    if (key === undefined) return UAPI_INVALID;
    try {
      if (this.#peer !== undefined) this.#device.setNextPublicKey(this.#peer, isZero(key) ? undefined : key);
    } catch {
      return UAPI_INVALID;
    }
    return UAPI_OK;
  }

  /** `192.0.2.0/24` adds (moving it from another peer), `-192.0.2.0/24` takes away. */
  #setAllowedIp(text: string): number {
    const removal = text.startsWith('-');
    const prefix = parsePrefix(removal ? text.slice(1) : text);
    if (prefix === undefined) return UAPI_INVALID;
    const peer = this.#peer;
    if (peer !== undefined) {
      if (removal) this.#device.allowedIps.remove(prefix.address, prefix.prefixLength, peer);
      else this.#device.allowedIps.insert(prefix.address, prefix.prefixLength, peer);
    }
    return UAPI_OK;
  }

  #drop(): void {
    if (this.#peer !== undefined) this.#device.removePeer(this.#peer);
    this.#peer = undefined;
    this.#keepalive = -1;
  }

  #isOwnKey(key: Uint8Array): boolean {
    const own = this.#device.publicKey;
    return own !== undefined && equal(own, key);
  }
}
