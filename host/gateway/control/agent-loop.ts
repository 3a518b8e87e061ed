/** Drives a control agent by its deadlines on Node's timers. */

import type { ControlAgent } from '../../../src/control/agent.js';
import type { Log } from '../../../src/ports.js';
import type { NodeClock } from '../clock.js';
import { messageOf } from '../errors.js';

/** Also without a deadline the agent is asked once in a while, ms: events may have brought one. */
const LONGEST_SLEEP = 500;
/** After a failure (a full disk, say) it is tried again so much later, ms. */
const RETRY = 5_000;

export class AgentLoop {
  readonly #agent: ControlAgent;
  readonly #clock: NodeClock;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #failure = '';

  constructor(agent: ControlAgent, clock: NodeClock, log: Log) {
    this.#agent = agent;
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    this.#agent.start();
    this.#turn();
  }

  stop(reason: string): void {
    clearTimeout(this.#timer);
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
      const reason = messageOf(error);
      if (reason !== this.#failure) this.#log.write('error', 'control-failed', { reason });
      this.#failure = reason;
      delay = RETRY;
    }
    this.#timer = setTimeout(() => this.#turn(), delay);
  }
}
