import { beforeAll, it } from 'vitest';

/**
 * Tests that mostly wait, started together: each is a promise made before the first test of the suite, and its own
 * test only looks at the outcome. Scenarios must not share anything that one of them changes.
 */
export class Together {
  readonly #starts: (() => void)[] = [];

  constructor() {
    beforeAll(() => {
      for (const start of this.#starts) start();
    });
  }

  /** `limit` in ms counts from the start of all. */
  it(title: string, limit: number, scenario: () => Promise<void>): void {
    let outcome: Promise<void> | undefined;
    this.#starts.push(() => {
      outcome = scenario();
      // The rejection is the test's to report, later.
      outcome.catch(() => {});
    });
    it(title, () => outcome, limit);
  }
}
