import type { Store } from '../../../src/ports.js';

/** NVS_KEY_NAME_MAX_SIZE of the IDF, less its zero byte. */
const NAME_LIMIT = 15;

/** What NVS has no room for in a name. */
const SHORT: Readonly<Record<string, string>> = Object.freeze({ 'enrolment.pending': 'enrol.pending' });

/** The chip's non-volatile storage, namespace `cloudbridge`. A value is replaced as a whole or not at all. */
export class FlashStore implements Store {
  get(name: string): Uint8Array | undefined {
    const value = this.#getNative(keyOf(name));
    if (typeof value === 'number') throw new Error(`cannot read "${name}" from flash: error ${value}`);
    return value === undefined ? undefined : new Uint8Array(value);
  }

  set(name: string, value: Uint8Array): void {
    const error = this.#setNative(keyOf(name), value);
    if (error !== 0) throw new Error(`cannot keep "${name}" in flash: error ${error}`);
  }

  delete(name: string): void {
    const error = this.#deleteNative(keyOf(name));
    if (error !== 0) throw new Error(`cannot delete "${name}" from flash: error ${error}`);
  }

  #getNative(name: string): ArrayBuffer | number | undefined {
    return native('xs_store_get').call(this, name);
  }

  #setNative(name: string, value: Uint8Array): number {
    return native('xs_store_set').call(this, name, value);
  }

  #deleteNative(name: string): number {
    return native('xs_store_delete').call(this, name);
  }
}

function keyOf(name: string): string {
  const key = Object.hasOwn(SHORT, name) ? SHORT[name] : name;
  if (!/^[a-z0-9.-]+$/.test(key) || key.length > NAME_LIMIT)
    throw new RangeError(`bad name "${name}" for flash`);
  return key;
}
