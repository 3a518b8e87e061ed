import { Mutator } from './mutator.js';
import { Random } from './random.js';
import type { Target } from './target.js';

export interface CampaignOptions {
  readonly seed: number;
  /** Messages to feed. */
  readonly count: number;
  /** Number of the first message; the others follow. */
  readonly first?: number;
  /** Told the number of the message that comes next. */
  readonly before?: (index: number) => void;
}

export interface CampaignResult {
  /** Messages fed, by target. */
  readonly fed: Readonly<Record<string, number>>;
  /** How far they got, by target. */
  readonly reached: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What stopped a campaign, with all that is needed to see it again. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly target: string;
  readonly index: number;
  readonly bytes: Uint8Array;

  constructor(target: string, seed: number, index: number, bytes: Uint8Array, cause: unknown) {
    const hex = Buffer.from(bytes).toString('hex');
    super(
      `target ${target}, seed ${seed}, message ${index}: ${String(cause)}\nbytes (${bytes.length}): ${hex}`,
      {
        cause,
      },
    );
    this.target = target;
    this.index = index;
    this.bytes = bytes;
  }
}

/** Message number `index` of a campaign depends on the seed and the targets only, not on those before it. */
export class Campaign {
  readonly #targets: readonly Target[];
  readonly #seed: number;
  readonly #random = new Random();
  readonly #mutator = new Mutator(this.#random);
  readonly #weight: number;

  constructor(targets: readonly Target[], seed: number) {
    this.#targets = targets;
    this.#seed = seed;
    this.#weight = targets.reduce((sum, target) => sum + target.weight, 0);
  }

  /** The message, valid until the next call, and whom it is for. */
  message(index: number): { target: Target; bytes: Uint8Array } {
    this.#random.reseed(this.#seed, index);
    let choice = this.#random.below(this.#weight);
    const target = this.#targets.find((candidate) => {
      choice -= candidate.weight;
      return choice < 0;
    })!;
    return { target, bytes: this.#mutator.make(target.samples, target.words) };
  }

  /** Throws a `Failure` at the first message that a target did not stand. */
  run({ count, first = 0, before }: Omit<CampaignOptions, 'seed'>): CampaignResult {
    const fed: Record<string, number> = {};
    for (const { name } of this.#targets) fed[name] = 0;
    for (let index = first; index < first + count; index++) {
      before?.(index);
      const { target, bytes } = this.message(index);
      try {
        target.run(bytes, this.#random);
      } catch (cause) {
        // The target may have written into the message: what is shown is made once more.
        const shown = this.message(index).bytes.slice();
        throw new Failure(target.name, this.#seed, index, shown, cause);
      }
      fed[target.name]++;
    }
    const reached: Record<string, Readonly<Record<string, number>>> = {};
    for (const target of this.#targets) {
      try {
        reached[target.name] = target.finish();
      } catch (cause) {
        throw new Failure(target.name, this.#seed, first + count - 1, new Uint8Array(0), cause);
      }
    }
    return { fed, reached };
  }
}
