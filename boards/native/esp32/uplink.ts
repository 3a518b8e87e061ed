import type { Batch } from '../../../src/packet/batch.js';
import type { DatagramSocket } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';

/** lwIP's err_t. */
const ERR_MEM = -1;
const ERR_USE = -8;

/** The tunnel's UDP socket: IPv4 and IPv6 on one port of one interface of the chip, whatever the routes say. */
export class UplinkSocket extends Native('xs_uplink_destructor') implements DatagramSocket {
  onReadable: (() => void) | undefined;
  /** Never called: the socket outlasts every loss of the link. */
  onClosed: ((reason: string) => void) | undefined;
  readonly #edge: Edge;
  #open = false;

  /** `key` names the interface as the IDF does; `port` 0 takes any; at most `queue` datagrams wait. Throws an Error. */
  constructor(key: string, port: number, queue: number, edge: Edge) {
    super();
    this.#edge = edge;
    const error = this.#openNative(key, port, queue);
    if (error !== 0) throw new Error(`cannot open UDP port ${port}: ${explain(error, key)}`);
    this.#open = true;
  }

  get port(): number {
    return this.#open ? this.#portNative() : 0;
  }

  /** Datagrams that lwIP did not send, or that nobody took in time. */
  get dropped(): number {
    return this.#droppedNative();
  }

  receiveBatch(into: Batch): number {
    if (!this.#open) return 0;
    const { bytes, offset, length, endpoints, slotSize, capacity } = into;
    const start = into.start(0);
    into.count = this.#receiveNative(
      bytes,
      offset.buffer,
      length.buffer,
      endpoints,
      slotSize,
      start,
      capacity,
    );
    return into.count;
  }

  sendBatch(from: Batch): void {
    if (!this.#open) return;
    const { bytes, offset, length, endpoints, slotSize, count } = from;
    this.#sendNative(bytes, offset.buffer, length.buffer, endpoints, slotSize, from.start(0), count);
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
      this.#edge.caught('udp', error);
    }
  }

  #openNative(key: string, port: number, queue: number): number {
    return native('xs_uplink_open').call(this, key, port, queue);
  }

  #closeNative(): void {
    native('xs_uplink_close').call(this);
  }

  #portNative(): number {
    return native('xs_uplink_get_port').call(this);
  }

  #droppedNative(): number {
    return native('xs_uplink_get_dropped').call(this);
  }

  #receiveNative(
    bytes: Uint8Array,
    offset: ArrayBufferLike,
    length: ArrayBufferLike,
    endpoints: Uint8Array,
    slotSize: number,
    start: number,
    entries: number,
  ): number {
    return native('xs_uplink_receive').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }

  #sendNative(
    bytes: Uint8Array,
    offset: ArrayBufferLike,
    length: ArrayBufferLike,
    endpoints: Uint8Array,
    slotSize: number,
    start: number,
    entries: number,
  ): void {
    native('xs_uplink_send').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }
}

function explain(error: number, key: string): string {
  switch (error) {
    case ERR_MEM:
      return 'no memory';
    case ERR_USE:
      return 'it is in use on this chip; choose another ListenPort';
    default:
      return `the interface ${key} is not there yet (lwIP error ${error})`;
  }
}
