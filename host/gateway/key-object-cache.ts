import type { KeyObject } from 'node:crypto';
import { equal } from '../../src/crypto/constant-time.js';
import { KEY_BYTES } from '../../src/crypto/primitives.js';

/**
 * The few KeyObjects in use right now, found by the key's bytes.
 *
 * Importing a key costs about as much as using it, and a handshake uses its keys two or three times within a
 * millisecond. But whoever erases a key must be able to rely on it: so entries are few, and all of them are
 * dropped `RETENTION_MS` after the first was made, whether or not they are still in use. OpenSSL then clears
 * its copy when the garbage collector frees the object.
 */
export class KeyObjectCache {
  static readonly RETENTION_MS = 1000;

  readonly #import: (key: Uint8Array) => KeyObject;
  readonly #bytes: Uint8Array[] = [];
  readonly #objects: (KeyObject | undefined)[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  /** At most `slots` objects, each made by `importKey` from 32 bytes. */
  constructor(slots: number, importKey: (key: Uint8Array) => KeyObject) {
    this.#import = importKey;
    for (let i = 0; i < slots; i++) {
      this.#bytes.push(new Uint8Array(KEY_BYTES));
      this.#objects.push(undefined);
    }
  }

  /** How many objects are held. */
  get size(): number {
    return this.#objects.filter((object) => object !== undefined).length;
  }

  get(key: Uint8Array): KeyObject {
    for (let slot = 0; slot < this.#objects.length; slot++) {
      const object = this.#objects[slot];
      if (object !== undefined && equal(this.#bytes[slot]!, key)) return object;
    }
    const object = this.#import(key);
    this.#bytes[this.#next]!.set(key);
    this.#objects[this.#next] = object;
    this.#next = (this.#next + 1) % this.#objects.length;
    this.#timer ??= setTimeout(() => this.clear(), KeyObjectCache.RETENTION_MS).unref();
    return object;
  }

  /** Drops every object and erases the bytes it was found by. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#objects.fill(undefined);
    for (const bytes of this.#bytes) bytes.fill(0);
  }
}
