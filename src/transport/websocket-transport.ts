/** Datagrams over WebSocket (RFC 6455) to a relay: for networks that understand nothing else. */

import { base64, NONCE_BYTES, upgradeFault } from '../control/stream/websocket-handshake.js';
import { DatagramFrameReader, frameBytes, PONG, writeMaskedFrame } from './datagram-frames.js';
import { type RelayAccess, type RelayTarget, udpTargetPath } from './relay-access.js';
import { STREAM_LIMITS, type StreamLimits, StreamTransport } from './stream-transport.js';

/** Masks are fetched from the random source in batches. */
const MASKS = 256 * 4;

export class WebSocketTransport extends StreamTransport {
  readonly kind = 'websocket';
  /** Two bytes, two of length, four of mask. */
  readonly overhead = 8;
  readonly #target: () => RelayTarget | undefined;
  readonly #masks = new Uint8Array(MASKS);
  #maskAt = MASKS;
  #key = '';
  #reader: DatagramFrameReader | undefined;

  /** `target` is asked at each opening. */
  constructor(
    access: RelayAccess,
    target: () => RelayTarget | undefined,
    limits: Partial<StreamLimits> = {},
  ) {
    super(`websocket ${access.relay.authority}`, access, { ...STREAM_LIMITS, ...limits });
    this.#target = target;
  }

  protected request(): string[] | undefined {
    const target = this.#target();
    if (!target) return undefined;
    const { path, authority } = this.access.relay;
    const nonce = new Uint8Array(NONCE_BYTES);
    this.access.primitives.random(nonce);
    this.#key = base64(nonce);
    return [
      `GET ${udpTargetPath(path.replace(/\/$/, ''), target)} HTTP/1.1`,
      `Host: ${authority}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Key: ${this.#key}`,
      'Sec-WebSocket-Version: 13',
    ];
  }

  protected fault(headers: ReadonlyMap<string, string>): string | undefined {
    return upgradeFault(headers, this.#key);
  }

  protected begin(): void {
    this.#reader = new DatagramFrameReader(this.mtu, {
      datagram: (bytes, offset, length) => this.events?.received(bytes, offset, length),
      ping: (bytes, offset, length) => this.#pong(bytes, offset, length),
      close: (code) => this.ended(`the relay closed with ${code}`),
    });
  }

  protected frameSize(length: number): number {
    return frameBytes(length);
  }

  protected writeFrame(
    into: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    return writeMaskedFrame(into, at, bytes, offset, length, this.#masks, this.#nextMask());
  }

  protected take(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#reader!.push(bytes, at, end);
  }

  /** Section 5.5.3. */
  #pong(bytes: Uint8Array, offset: number, length: number): void {
    const payload = bytes.slice(offset, offset + length);
    this.writeControl(frameBytes(length), (into, at) =>
      writeMaskedFrame(into, at, payload, 0, length, this.#masks, this.#nextMask(), PONG),
    );
  }

  #nextMask(): number {
    if (this.#maskAt >= MASKS) {
      this.access.primitives.random(this.#masks);
      this.#maskAt = 0;
    }
    this.#maskAt += 4;
    return this.#maskAt - 4;
  }
}
