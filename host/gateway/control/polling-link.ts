import type { Link, LinkEvents, Route } from '../../../src/control/link.js';
import { LARGEST_MESSAGE_BYTES } from '../../../src/control/messages.js';
import { ControlRequests, type Failure, readJson } from './control-request.js';
import type { Dial } from './dial.js';
import { MessagePost } from './message-post.js';
import type { Pins } from './tls.js';

/** Seconds that the server may hold a poll while it has nothing; proxies cut at a minute. */
const WAIT = 50;
/** Of an answer: what may wait for us at the server, escaped as JSON. */
const MOST_ANSWER_BYTES = 16 * LARGEST_MESSAGE_BYTES;

/** Control messages by polling: the last resort, for networks that let nothing through but short requests. */
export class PollingLink implements Link {
  readonly #requests: ControlRequests;
  readonly #base: string;
  readonly #events: LinkEvents;
  #post: MessagePost | undefined;
  #session = '';
  /** Number of the last message that came. */
  #last = 0;
  #over = false;

  constructor(route: Route, token: string, events: LinkEvents, pins: Pins, ca?: string, dial?: Dial) {
    this.#base = route.url.replace(/[^/]*$/, '');
    this.#events = events;
    this.#requests = new ControlRequests(route.url.startsWith('https:'), pins, ca, dial);
    this.#ask(route.url, { token, body: {} }, ({ session }) => {
      if (typeof session !== 'string') return this.#fail('the answer makes no sense');
      this.#session = session;
      const fail = (failure: Failure): void => this.#end(failure);
      this.#post = new MessagePost(this.#requests, `${this.#base}messages`, session, fail);
      events.opened();
      this.#poll();
    });
  }

  send(text: string): boolean {
    return !this.#over && (this.#post?.send(text) ?? false);
  }

  close(): void {
    this.#over = true;
    // What was said last, a `bye` perhaps, is already on its way.
    setTimeout(() => this.#requests.close(), 200).unref();
  }

  #poll(): void {
    if (this.#over) return;
    const body = { session: this.#session, after: this.#last, wait: WAIT };
    this.#ask(`${this.#base}poll`, { body, wait: WAIT * 1000 }, ({ messages, last }) => {
      if (!Array.isArray(messages) || !Number.isSafeInteger(last))
        return this.#fail('the answer makes no sense');
      this.#last = last as number;
      for (const text of messages) {
        if (!this.#over && typeof text === 'string') this.#events.received(text);
      }
      this.#poll();
    });
  }

  #ask(
    url: string,
    options: { readonly token?: string; readonly body: object; readonly wait?: number },
    good: (body: Readonly<Record<string, unknown>>) => void,
  ): void {
    this.#requests.send('POST', url, options, (response, failure) => {
      if (!response) return this.#end(failure!);
      readJson(response, MOST_ANSWER_BYTES, (body) => {
        if (this.#over) return;
        if (body) good(body);
        else this.#fail('the answer is not JSON');
      });
    });
  }

  #fail(reason: string): void {
    this.#end({ reason, retryAfter: 0, unauthorized: false });
  }

  #end({ reason, retryAfter, unauthorized }: Failure): void {
    if (this.#over) return;
    this.#over = true;
    this.#requests.close();
    if (unauthorized) this.#events.unauthorized(reason);
    else this.#events.closed(reason, retryAfter);
  }
}
