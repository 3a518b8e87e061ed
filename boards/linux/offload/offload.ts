import type { Keypair, KeypairObserver } from '../../../src/wireguard/keypair.js';
import type { Udp } from '../drivers/udp.js';

/** Bytes of a packet that `read` and `openRun` show: an IPv6 header. */
export const HEADER_BYTES = 40;

/** Buffers that one `receive` can bring; inward.h has the same. */
export const BUFFERS = 8;

/** What `openRun` tells, by place in its array; to-tun.c has the same. */
export const RUN = Object.freeze({
  /** Type of the buffer's next message: `NEXT_NONE`, 1 to 4, or `NEXT_MALFORMED`; for data, its receiver index. */
  nextType: 0,
  nextIndex: 1,
  /** Authentic, new messages, their bytes, and those with something inside. */
  datagrams: 2,
  bytes: 3,
  packets: 4,
  keepalives: 5,
  badTag: 6,
  replayed: 7,
  badPacket: 8,
  delivered: 9,
  /** Length of a packet whose source is to be judged; 0: none. */
  asked: 10,
  /** The greatest counter accepted so far plus one, in two halves. */
  upToLow: 11,
  upToHigh: 12,
  fields: 13,
});
export const NEXT_NONE = 0;
export const NEXT_MALFORMED = 255;

/** Answers to `RUN.asked`. */
export const NOT_ASKED = -1;
export const REFUSED = 0;
export const ACCEPTED = 1;

const COUNTERS = 6;

/** The bytes between TUN and UDP with segmentation offload on both sides; see offload.h. */
export class Offload extends Native('xs_offload_destructor') implements KeypairObserver {
  readonly #counters = new Uint32Array(COUNTERS);

  constructor() {
    super();
    this.#create();
  }

  keypairInstalled(keypair: Keypair): void {
    keypair.slot = this.#addSession(keypair.sendKey, keypair.receiveKey, keypair.remoteIndex);
  }

  keypairErased(keypair: Keypair): void {
    if (keypair.slot < 0) return;
    this.#removeSession(keypair.slot);
    keypair.slot = -1;
  }

  get counters(): Readonly<Record<string, number>> {
    this.#readCounters(this.#counters.buffer);
    const [framesWritten, tunnelDropped, badFrames, sends, sendDropped, sendWaits] = this.#counters;
    return { framesWritten, tunnelDropped, badFrames, sends, sendDropped, sendWaits };
  }

  /** Works on a descriptor of TUN and on sockets that stay their owners'; again after the sockets were bound anew. */
  attach(tun: number, udp: Udp): void {
    native('xs_offload_attach').call(this, tun, udp);
  }

  /** Touches neither any more. Sessions stay. */
  detach(): void {
    native('xs_offload_attach').call(this);
  }

  /** Takes up frames of TUN with one destination: the packets in them, 0 when there are none, or a negative errno. */
  read(header: Uint8Array): number {
    return native('xs_offload_read').call(this, header);
  }

  /** Seals the frames' packets with this counter and the following; bytes of the messages. */
  seal(slot: number, counterLow: number, counterHigh: number, mtu: number, endpoint: Uint8Array): number {
    return native('xs_offload_seal').call(this, slot, counterLow, counterHigh, mtu, endpoint);
  }

  /** Copies one of the frames' packets; its length, 0 when it does not fit. */
  packet(index: number, into: Uint8Array): number {
    return native('xs_offload_packet').call(this, index, into);
  }

  /** Sends what was sealed. */
  flush(): void {
    native('xs_offload_flush').call(this);
  }

  /** Receives buffers; how many. What was delivered before must have been written. */
  receive(): number {
    return native('xs_offload_receive').call(this);
  }

  /** Turns to a buffer. */
  begin(index: number, source: Uint8Array, run: ArrayBufferLike): void {
    native('xs_offload_begin').call(this, index, source, run);
  }

  /** Takes a message that is no data message; its length. */
  take(into: Uint8Array, run: ArrayBufferLike): number {
    return native('xs_offload_take').call(this, into, run);
  }

  /** Opens messages of one session; see to-tun.c. */
  openRun(slot: number, index: number, verdict: number, header: Uint8Array, run: ArrayBufferLike): void {
    native('xs_offload_open_run').call(this, slot, index, verdict, header, run);
  }

  /** Skips data messages with this receiver index; how many. */
  skip(index: number, run: ArrayBufferLike): number {
    return native('xs_offload_skip').call(this, index, run);
  }

  /** Writes what was delivered to TUN. */
  write(): void {
    native('xs_offload_write').call(this);
  }

  /** The errno of the last failed send since this was last asked, 0 for none; its destination goes to `record`. */
  takeFailure(record: Uint8Array): number {
    return native('xs_offload_take_failure').call(this, record);
  }

  #create(): void {
    native('xs_offload_create').call(this);
  }

  #addSession(sendKey: Uint8Array, receiveKey: Uint8Array, remoteIndex: number): number {
    return native('xs_offload_add_session').call(this, sendKey, receiveKey, remoteIndex);
  }

  #removeSession(slot: number): void {
    native('xs_offload_remove_session').call(this, slot);
  }

  #readCounters(counters: ArrayBufferLike): void {
    native('xs_offload_counters').call(this, counters);
  }
}
