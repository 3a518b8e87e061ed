/** The peers of one allocation: keeps their permissions and channels (RFC 8656 sections 9 and 12), and sends to them. */

import { CHANNEL_HEADER_BYTES, writeChannelHeader } from './channel-data.js';
import { CHANNEL_LIFETIME, PERMISSION_LIFETIME, type TurnLimits } from './turn-limits.js';
import { type TurnPeer, TurnPeers } from './turn-peers.js';
import type { TurnRequests } from './turn-requests.js';

export type PeerRequest = 'permission' | 'channel';

export interface RelayHandlers {
  /** Sends a CreatePermission or a ChannelBind for this peer. */
  request(kind: PeerRequest, peer: TurnPeer, now: number): void;
  /** Sends the message that `requests` has written. */
  send(now: number): void;
}

export class TurnRelay {
  /** There is an allocation. */
  allocated = false;
  /** Datagrams that could not be relayed: no allocation, no permission yet, too long. */
  dropped = 0;
  readonly #limits: TurnLimits;
  readonly #requests: TurnRequests;
  readonly #handlers: RelayHandlers;
  readonly #peers: TurnPeers;
  /** Bytes that messages to the server are padded to: 4 over a stream, 1 else. */
  readonly #unit: number;

  constructor(limits: TurnLimits, requests: TurnRequests, stream: boolean, handlers: RelayHandlers) {
    this.#limits = limits;
    this.#requests = requests;
    this.#handlers = handlers;
    this.#peers = new TurnPeers(limits.peers);
    this.#unit = stream ? 4 : 1;
  }

  get peers(): TurnPeers {
    return this.#peers;
  }

  get deadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers.list) deadline = Math.min(deadline, peer.refreshAt);
    return deadline;
  }

  /** Asks for all that is wanted: the allocation is new. */
  begin(now: number): void {
    this.allocated = true;
    for (const peer of this.#peers.list) this.#ask(peer, now);
  }

  end(): void {
    this.allocated = false;
    this.#peers.reset();
  }

  permit(record: Uint8Array, at: number, now: number): boolean {
    const peer = this.#peers.add(record, at);
    if (peer === undefined) return false;
    peer.released = false;
    if (peer.permission === 'none' && this.allocated) this.#ask(peer, now);
    return true;
  }

  bind(record: Uint8Array, at: number, now: number): boolean {
    const peer = this.#peers.add(record, at);
    if (peer === undefined) return false;
    peer.released = false;
    peer.wantsChannel = true;
    if (!peer.bound && !peer.binding && this.allocated) this.#ask(peer, now);
    return true;
  }

  release(record: Uint8Array, at: number): void {
    const peer = this.#peers.find(record, at);
    if (peer === undefined) return;
    peer.released = true;
    peer.wantsChannel = false;
    peer.refreshAt = Number.POSITIVE_INFINITY;
    peer.held = undefined;
  }

  // ---- answers ----

  granted(kind: PeerRequest, peer: TurnPeer, now: number): void {
    if (kind === 'channel') peer.bound = true;
    peer.binding = false;
    const endsAt = now + (kind === 'channel' ? CHANNEL_LIFETIME : PERMISSION_LIFETIME);
    this.#peers.granted(peer, now + this.#limits.permissionRefresh, endsAt);
    for (const other of this.#peers.list) this.#flush(other, now);
    if (peer.wantsChannel && kind === 'permission') this.#ask(peer, now);
  }

  refused(kind: PeerRequest, peer: TurnPeer, code: number): void {
    peer.binding = false;
    peer.refusedCode = code;
    if (kind === 'permission') {
      peer.permission = 'refused';
      peer.held = undefined;
    } else peer.bound = peer.wantsChannel = false;
  }

  /** The server did not answer, or could not be asked. */
  unanswered(peer: TurnPeer, now: number): void {
    peer.binding = false;
    if (!peer.released) peer.refreshAt = now + this.#limits.retryFirst;
    if (peer.permission === 'asked') peer.permission = 'none';
  }

  /** Refreshes what is due and forgets what has ended. */
  advance(now: number): void {
    for (const peer of this.#peers.list) {
      if (peer.refreshAt > now) continue;
      peer.refreshAt = Number.POSITIVE_INFINITY;
      this.#ask(peer, now);
    }
    this.#peers.forgetEnded(now);
  }

  // ---- datagrams ----

  send(
    record: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): boolean {
    const peer = this.allocated ? this.#peers.find(record, at) : undefined;
    if (peer === undefined || peer.permission === 'refused' || length > 0xffff) return this.#drop();
    if (peer.permission !== 'granted') {
      if (length > this.#limits.heldBytes) return this.#drop();
      peer.held = bytes.slice(offset, offset + length);
      return true;
    }
    const { writer } = this.#requests;
    if (peer.bound) {
      const size = this.#padded(length);
      if (CHANNEL_HEADER_BYTES + size > writer.bytes.length) return this.#drop();
      writeChannelHeader(writer.bytes, 0, peer.channel, length);
      writer.bytes.set(bytes.subarray(offset, offset + length), CHANNEL_HEADER_BYTES);
      writer.bytes.fill(0, CHANNEL_HEADER_BYTES + length, CHANNEL_HEADER_BYTES + size);
      writer.length = CHANNEL_HEADER_BYTES + size;
    } else if (!this.#requests.sendIndication(record, at, bytes, offset, length)) return this.#drop();
    this.#handlers.send(now);
    return true;
  }

  frame(record: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): number {
    const peer = this.allocated ? this.#peers.find(record, at) : undefined;
    if (peer === undefined || !peer.bound || offset < CHANNEL_HEADER_BYTES) return 0;
    const size = this.#padded(length);
    if (offset + size > bytes.length) return 0;
    writeChannelHeader(bytes, offset - CHANNEL_HEADER_BYTES, peer.channel, length);
    for (let i = length; i < size; i++) bytes[offset + i] = 0;
    return CHANNEL_HEADER_BYTES + size;
  }

  // ---- inside ----

  /** A channel where one is wanted and there are numbers left, else a permission. */
  #ask(peer: TurnPeer, now: number): void {
    if (peer.wantsChannel && this.#peers.giveChannel(peer) === 0) peer.wantsChannel = false;
    if (peer.permission !== 'granted') peer.permission = 'asked';
    peer.binding = peer.wantsChannel;
    this.#handlers.request(peer.wantsChannel ? 'channel' : 'permission', peer, now);
  }

  #flush(peer: TurnPeer, now: number): void {
    const { held } = peer;
    if (held === undefined || peer.permission !== 'granted') return;
    peer.held = undefined;
    this.send(peer.endpoint, 0, held, 0, held.length, now);
  }

  #padded(length: number): number {
    return Math.ceil(length / this.#unit) * this.#unit;
  }

  #drop(): boolean {
    this.dropped++;
    return false;
  }
}
