/**
 * The change of the tunnel key (the seed asks for one every 30 days). The gateway makes a new key and offers its
 * public half; when every peer knows it, the server says so and the gateway uses it; a heartbeat acknowledged under
 * the new key makes it final. Until then both keys are kept on flash, and a gateway that gets no acknowledgement
 * uses them in turn: whichever one the rest of the network believes in, its turn comes, also after a power cut at
 * any step and after months offline.
 */

import { keyFromBase64, keyToBase64 } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Clock, Log } from '../ports.js';
import { type DeviceKeys, generate, type KeyPair, pairOf } from './keys.js';
import type { SealedStore } from './sealed-store.js';

const RECORD = 'rotation';

/**
 * - `offered`: the new key is answered to, the old one used.
 * - `switched`: both take turns until an acknowledgement decides.
 * - `confirmed`: the new key is used, the old one answered to for the overlap.
 */
export type RotationPhase = 'none' | 'offered' | 'switched' | 'confirmed';

/** How a rotation ended. */
export type RotationResult = 'switched' | 'rolled-back';

/** What the tunnel should have: the key to initiate with, and one to answer under besides. */
export interface TunnelKeys {
  readonly using: KeyPair;
  readonly beside: KeyPair | undefined;
}

interface Stored {
  readonly rotation: string;
  readonly phase: Exclude<RotationPhase, 'none'>;
  /** base64 of private keys. */
  readonly oldKey: string;
  readonly newKey: string;
  /** Seconds. */
  readonly overlap: number;
  readonly confirmWithin: number;
}

interface Running {
  readonly stored: Stored;
  readonly oldPair: KeyPair;
  readonly newPair: KeyPair;
}

export interface RotationOptions {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly store: SealedStore;
  readonly keys: DeviceKeys;
  readonly log?: Log;
}

export class KeyRotation {
  /** Called when `keys` became others. */
  onChange: (() => void) | undefined;
  readonly #options: RotationOptions;
  #running: Running | undefined;
  /** In `switched`: which key has its turn. */
  #usingNew = false;
  #deadline = Number.POSITIVE_INFINITY;

  /** Takes up what a power cut interrupted. Throws what the store throws. */
  constructor(options: RotationOptions) {
    this.#options = options;
    const stored = readStored(options.store.read(RECORD));
    if (!stored) return;
    const { primitives, keys } = options;
    this.#running = {
      stored,
      oldPair: pairOf(primitives, keyFromBase64(stored.oldKey)!),
      newPair: pairOf(primitives, keyFromBase64(stored.newKey)!),
    };
    // The cut may have come between the decision and the key's own record.
    if (stored.phase === 'confirmed') keys.replaceTunnel(this.#running.newPair);
    this.#enter();
  }

  get phase(): RotationPhase {
    return this.#running?.stored.phase ?? 'none';
  }

  /** Name of the rotation under way. */
  get rotation(): string | undefined {
    return this.#running?.stored.rotation;
  }

  get keys(): TunnelKeys {
    const running = this.#running;
    if (!running) return { using: this.#options.keys.tunnel, beside: undefined };
    const { oldPair, newPair } = running;
    const fresh = running.stored.phase === 'confirmed' || this.#usingNew;
    return fresh ? { using: newPair, beside: oldPair } : { using: oldPair, beside: newPair };
  }

  /** The public key in use, base64; a heartbeat carries it. */
  get usingPublic(): string {
    return keyToBase64(this.keys.using.publicKey);
  }

  /**
   * Begins a rotation, or repeats the answer of one begun already. The new public key (base64), or undefined while
   * an earlier rotation is undecided. `overlap` is seconds. Throws what the store throws, and nothing has changed.
   */
  begin(rotation: string, overlap: number): string | undefined {
    const running = this.#running;
    if (running?.stored.rotation === rotation) {
      return keyToBase64(running.newPair.publicKey);
    }
    if (running?.stored.phase === 'switched') return undefined;
    const { primitives, keys } = this.#options;
    const newPair = generate(primitives);
    const oldPair = keys.tunnel;
    this.#write(
      {
        rotation,
        phase: 'offered',
        oldKey: keyToBase64(oldPair.privateKey),
        newKey: keyToBase64(newPair.privateKey),
        overlap,
        confirmWithin: 0,
      },
      oldPair,
      newPair,
    );
    return keyToBase64(newPair.publicKey);
  }

  /**
   * Uses the new key; `confirmWithin` (seconds) later, without an acknowledgement, the old one again, and so on.
   * False when this is not the rotation under way. Twice is as once.
   */
  switch(rotation: string, confirmWithin: number): boolean {
    const running = this.#running;
    if (running?.stored.rotation !== rotation) return false;
    if (running.stored.phase !== 'offered') return true;
    this.#write({ ...running.stored, phase: 'switched', confirmWithin }, running.oldPair, running.newPair);
    return true;
  }

  /** A heartbeat that named this public key as the one in use was acknowledged. How the rotation ended, if it did. */
  acknowledged(publicKey: string): RotationResult | undefined {
    const running = this.#running;
    // An answer to what was true before the turn changed decides nothing.
    if (running?.stored.phase !== 'switched' || publicKey !== this.usingPublic) return undefined;
    if (!this.#usingNew) {
      this.#end('rolled-back');
      return 'rolled-back';
    }
    this.#write({ ...running.stored, phase: 'confirmed' }, running.oldPair, running.newPair);
    this.#options.keys.replaceTunnel(running.newPair);
    this.#options.log?.write('info', 'key-rotated', { rotation: running.stored.rotation });
    return 'switched';
  }

  /** The server gave the rotation up before it was switched. */
  abandon(rotation: string): void {
    if (this.#running?.stored.rotation === rotation && this.phase === 'offered') this.#end('abandoned');
  }

  /** Monotonic ms. */
  nextDeadline(): number {
    return this.#deadline;
  }

  advance(): void {
    const running = this.#running;
    if (!running || this.#options.clock.monotonic() < this.#deadline) return;
    if (running.stored.phase === 'confirmed') {
      this.#end('overlap over');
      return;
    }
    this.#usingNew = !this.#usingNew;
    this.#deadline = this.#options.clock.monotonic() + running.stored.confirmWithin * 1000;
    this.#options.log?.write('warn', 'key-unconfirmed', { using: this.#usingNew ? 'new' : 'old' });
    this.onChange?.();
  }

  #write(stored: Stored, oldPair: KeyPair, newPair: KeyPair): void {
    this.#options.store.write(RECORD, stored);
    this.#running = { stored, oldPair, newPair };
    this.#enter();
    this.onChange?.();
  }

  /** What follows from the phase, entered now or found at boot. */
  #enter(): void {
    const { phase, overlap, confirmWithin } = (this.#running as Running).stored;
    this.#usingNew = phase !== 'offered';
    const seconds = { offered: Number.POSITIVE_INFINITY, switched: confirmWithin, confirmed: overlap }[phase];
    this.#deadline = this.#options.clock.monotonic() + seconds * 1000;
  }

  #end(how: string): void {
    const rotation = this.rotation;
    this.#options.store.delete(RECORD);
    this.#running = undefined;
    this.#usingNew = false;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#options.log?.write('info', 'rotation-ended', { rotation, how });
    this.onChange?.();
  }
}

/** Undefined when it is none that this version wrote; the tunnel's own key record then stands. */
function readStored(value: unknown): Stored | undefined {
  const stored = value as Stored | undefined;
  if (!stored || typeof stored.oldKey !== 'string' || typeof stored.newKey !== 'string') return undefined;
  return keyFromBase64(stored.oldKey) && keyFromBase64(stored.newKey) ? stored : undefined;
}
