/** TCP (RFC 9293): a checked view of a segment inside an IP packet. */

import { addToSum, isSumRight } from './checksum.js';
import { PROTOCOL_TCP } from './ip.js';
import type { Ipv4View } from './ipv4.js';
import type { Ipv6View } from './ipv6.js';

export const TCP_HEADER_BYTES = 20;

/** RFC 9293 section 3.1, control bits. */
export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;

/** RFC 9293 section 3.2, option kinds. */
export const TCP_OPTION_END = 0;
export const TCP_OPTION_NOP = 1;
export const TCP_OPTION_MSS = 2;

const EMPTY = new Uint8Array(0);

/** Points at a segment in somebody else's bytes; the same contract as `Ipv4View`. */
export class TcpView {
  bytes: Uint8Array = EMPTY;
  offset = 0;
  /** Header and payload in bytes. */
  length = 0;
  /** Bytes of header, options included. */
  headerLength = 0;

  /** `length` is what the IP packet holds. False when the header is cut short or contradicts itself. */
  at(bytes: Uint8Array, offset: number, length: number): boolean {
    if (length < TCP_HEADER_BYTES || offset + length > bytes.length) return false;
    const header = (bytes[offset + 12] >>> 4) << 2;
    if (header < TCP_HEADER_BYTES || header > length) return false;
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.headerLength = header;
    return true;
  }

  get sourcePort(): number {
    return (this.bytes[this.offset] << 8) | this.bytes[this.offset + 1];
  }

  get destinationPort(): number {
    return (this.bytes[this.offset + 2] << 8) | this.bytes[this.offset + 3];
  }

  get sequence(): number {
    return this.#uint32(4);
  }

  get acknowledgment(): number {
    return this.#uint32(8);
  }

  /** The eight control bits, CWR and ECE included. */
  get flags(): number {
    return this.bytes[this.offset + 13];
  }

  get window(): number {
    return (this.bytes[this.offset + 14] << 8) | this.bytes[this.offset + 15];
  }

  get checksum(): number {
    return (this.bytes[this.offset + 16] << 8) | this.bytes[this.offset + 17];
  }

  get payloadOffset(): number {
    return this.offset + this.headerLength;
  }

  get payloadLength(): number {
    return this.length - this.headerLength;
  }

  /** Offset of the first option of that kind, -1 when there is none or when an option before it is malformed. */
  optionOffset(kind: number): number {
    const end = this.offset + this.headerLength;
    let at = this.offset + TCP_HEADER_BYTES;
    while (at < end) {
      const found = this.bytes[at];
      if (found === TCP_OPTION_END) return -1;
      if (found === TCP_OPTION_NOP) {
        at++;
        continue;
      }
      // RFC 9293 section 3.1 (MUST-7): an option's length counts kind and length, so less than two is a trap.
      if (at + 2 > end) return -1;
      const size = this.bytes[at + 1];
      if (size < 2 || at + size > end) return -1;
      if (found === kind) return at;
      at += size;
    }
    return -1;
  }

  /** The maximum segment size option in bytes, 0 when absent or malformed (RFC 9293 section 3.7.1). */
  get maximumSegmentSize(): number {
    const at = this.optionOffset(TCP_OPTION_MSS);
    return at < 0 || this.bytes[at + 1] !== 4 ? 0 : (this.bytes[at + 2] << 8) | this.bytes[at + 3];
  }

  checksumRight(ip: Ipv4View | Ipv6View): boolean {
    return isSumRight(
      addToSum(ip.pseudoSum(PROTOCOL_TCP, this.length), this.bytes, this.offset, this.length),
    );
  }

  #uint32(at: number): number {
    const p = this.offset + at;
    const b = this.bytes;
    return ((b[p] << 24) | (b[p + 1] << 16) | (b[p + 2] << 8) | b[p + 3]) >>> 0;
  }
}

Object.freeze(TcpView.prototype);
