import type { SessionTransport } from './gateway-session.js';
import { MOST_WAITING } from './gateway-session.js';
import { Refusal } from './refusal.js';

export interface Polled {
  readonly messages: readonly string[];
  /** Number of the last of them, or of the last one before. */
  readonly last: number;
}

/** Messages to a gateway that fetches them: each is kept until a later poll says that it has come. */
export class PollingTransport implements SessionTransport {
  readonly kind = 'polling';
  readonly #onEnd: () => void;
  readonly #messages: string[] = [];
  #bytes = 0;
  /** Number of the last message that the gateway has. */
  #acknowledged = 0;
  #waiting: { readonly answer: () => void; readonly timer: NodeJS.Timeout } | undefined;
  #end: string | undefined;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  send(text: string): boolean {
    if (this.#end !== undefined || this.#bytes > MOST_WAITING) return false;
    this.#messages.push(text);
    this.#bytes += text.length;
    this.#answer();
    return true;
  }

  /** What came after the message of this number, at once or within `wait` ms. A second poll answers the first. */
  async poll(after: number, wait: number): Promise<Polled> {
    while (this.#acknowledged < after && this.#messages.length > 0) {
      this.#bytes -= this.#messages.shift()!.length;
      this.#acknowledged++;
    }
    this.#answer();
    if (this.#messages.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#waiting = { answer: resolve, timer: setTimeout(() => this.#answer(), wait) };
      });
    }
    if (this.#messages.length === 0 && this.#end !== undefined) throw new Refusal(410, 'ended', this.#end);
    const messages = [...this.#messages];
    return { messages, last: this.#acknowledged + messages.length };
  }

  close(_code: number, reason: string): void {
    this.#finish(reason);
  }

  terminate(): void {
    this.#finish('the session is over');
  }

  #finish(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#answer();
    this.#onEnd();
  }

  #answer(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) return;
    clearTimeout(waiting.timer);
    waiting.answer();
  }
}
