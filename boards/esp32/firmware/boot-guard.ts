/**
 * A way out of a boot loop. Crashes in a row are counted in flash; when one configuration crashes the chip again and
 * again, the last one that ran well takes its place, until another configuration is given.
 */

import { equal } from '../../../src/crypto/constant-time.js';
import { HASH_BYTES, type Primitives } from '../../../src/crypto/primitives.js';
import type { Store } from '../../../src/ports.js';

/** Crashes in a row after which a configuration is given up. */
export const CRASH_LIMIT = 3;
/** How long a configuration must run until it counts as good, ms. */
export const GOOD_AFTER = 120_000;

const CURRENT = 'tunnel';
const GOOD = 'tunnel.good';
/** Hash of the configuration that was given up. */
const REJECTED = 'tunnel.bad';
const CRASHES = 'crashes';

export type Choice =
  | { readonly kind: 'current' | 'good'; readonly text: Uint8Array; readonly crashes: number }
  | { readonly kind: 'none' };

export class BootGuard {
  readonly #store: Store;
  readonly #primitives: Primitives;
  #chosen: Uint8Array | undefined;

  constructor(store: Store, primitives: Primitives) {
    this.#store = store;
    this.#primitives = primitives;
  }

  /** Which configuration to run. `crashed`: the last run ended by a crash or a watchdog. */
  choose(crashed: boolean): Choice {
    const current = this.#store.get(CURRENT);
    const good = this.#store.get(GOOD);
    if (current === undefined && good === undefined) return { kind: 'none' };
    const crashes = this.#countCrashes(crashed);
    if (current !== undefined && crashes >= CRASH_LIMIT && good !== undefined && !equal(current, good)) {
      this.reject(current);
    }
    const rejected = current === undefined || this.#isRejected(current);
    const kind = rejected && good !== undefined ? 'good' : 'current';
    const text = kind === 'good' ? good! : current!;
    this.#chosen = text;
    return { kind, text, crashes };
  }

  /** Gives a configuration up: it will not be chosen again while there is a good one. */
  reject(text: Uint8Array): void {
    this.#store.set(REJECTED, this.#hash(text));
    this.#store.set(CRASHES, Uint8Array.of(0));
  }

  /** The chosen configuration has run for GOOD_AFTER. */
  confirm(): void {
    if (this.#crashes() !== 0) this.#store.set(CRASHES, Uint8Array.of(0));
    const good = this.#store.get(GOOD);
    const chosen = this.#chosen;
    if (chosen !== undefined && (good === undefined || !equal(good, chosen))) this.#store.set(GOOD, chosen);
  }

  /** Flash is only written when the count changes. */
  #countCrashes(crashed: boolean): number {
    const before = this.#crashes();
    const now = crashed ? Math.min(before + 1, 255) : 0;
    if (now !== before) this.#store.set(CRASHES, Uint8Array.of(now));
    return now;
  }

  #crashes(): number {
    return this.#store.get(CRASHES)?.[0] ?? 0;
  }

  #isRejected(text: Uint8Array): boolean {
    const rejected = this.#store.get(REJECTED);
    return rejected !== undefined && equal(rejected, this.#hash(text));
  }

  #hash(text: Uint8Array): Uint8Array {
    const hash = new Uint8Array(HASH_BYTES);
    this.#primitives.hash(hash, text);
    return hash;
  }
}
