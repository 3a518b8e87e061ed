/**
 * Records that must be what this device wrote: each is stored with a tag under a key derived from the identity key,
 * so that damaged flash, and a record copied from another device, are noticed and treated as absent.
 */

import { equalAt } from '../crypto/constant-time.js';
import { MAC_BYTES, type Primitives } from '../crypto/primitives.js';
import type { Log, Store } from '../ports.js';
import { bytesOfText } from './proof.js';
import { textOfBytes } from './text.js';

const LABEL = 'cloudbridge stored record v1';

export class SealedStore {
  readonly #primitives: Primitives;
  readonly #store: Store;
  readonly #log: Log | undefined;
  readonly #key = new Uint8Array(32);

  constructor(primitives: Primitives, store: Store, identityKey: Uint8Array, log?: Log) {
    this.#primitives = primitives;
    this.#store = store;
    this.#log = log;
    primitives.hmac(this.#key, identityKey, bytesOfText(LABEL));
  }

  /** The record, or undefined when there is none or it is not whole. */
  read(name: string): unknown {
    const stored = this.#store.get(name);
    if (!stored) return undefined;
    const length = stored.length - MAC_BYTES;
    const tag = new Uint8Array(MAC_BYTES);
    if (length >= 0) this.#tag(tag, name, stored.subarray(0, length));
    if (length < 0 || !equalAt(stored, length, tag, 0, MAC_BYTES)) {
      this.#log?.write('error', 'record-damaged', { name });
      return undefined;
    }
    try {
      return JSON.parse(textOfBytes(stored.subarray(0, length)));
    } catch {
      this.#log?.write('error', 'record-damaged', { name });
      return undefined;
    }
  }

  /** Throws what the store throws. */
  write(name: string, value: unknown): void {
    const text = bytesOfJson(value);
    const stored = new Uint8Array(text.length + MAC_BYTES);
    stored.set(text);
    this.#tag(stored.subarray(text.length), name, text);
    this.#store.set(name, stored);
  }

  delete(name: string): void {
    this.#store.delete(name);
  }

  /** The name is part of what is tagged: one record cannot stand in for another. */
  #tag(out: Uint8Array, name: string, bytes: Uint8Array): void {
    const prefix = bytesOfText(`${name}\0`);
    const input = new Uint8Array(prefix.length + bytes.length);
    input.set(prefix);
    input.set(bytes, prefix.length);
    this.#primitives.mac(out, this.#key, input);
  }
}

/** JSON in ASCII: everything else as \u escapes, which are the same in UTF-16 and in code points. */
function bytesOfJson(value: unknown): Uint8Array {
  const text = JSON.stringify(value);
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else for (const unit of utf16Units(code)) pushEscape(bytes, unit);
  }
  return new Uint8Array(bytes);
}

function utf16Units(code: number): number[] {
  if (code < 0x1_0000) return [code];
  return [0xd800 + ((code - 0x1_0000) >>> 10), 0xdc00 + ((code - 0x1_0000) & 0x3ff)];
}

function pushEscape(bytes: number[], unit: number): void {
  const digits = unit.toString(16).padStart(4, '0');
  for (const character of `\\u${digits}`) bytes.push(character.charCodeAt(0));
}
