/** Drives a control agent by its deadlines. */

import type { Clock, Log, Timer } from '../ports.js';
import type { ControlAgent } from './agent.js';

/** Also without a deadline the agent is asked once in a while, ms: events may have brought one. */
const LONGEST_SLEEP = 500;
/** After a failure (a full disk, say) it is tried again so much later, ms. */
const RETRY = 5_000;

export class AgentLoop {
  readonly #agent: ControlAgent;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #log: Log;
  #failure = '';

  constructor(agent: ControlAgent, clock: Clock, timer: Timer, log: Log) {
    this.#agent = agent;
    this.#clock = clock;
    this.#timer = timer;
    this.#log = log;
  }

  start(): void {
    this.#agent.start();
    this.#turn();
  }

  stop(reason: string): void {
    this.#timer.cancel();
    this.#agent.stop(reason);
  }

  #turn(): void {
    let delay = LONGEST_SLEEP;
    try {
      if (this.#agent.nextDeadline() <= this.#clock.monotonic()) this.#agent.advance();
      const wait = this.#agent.nextDeadline() - this.#clock.monotonic();
      delay = Math.min(LONGEST_SLEEP, Math.max(1, wait));
      this.#failure = '';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#failure) this.#log.write('error', 'control-failed', { reason });
      this.#failure = reason;
      delay = RETRY;
    }
    this.#timer.schedule(delay, () => this.#turn());
  }
}
