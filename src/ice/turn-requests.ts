/** The requests of a TURN client (RFC 8656), written and signed. */

import type { Digests } from '../crypto/digests.js';
import { endpointFamily, FAMILY_IPV6 } from '../packet/endpoint.js';
import type { LongTermCredentials } from './long-term-credentials.js';
import {
  CHANNEL_NUMBER,
  CLASS_INDICATION,
  CLASS_REQUEST,
  DATA,
  LIFETIME,
  METHOD_ALLOCATE,
  METHOD_BINDING,
  METHOD_CHANNEL_BIND,
  METHOD_CREATE_PERMISSION,
  METHOD_REFRESH,
  METHOD_SEND,
  REQUESTED_ADDRESS_FAMILY,
  REQUESTED_TRANSPORT,
  STUN_FAMILY_IPV6,
  TRANSPORT_UDP,
  XOR_PEER_ADDRESS,
} from './stun-constants.js';
import type { StunTransactions } from './stun-transactions.js';
import { STUN_MESSAGE_BYTES, StunWriter } from './stun-writer.js';
import type { TurnPeer } from './turn-peers.js';

export class TurnRequests {
  /** The message written last. */
  readonly writer: StunWriter;
  readonly #transactions: StunTransactions;

  constructor(digests: Digests, transactions: StunTransactions) {
    this.writer = new StunWriter(digests, STUN_MESSAGE_BYTES);
    this.#transactions = transactions;
  }

  /** RFC 8656 section 7.1. `family` is that of the relayed address, 4 or 6. */
  allocate(family: number, credentials: LongTermCredentials): void {
    this.#begin(METHOD_ALLOCATE);
    this.writer.u32(REQUESTED_TRANSPORT, TRANSPORT_UDP << 24);
    // RFC 8656 section 7.1: without it a server gives IPv4, and one that does not know IPv6 need not know this.
    if (family === FAMILY_IPV6) this.writer.u32(REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6 << 24);
    this.#finish(credentials);
  }

  /** RFC 8656 section 8.1. A lifetime of 0 (seconds) ends the allocation; undefined leaves it to the server. */
  refresh(lifetime: number | undefined, family: number, credentials: LongTermCredentials): void {
    this.#begin(METHOD_REFRESH);
    if (lifetime !== undefined) this.writer.u32(LIFETIME, lifetime);
    if (family === FAMILY_IPV6) this.writer.u32(REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6 << 24);
    this.#finish(credentials);
  }

  /** RFC 8656 section 10.1. */
  createPermission(peer: TurnPeer, credentials: LongTermCredentials): void {
    this.#begin(METHOD_CREATE_PERMISSION);
    this.writer.address(XOR_PEER_ADDRESS, peer.endpoint, 0);
    this.#finish(credentials);
  }

  /** RFC 8656 section 12.1. */
  channelBind(peer: TurnPeer, credentials: LongTermCredentials): void {
    this.#begin(METHOD_CHANNEL_BIND);
    this.writer.u32(CHANNEL_NUMBER, peer.channel * 0x10000);
    this.writer.address(XOR_PEER_ADDRESS, peer.endpoint, 0);
    this.#finish(credentials);
  }

  /** RFC 8656 section 11.1; false when the datagram is too long. */
  sendIndication(
    peer: Uint8Array,
    peerAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    const address = endpointFamily(peer, peerAt) === FAMILY_IPV6 ? 24 : 12;
    if (20 + address + 4 + length + 3 > this.writer.bytes.length) return false;
    this.writer.begin(CLASS_INDICATION, METHOD_SEND, this.#transactions.newId(), 0);
    this.writer.address(XOR_PEER_ADDRESS, peer, peerAt);
    const at = this.writer.reserve(DATA, length);
    for (let i = 0; i < length; i++) this.writer.bytes[at + i] = bytes[offset + i];
    return true;
  }

  /** RFC 8489 section 3: an indication that only keeps the NAT's mapping. */
  keepalive(): void {
    this.writer.begin(CLASS_INDICATION, METHOD_BINDING, this.#transactions.newId(), 0);
    this.writer.fingerprint();
  }

  #begin(method: number): void {
    this.writer.begin(CLASS_REQUEST, method, this.#transactions.newId(), 0);
  }

  #finish(credentials: LongTermCredentials): void {
    credentials.sign(this.writer);
    this.writer.fingerprint();
  }
}
