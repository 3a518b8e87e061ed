/**
 * Which of the ways to the control plane is taken. The first of the list that works; what fails gives way to the next
 * at once, and only a whole round in vain has to wait. Living on a lesser way, the better ones are tried again after a
 * while, less and less often. Every choice can say why it was made.
 */

import type { Route } from './link.js';

export interface RouteChoiceTiming {
  /** ms on a lesser way before the better ones are tried again; doubles while they fail. */
  readonly firstReturn: number;
  readonly lastReturn: number;
  /** ms; a session that ends sooner after it began counts as a failure of its route. */
  readonly shortLife: number;
}

export const ROUTE_CHOICE_TIMING: RouteChoiceTiming = Object.freeze({
  firstReturn: 600_000,
  lastReturn: 86_400_000,
  shortLife: 45_000,
});

/** Why there is nothing to say. */
export const FIRST_CHOICE = 'the first choice';

export class RouteChoice {
  readonly #timing: RouteChoiceTiming;
  #routes: readonly Route[];
  /** Why each route failed last; undefined for one that has not, or not since it worked. */
  #failures: (string | undefined)[];
  #at = 0;
  #liveSince = Number.POSITIVE_INFINITY;
  #returnAfter: number;

  constructor(routes: readonly Route[], timing: RouteChoiceTiming = ROUTE_CHOICE_TIMING) {
    this.#timing = timing;
    this.#routes = routes;
    this.#failures = new Array(routes.length).fill(undefined);
    this.#returnAfter = timing.firstReturn;
  }

  get routes(): readonly Route[] {
    return this.#routes;
  }

  get route(): Route | undefined {
    return this.#routes[this.#at];
  }

  /** Why this route and none before it; for people. */
  get reason(): string {
    if (this.#at === 0) return FIRST_CHOICE;
    const before = this.#routes.slice(0, this.#at);
    return before
      .map((route, i) => `not ${nameOf(route)}: ${this.#failures[i] ?? 'not tried yet'}`)
      .join('; ');
  }

  /**
   * Other routes; begins with the first, or stays with the present one if that is wanted and it is among them. False
   * when it was wanted and could not be.
   */
  replace(routes: readonly Route[], keep = false): boolean {
    const url = this.route?.url;
    const at = keep ? routes.findIndex((route) => route.url === url) : -1;
    this.#routes = routes;
    this.#failures = new Array(routes.length).fill(undefined);
    this.#at = Math.max(0, at);
    // Better ones that are new are tried at once.
    this.#returnAfter = at > 0 ? 0 : this.#timing.firstReturn;
    if (at < 0) this.#liveSince = Number.POSITIVE_INFINITY;
    return at >= 0 || !keep;
  }

  /** The session stands at `now` (monotonic ms). */
  live(now: number): void {
    this.#liveSince = now;
    this.#failures[this.#at] = undefined;
    if (this.#at === 0) this.#returnAfter = this.#timing.firstReturn;
  }

  /** Monotonic ms at which a better way should be tried; Infinity when this is the best. */
  returnAt(): number {
    return this.#at === 0 ? Number.POSITIVE_INFINITY : this.#liveSince + this.#returnAfter;
  }

  /** It is time to try the better ways again. */
  returnToFirst(): void {
    const { firstReturn, lastReturn } = this.#timing;
    this.#returnAfter = Math.max(firstReturn, Math.min(lastReturn, this.#returnAfter * 2));
    this.#at = 0;
    this.#liveSince = Number.POSITIVE_INFINITY;
  }

  /**
   * The route, or the session over it, failed. True when the next route may be tried at once; false when a round was
   * in vain, or when a session that had lived is lost, and begins again with the first.
   */
  failed(now: number, reason: string): boolean {
    const lived = now - this.#liveSince >= this.#timing.shortLife;
    this.#liveSince = Number.POSITIVE_INFINITY;
    if (lived) {
      this.#at = 0;
      return false;
    }
    this.#failures[this.#at] = reason;
    this.#at = (this.#at + 1) % Math.max(1, this.#routes.length);
    return this.#at !== 0;
  }
}

/** As a person calls it: `websocket`, `websocket in the tunnel`. */
export function nameOf({ kind, tunnel }: Route): string {
  return tunnel === undefined ? kind : `${kind} in the tunnel`;
}
