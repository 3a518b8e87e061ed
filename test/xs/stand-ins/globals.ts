// biome-ignore-all lint/suspicious/noExplicitAny: a stand-in takes whatever the tests give it
/** Globals that the tests and their libraries look for. There are no timers: whoever needs one fails. */

import { fromBase64, toBase64, toHex } from './text.js';

const world = globalThis as Record<string, unknown>;

world.setTimeout ??= () => {
  throw new Error('this engine has no timers');
};
world.clearTimeout ??= () => {};

/** As much of Node's Buffer as tests use to write and compare bytes. */
class BytesOfTests extends Uint8Array {
  static override from(source: unknown, encoding?: unknown): BytesOfTests {
    if (typeof source !== 'string') return new BytesOfTests(source as ArrayLike<number>);
    switch (encoding) {
      case 'hex':
        return new BytesOfTests((source.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
      case 'ascii':
      case 'latin1':
        return new BytesOfTests(Array.from(source, (character) => character.charCodeAt(0)));
      case 'base64':
        return new BytesOfTests(fromBase64(source));
      case undefined:
      case 'utf8':
        return new BytesOfTests(new TextEncoder().encode(source));
      default:
        throw new Error(`no encoding ${encoding} here`);
    }
  }

  static compare(a: Uint8Array, b: Uint8Array): number {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    return Math.sign(a.length - b.length);
  }

  static concat(parts: readonly Uint8Array[]): BytesOfTests {
    const all = new BytesOfTests(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  override toString(encoding?: string): string {
    switch (encoding) {
      case 'hex':
        return toHex(this);
      case 'base64':
        return toBase64(this);
      case 'ascii':
      case 'latin1':
        return Array.from(this, (byte) => String.fromCharCode(byte)).join('');
      default:
        return new TextDecoder().decode(this);
    }
  }
}

world.Buffer ??= BytesOfTests;

/** ES2023, which the boards' engine has and this older one has not: copies instead of changes. */
function define(prototype: object, name: string, value: (this: any, ...words: any[]) => unknown): void {
  if (!(name in prototype))
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
}

for (const prototype of [Array.prototype, Object.getPrototypeOf(Uint8Array.prototype)]) {
  define(prototype, 'with', function (at: number, value: unknown) {
    const copy = this.slice();
    copy[at < 0 ? copy.length + at : at] = value;
    return copy;
  });
  define(prototype, 'toSorted', function (order?: (a: unknown, b: unknown) => number) {
    return this.slice().sort(order);
  });
  define(prototype, 'toReversed', function () {
    return this.slice().reverse();
  });
}
