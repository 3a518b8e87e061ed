/** The peers of a device: by number, by each of their public keys, and by the inner addresses that are theirs. */

import { keyToBase64 } from '../crypto/key-text.js';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, ipVersion } from '../packet/ip.js';
import { AllowedIps } from './allowedips.js';
import type { DeviceContext } from './context.js';
import { Peer } from './peer.js';
import type { RemoteStatic } from './statics.js';

// Where the addresses lie: RFC 791 section 3.1, RFC 8200 section 3.
const IPV4_SOURCE = 12;
const IPV4_DESTINATION = 16;
const IPV6_SOURCE = 8;
const IPV6_DESTINATION = 24;

export class PeerTable {
  readonly allowedIps: AllowedIps;
  readonly #context: DeviceContext;
  readonly #ownsKey: (name: string) => boolean;
  readonly #byId: (Peer | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** By every key that peers may use: one each, two while one changes. */
  readonly #remotes = new Map<string, RemoteStatic>();
  #count = 0;

  /** `ownsKey` tells whether a key (base64) is one of the device's own. */
  constructor(context: DeviceContext, ownsKey: (name: string) => boolean) {
    this.#context = context;
    this.#ownsKey = ownsKey;
    this.allowedIps = new AllowedIps(this.#byId);
  }

  get count(): number {
    return this.#count;
  }

  all(): Peer[] {
    const peers: Peer[] = [];
    for (const remote of this.#remotes.values()) {
      if (remote === remote.peer.statics.current) peers.push(remote.peer);
    }
    return peers;
  }

  /** The peer's key with what is remembered about it, be it its present or its next one. */
  find(publicKey: Uint8Array): RemoteStatic | undefined {
    return this.#remotes.get(keyToBase64(publicKey));
  }

  add(publicKey: Uint8Array): Peer {
    const name = keyToBase64(publicKey);
    const known = this.#remotes.get(name);
    if (known) return known.peer;
    this.#refuseOwnKey(name);
    const { maxPeers } = this.#context.limits;
    if (this.#count >= maxPeers) throw new RangeError(`no more than ${maxPeers} peers (limit maxPeers)`);
    const id = this.#freeIds.pop() ?? this.#byId.length;
    const peer = new Peer(this.#context, id, publicKey);
    this.#byId[id] = peer;
    this.#remotes.set(name, peer.statics.current);
    this.#count++;
    return peer;
  }

  remove(peer: Peer): void {
    if (this.#byId[peer.id] !== peer) return;
    this.allowedIps.removePeer(peer);
    peer.close();
    this.#byId[peer.id] = undefined;
    this.#freeIds.push(peer.id);
    this.#count--;
    this.#remotes.delete(keyToBase64(peer.publicKey));
    if (peer.nextPublicKey) this.#remotes.delete(keyToBase64(peer.nextPublicKey));
  }

  setNextPublicKey(peer: Peer, publicKey: Uint8Array | undefined): void {
    const name = publicKey && keyToBase64(publicKey);
    const owner = name === undefined ? undefined : this.#remotes.get(name);
    if (owner?.peer === peer) return;
    if (owner) throw new RangeError('this key is another peer’s');
    if (name !== undefined) this.#refuseOwnKey(name);
    if (peer.nextPublicKey) this.#remotes.delete(keyToBase64(peer.nextPublicKey));
    const next = peer.statics.setNext(publicKey);
    if (next && name !== undefined) this.#remotes.set(name, next);
  }

  promoteNextPublicKey(peer: Peer): void {
    if (!peer.nextPublicKey) return;
    this.#remotes.delete(keyToBase64(peer.publicKey));
    peer.statics.promoteNext();
  }

  /** Peer whose AllowedIPs hold the packet's destination. */
  routeDestination(packet: Uint8Array, offset: number, length: number): Peer | undefined {
    return this.#route(packet, offset, length, IPV4_DESTINATION, IPV6_DESTINATION);
  }

  routeSource(packet: Uint8Array, offset: number, length: number): Peer | undefined {
    return this.#route(packet, offset, length, IPV4_SOURCE, IPV6_SOURCE);
  }

  #route(packet: Uint8Array, offset: number, length: number, at4: number, at6: number): Peer | undefined {
    const version = ipVersion(packet, offset, length);
    if (version === 4 && length >= IPV4_HEADER_BYTES) return this.allowedIps.lookup4(packet, offset + at4);
    if (version === 6 && length >= IPV6_HEADER_BYTES) return this.allowedIps.lookup6(packet, offset + at6);
    return undefined;
  }

  #refuseOwnKey(name: string): void {
    if (this.#ownsKey(name)) throw new RangeError('a peer cannot have the interface’s own public key');
  }
}
