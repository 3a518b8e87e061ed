/**
 * Cryptokey routing (paper, section 2): which peer an inner address belongs to. A prefix belongs to one peer;
 * giving it to another moves it.
 */

import type { Peer } from './peer.js';
import { PrefixTree } from './prefix-tree.js';

export interface AllowedIp {
  /** 4 or 16 bytes, host bits zero. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

export class AllowedIps {
  /** Called after each change; for data planes with a copy of the trees. */
  onChange: (() => void) | undefined;
  /** Called when somebody is about to be told that the changes are in force. */
  onSettle: (() => void) | undefined;
  readonly #ipv4 = new PrefixTree(1);
  readonly #ipv6 = new PrefixTree(4);
  readonly #key4 = new Int32Array(1);
  readonly #key6 = new Int32Array(4);
  readonly #peers: (Peer | undefined)[];

  /** `peers` is indexed by `peer.id` and owned by the device. */
  constructor(peers: (Peer | undefined)[]) {
    this.#peers = peers;
  }

  /** The trees, whose values are `peer.id`. */
  get trees(): { readonly ipv4: PrefixTree; readonly ipv6: PrefixTree } {
    return { ipv4: this.#ipv4, ipv6: this.#ipv6 };
  }

  /** Prefixes of both families. */
  get size(): number {
    return this.#ipv4.size + this.#ipv6.size;
  }

  /** Host bits are masked away. The prefix is taken from whichever peer had it. Throws RangeError on a bad length. */
  insert(address: Uint8Array, prefixLength: number, peer: Peer): void {
    const { tree, key } = this.#select(address, prefixLength);
    tree.insert(key, prefixLength, peer.id);
    this.onChange?.();
  }

  /** Removes the prefix if it is this peer's. */
  remove(address: Uint8Array, prefixLength: number, peer: Peer): boolean {
    const { tree, key } = this.#select(address, prefixLength);
    const removed = tree.remove(key, prefixLength, peer.id);
    this.onChange?.();
    return removed;
  }

  removePeer(peer: Peer): void {
    this.#ipv4.removeAll(peer.id);
    this.#ipv6.removeAll(peer.id);
    this.onChange?.();
  }

  /** After this every packet is routed as the changes say, whichever data plane carries it. */
  settle(): void {
    this.onSettle?.();
  }

  entries(peer: Peer): AllowedIp[] {
    const entries: AllowedIp[] = [];
    const add = (key: Int32Array, prefixLength: number): void => {
      entries.push({ address: keyBytes(key), prefixLength });
    };
    this.#ipv4.forEach(peer.id, add);
    this.#ipv6.forEach(peer.id, add);
    return entries;
  }

  /** Peer of the IPv4 address at `offset`, or undefined. */
  lookup4(bytes: Uint8Array, offset: number): Peer | undefined {
    this.#key4[0] = readKey(bytes, offset);
    const id = this.#ipv4.lookup(this.#key4);
    return id < 0 ? undefined : this.#peers[id];
  }

  /** Peer of the IPv6 address at `offset`, or undefined. */
  lookup6(bytes: Uint8Array, offset: number): Peer | undefined {
    for (let i = 0; i < 4; i++) this.#key6[i] = readKey(bytes, offset + i * 4);
    const id = this.#ipv6.lookup(this.#key6);
    return id < 0 ? undefined : this.#peers[id];
  }

  #select(address: Uint8Array, prefixLength: number): { tree: PrefixTree; key: Int32Array } {
    const bits = address.length * 8;
    if ((bits !== 32 && bits !== 128) || !(prefixLength >= 0 && prefixLength <= bits)) {
      throw new RangeError(`no such prefix: ${address.length} bytes /${prefixLength}`);
    }
    const key = bits === 32 ? this.#key4 : this.#key6;
    for (let i = 0; i < key.length; i++) {
      const keep = Math.min(32, Math.max(0, prefixLength - i * 32));
      key[i] = keep === 0 ? 0 : readKey(address, i * 4) & (-1 << (32 - keep));
    }
    return { tree: bits === 32 ? this.#ipv4 : this.#ipv6, key };
  }
}

function readKey(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

function keyBytes(key: Int32Array): Uint8Array {
  const bytes = new Uint8Array(key.length * 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = key[i >>> 2] >>> (24 - (i & 3) * 8);
  return bytes;
}
