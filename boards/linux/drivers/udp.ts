import type { Batch } from '../../../src/packet/batch.js';
import type { DatagramSocket } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';
import { SystemError } from './system-error.js';

/** IPv4 and IPv6 on one UDP port. Replies leave from the address that was written to. */
export class Udp extends Native('xs_udp_destructor') implements DatagramSocket {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  readonly #edge: Edge;
  #open = false;

  /** Binds `port` (0: any) with a firewall mark (0: none). Throws a {@link SystemError}. */
  constructor(port: number, mark: number, edge: Edge) {
    super();
    this.#edge = edge;
    const result = this.#openNative(port, mark);
    if (result < 0) throw new SystemError(`cannot open UDP port ${port}`, -result);
    this.#open = true;
  }

  get port(): number {
    return this.#open ? this.#portNative() : 0;
  }

  get hasIpv6(): boolean {
    return this.#open && this.#hasIpv6Native();
  }

  /** Datagrams the system did not take. */
  get dropped(): number {
    return this.#droppedNative();
  }

  /** The errno of the last failed send since this was last asked, 0 for none; its destination goes to `record`. */
  takeFailure(record: Uint8Array): number {
    return native('xs_udp_take_failure').call(this, record);
  }

  receiveBatch(into: Batch): number {
    if (!this.#open) return 0;
    const { bytes, offset, length, endpoints, slotSize, capacity } = into;
    into.count = this.#receiveNative(
      bytes,
      offset.buffer,
      length.buffer,
      endpoints,
      slotSize,
      into.start(0),
      capacity,
    );
    return into.count;
  }

  sendBatch(from: Batch): void {
    if (!this.#open) return;
    const { bytes, offset, length, endpoints, slotSize, count } = from;
    this.#sendNative(bytes, offset.buffer, length.buffer, endpoints, slotSize, from.start(0), count);
  }

  /** Moves to another port (0: any). Throws a {@link SystemError} and stays where it is when that is taken. */
  rebind(port: number): void {
    const result = this.#rebindNative(port);
    if (result < 0) throw new SystemError(`cannot open UDP port ${port}`, -result);
  }

  /** Throws a {@link SystemError}. */
  setMark(mark: number): void {
    const result = this.#setMarkNative(mark);
    if (result < 0) throw new SystemError('cannot mark outgoing datagrams', -result);
  }

  close(): void {
    this.#open = false;
    this.#closeNative();
  }

  /** Called by the main loop. */
  wake(_condition: number): void {
    try {
      this.onReadable?.();
    } catch (error) {
      this.#edge.caught('udp', error);
    }
  }

  #openNative(port: number, mark: number): number {
    return native('xs_udp_open').call(this, port, mark);
  }

  #rebindNative(port: number): number {
    return native('xs_udp_rebind').call(this, port);
  }

  #setMarkNative(mark: number): number {
    return native('xs_udp_set_mark').call(this, mark);
  }

  #closeNative(): void {
    native('xs_udp_close').call(this);
  }

  #portNative(): number {
    return native('xs_udp_get_port').call(this);
  }

  #hasIpv6Native(): boolean {
    return native('xs_udp_has_ipv6').call(this);
  }

  #droppedNative(): number {
    return native('xs_udp_get_dropped').call(this);
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
    return native('xs_udp_receive').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
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
    native('xs_udp_send').call(this, bytes, offset, length, endpoints, slotSize, start, entries);
  }
}
