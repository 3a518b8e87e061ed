/** A checked view of a STUN message (RFC 8489 sections 5 and 14) in somebody else's bytes. */

import {
  ATTRIBUTE_HEADER_BYTES,
  FINGERPRINT,
  MAGIC_COOKIE,
  MESSAGE_INTEGRITY,
  MESSAGE_INTEGRITY_SHA256,
  STUN_HEADER_BYTES,
} from './stun-constants.js';

const EMPTY = new Uint8Array(0);
/** Attributes of one message that are looked at; more make it malformed. The longest TURN answer has 12. */
const MOST_ATTRIBUTES = 32;

export class StunView {
  bytes: Uint8Array = EMPTY;
  offset = 0;
  /** Header and attributes in bytes. */
  length = 0;
  /** Where the value found last by `find` begins, and its length without padding. */
  value = 0;
  valueLength = 0;
  readonly #types = new Uint16Array(MOST_ATTRIBUTES);
  readonly #values = new Uint32Array(MOST_ATTRIBUTES);
  readonly #lengths = new Uint16Array(MOST_ATTRIBUTES);
  #attributes = 0;

  /**
   * Points at a message. False unless all `length` bytes are exactly one well-formed message: two zero bits, the magic
   * cookie, a length that is right, and attributes that lie inside. Nothing more is checked.
   */
  at(bytes: Uint8Array, offset: number, length: number): boolean {
    this.#attributes = 0;
    this.length = 0;
    if (length < STUN_HEADER_BYTES || offset + length > bytes.length) return false;
    if ((bytes[offset] & 0xc0) !== 0 || u32(bytes, offset + 4) !== MAGIC_COOKIE) return false;
    if (((bytes[offset + 2] << 8) | bytes[offset + 3]) !== length - STUN_HEADER_BYTES) return false;
    if ((length & 3) !== 0) return false;
    const end = offset + length;
    let integrity = false;
    for (let at = offset + STUN_HEADER_BYTES; at < end; ) {
      if (this.#attributes === MOST_ATTRIBUTES || end - at < ATTRIBUTE_HEADER_BYTES) return false;
      const type = (bytes[at] << 8) | bytes[at + 1];
      const size = (bytes[at + 2] << 8) | bytes[at + 3];
      const value = at + ATTRIBUTE_HEADER_BYTES;
      at = value + ((size + 3) & ~3);
      if (at > end) return false;
      // RFC 8489 section 14.5: what follows MESSAGE-INTEGRITY is ignored, but for these two.
      if (integrity && type !== MESSAGE_INTEGRITY_SHA256 && type !== FINGERPRINT) continue;
      // RFC 8489 section 14.7: FINGERPRINT is the last attribute.
      if (type === FINGERPRINT && at !== end) return false;
      if (type === MESSAGE_INTEGRITY || type === MESSAGE_INTEGRITY_SHA256) integrity = true;
      this.#types[this.#attributes] = type;
      this.#values[this.#attributes] = value;
      this.#lengths[this.#attributes++] = size;
    }
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    return true;
  }

  /** 0 request, 1 indication, 2 success, 3 error (RFC 8489 section 5, figure 3). */
  get class(): number {
    return ((this.bytes[this.offset] & 1) << 1) | ((this.bytes[this.offset + 1] >>> 4) & 1);
  }

  /** The 12 bits around those of the class. */
  get method(): number {
    const high = this.bytes[this.offset];
    const low = this.bytes[this.offset + 1];
    return ((high & 0x3e) << 6) | ((low & 0xe0) >>> 1) | (low & 0x0f);
  }

  /** Where the 12 bytes of the transaction id begin. */
  get transactionId(): number {
    return this.offset + 8;
  }

  /** Points `value` and `valueLength` at the first attribute of this type (RFC 8489 section 14: later ones are ignored). */
  find(type: number): boolean {
    for (let i = 0; i < this.#attributes; i++) {
      if (this.#types[i] !== type) continue;
      this.value = this.#values[i];
      this.valueLength = this.#lengths[i];
      return true;
    }
    return false;
  }

  /** Whether the attribute is there with exactly `length` bytes. */
  findSized(type: number, length: number): boolean {
    return this.find(type) && this.valueLength === length;
  }

  /** The unsigned number of 32 bits at the value. */
  get valueU32(): number {
    return u32(this.bytes, this.value);
  }

  /** A copy of the value. */
  copyValue(): Uint8Array {
    return this.bytes.slice(this.value, this.value + this.valueLength);
  }

  /**
   * The first attribute that must be understood (RFC 8489 section 14: below 0x8000) and that `known` does not name;
   * -1 when there is none.
   */
  unknownAttribute(known: readonly number[]): number {
    for (let i = 0; i < this.#attributes; i++) {
      if (this.#types[i] < 0x8000 && !known.includes(this.#types[i])) return this.#types[i];
    }
    return -1;
  }
}

Object.freeze(StunView.prototype);

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
