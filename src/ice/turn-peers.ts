/** The peers of one allocation: their permissions and channels (RFC 8656 sections 9 and 12). */

import {
  copyEndpoint,
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  FAMILY_IPV4,
  sameEndpoint,
} from '../packet/endpoint.js';
import { CHANNEL_FIRST, CHANNEL_LAST } from './channel-data.js';

export type PermissionState = 'none' | 'asked' | 'granted' | 'refused';

export class TurnPeer {
  /** Endpoint record. */
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  permission: PermissionState = 'none';
  /** Code of the error that refused it, or 0. */
  refusedCode = 0;
  /** 0 while no number is chosen; usable when `bound`. */
  channel = 0;
  bound = false;
  /** Whether a channel is asked for now. */
  binding = false;
  /** Monotonic ms when permission and channel are to be refreshed, and when they end. */
  refreshAt = Number.POSITIVE_INFINITY;
  endsAt = Number.NEGATIVE_INFINITY;
  /** Nobody wants this peer any more: its permission and channel run out. */
  released = false;
  /** Somebody wants a channel for it. */
  wantsChannel = false;
  /** A datagram that waits for the permission. */
  held: Uint8Array | undefined;
}

export class TurnPeers {
  readonly #peers: TurnPeer[] = [];
  readonly #most: number;
  #nextChannel = CHANNEL_FIRST;

  constructor(most: number) {
    this.#most = most;
  }

  get list(): readonly TurnPeer[] {
    return this.#peers;
  }

  find(record: Uint8Array, at: number): TurnPeer | undefined {
    for (const peer of this.#peers) if (sameEndpoint(peer.endpoint, 0, record, at)) return peer;
    return undefined;
  }

  /** The peer, made when it is new; undefined when there are too many and none can be forgotten. */
  add(record: Uint8Array, at: number): TurnPeer | undefined {
    const known = this.find(record, at);
    if (known !== undefined) return known;
    if (this.#peers.length >= this.#most) {
      // A channel number stays bound to its peer until it ends (RFC 8656 section 12), so such a peer is kept.
      const idle = this.#peers.findIndex((peer) => peer.released && peer.channel === 0);
      if (idle < 0) return undefined;
      this.#peers.splice(idle, 1);
    }
    const peer = new TurnPeer();
    copyEndpoint(peer.endpoint, 0, record, at);
    // Permissions are for addresses, not for ports (RFC 8656 section 9).
    for (const other of this.#peers) {
      if (other.permission === 'granted' && !other.released && sameAddress(other, peer)) {
        peer.permission = 'granted';
        peer.refreshAt = other.refreshAt;
        peer.endsAt = other.endsAt;
        break;
      }
    }
    this.#peers.push(peer);
    return peer;
  }

  /** The peer with this channel; undefined when the server names one that was never bound. */
  byChannel(channel: number): TurnPeer | undefined {
    for (const peer of this.#peers) if (peer.channel === channel) return peer;
    return undefined;
  }

  /** Chooses a number for the peer; 0 when all were given away. */
  giveChannel(peer: TurnPeer): number {
    if (peer.channel === 0 && this.#nextChannel <= CHANNEL_LAST) peer.channel = this.#nextChannel++;
    return peer.channel;
  }

  /** Grants the address of `peer` to all its ports. */
  granted(peer: TurnPeer, refreshAt: number, endsAt: number): void {
    for (const other of this.#peers) {
      if (other !== peer && !sameAddress(other, peer)) continue;
      other.permission = 'granted';
      other.refusedCode = 0;
      other.endsAt = Math.max(other.endsAt, endsAt);
      if (!other.released) other.refreshAt = refreshAt;
    }
  }

  /** Drops those that nobody wants and whose time is over. */
  forgetEnded(now: number): void {
    for (let i = this.#peers.length - 1; i >= 0; i--) {
      if (this.#peers[i].released && this.#peers[i].endsAt <= now) this.#peers.splice(i, 1);
    }
  }

  /** A new allocation knows no permission and no channel; the wanted peers stay. */
  reset(): void {
    this.#nextChannel = CHANNEL_FIRST;
    for (let i = this.#peers.length - 1; i >= 0; i--) {
      const peer = this.#peers[i];
      if (peer.released) this.#peers.splice(i, 1);
      peer.permission = 'none';
      peer.refusedCode = 0;
      peer.channel = 0;
      peer.bound = peer.binding = false;
      peer.refreshAt = Number.POSITIVE_INFINITY;
      peer.endsAt = Number.NEGATIVE_INFINITY;
      peer.held = undefined;
    }
  }
}

function sameAddress(a: TurnPeer, b: TurnPeer): boolean {
  const family = endpointFamily(a.endpoint, 0);
  if (family !== endpointFamily(b.endpoint, 0)) return false;
  const from = endpointAddressOffset(0);
  const size = family === FAMILY_IPV4 ? 4 : 16;
  for (let i = from; i < from + size; i++) if (a.endpoint[i] !== b.endpoint[i]) return false;
  return true;
}
