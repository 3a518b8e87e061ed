import type { Prefix } from '../../../src/packet/address.js';
import type { Batch } from '../../../src/packet/batch.js';
import type { PacketDevice } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';

/** As CB_ROUTE_BYTES of lwip/tunnel-routes.h: family, prefix length, two zeros, address (IPv4 in the first four bytes). */
const ROUTE_BYTES = 20;
const ADDRESS = 4;

/**
 * The tunnel as an interface of the chip's lwIP, so that every socket on the chip and every client of its access point
 * can use it. There can be one.
 */
export class LwipTunnel extends Native('xs_tunnel_destructor') implements PacketDevice {
  onReadable: (() => void) | undefined;
  /** Never called: the interface goes only by {@link close}. */
  onClosed: ((reason: string) => void) | undefined;
  readonly #edge: Edge;
  #open = false;

  /** `mtu` in bytes; at most `queue` packets wait for the gateway. Throws an Error when there is no memory. */
  constructor(mtu: number, queue: number, edge: Edge) {
    super();
    this.#edge = edge;
    if (!this.#openNative(mtu, queue)) throw new Error('no memory for the tunnel interface; use fewer peers');
    this.#open = true;
  }

  /** Packets dropped because a queue was full or memory short. */
  get dropped(): number {
    return this.#droppedNative();
  }

  setMtu(mtu: number): void {
    native('xs_tunnel_set_mtu').call(this, mtu);
  }

  /** False when lwIP has no room for it: an interface has one IPv4 address and a few of IPv6. */
  addAddress({ address, prefixLength }: Prefix): boolean {
    return this.#addAddressNative(address, prefixLength);
  }

  /** Replaces the routes to the tunnel. Throws an Error when there is no memory; the old ones stay then. */
  setRoutes(prefixes: readonly Prefix[]): void {
    const records = new Uint8Array(prefixes.length * ROUTE_BYTES);
    for (let i = 0; i < prefixes.length; i++) {
      const { address, prefixLength } = prefixes[i];
      const at = i * ROUTE_BYTES;
      records[at] = address.length === 4 ? 4 : 6;
      records[at + 1] = prefixLength;
      records.set(address, at + ADDRESS);
    }
    if (!this.#setRoutesNative(records)) throw new Error(`no memory for ${prefixes.length} routes`);
  }

  /**
   * From now on packets that enter through an interface of the chip (its key, or '' for the tunnel) and leave by another
   * get that one's address. False when this firmware has no translation or the interface is down.
   */
  translateFrom(key: string): boolean {
    return native('xs_tunnel_translate_from').call(this, key);
  }

  readBatch(into: Batch): number {
    if (!this.#open) return 0;
    const { bytes, offset, length, endpoints, slotSize, capacity } = into;
    const start = into.start(0);
    into.count = this.#readNative(bytes, offset.buffer, length.buffer, endpoints, slotSize, start, capacity);
    return into.count;
  }

  writeBatch(from: Batch): void {
    if (!this.#open) return;
    const { bytes, offset, length, endpoints, slotSize, count } = from;
    this.#writeNative(bytes, offset.buffer, length.buffer, endpoints, slotSize, from.start(0), count);
  }

  close(): void {
    this.#open = false;
    this.#closeNative();
  }

  /** Called by the main loop; see mailbox.h. */
  wake(): void {
    try {
      this.onReadable?.();
    } catch (error) {
      this.#edge.caught('tunnel', error);
    }
  }

  #openNative(mtu: number, queue: number): boolean {
    return native('xs_tunnel_open').call(this, mtu, queue);
  }

  #closeNative(): void {
    native('xs_tunnel_close').call(this);
  }

  #addAddressNative(address: Uint8Array, prefixLength: number): boolean {
    return native('xs_tunnel_add_address').call(this, address, prefixLength);
  }

  #setRoutesNative(records: Uint8Array): boolean {
    return native('xs_tunnel_set_routes').call(this, records);
  }

  #droppedNative(): number {
    return native('xs_tunnel_get_dropped').call(this);
  }

  #readNative(
    bytes: Uint8Array,
    offset: ArrayBufferLike,
    length: ArrayBufferLike,
    endpoints: Uint8Array,
    slotSize: number,
    start: number,
    entries: number,
  ): number {
    return native('xs_tunnel_read').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }

  #writeNative(
    bytes: Uint8Array,
    offset: ArrayBufferLike,
    length: ArrayBufferLike,
    endpoints: Uint8Array,
    slotSize: number,
    start: number,
    entries: number,
  ): void {
    native('xs_tunnel_write').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }
}
