/** Storage whose power fails at a chosen write, before or after the write took effect. */

import type { Store } from '../../src/ports.js';

export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

/** What survives: the same values serve one start after another. */
export class Flash implements Store {
  readonly values = new Map<string, Uint8Array>();
  /** Writes and deletions so far. */
  operations = 0;
  /** The operation at which the power fails; each cut happens once. */
  cutAt = Number.POSITIVE_INFINITY;
  /** Whether the operation that is cut has taken effect. */
  cutAfter = false;

  get(name: string): Uint8Array | undefined {
    return this.values.get(name);
  }

  set(name: string, value: Uint8Array): void {
    this.#operate(() => this.values.set(name, value.slice()));
  }

  delete(name: string): void {
    this.#operate(() => this.values.delete(name));
  }

  #operate(effect: () => void): void {
    if (this.operations++ !== this.cutAt) {
      effect();
      return;
    }
    if (this.cutAfter) effect();
    throw new PowerCut();
  }
}

/**
 * Runs `life` again and again with the power failing once at each operation it makes, before and after. `life` gets
 * the flash of its case and goes on, through as many starts as it likes, until it is content. The number of cases.
 */
export function walkPowerCuts(life: (flash: Flash) => void): number {
  const whole = new Flash();
  life(whole);
  let cases = 0;
  for (let cutAt = 0; cutAt < whole.operations; cutAt++) {
    for (const cutAfter of [false, true]) {
      const flash = new Flash();
      flash.cutAt = cutAt;
      flash.cutAfter = cutAfter;
      life(flash);
      cases++;
    }
  }
  return cases;
}

/** Runs `attempt` until the power does not fail in it. */
export function untilPowered<T>(attempt: () => T): T {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
  }
}
