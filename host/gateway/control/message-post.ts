import { LARGEST_MESSAGE_BYTES } from '../../../src/control/messages.js';
import { type ControlRequests, type Failure, readJson } from './control-request.js';

/** Messages in one POST, and bytes that may wait. */
const MOST_MESSAGES = 16;
const MOST_WAITING = 2 * LARGEST_MESSAGE_BYTES;

/** Messages up by POST, one request at a time, in order; numbered, so that one that comes twice is known. */
export class MessagePost {
  readonly #requests: ControlRequests;
  readonly #url: string;
  readonly #session: string;
  readonly #failed: (failure: Failure) => void;
  readonly #waiting: string[] = [];
  #bytes = 0;
  #next = 1;
  #busy = false;

  constructor(requests: ControlRequests, url: string, session: string, failed: (failure: Failure) => void) {
    this.#requests = requests;
    this.#url = url;
    this.#session = session;
    this.#failed = failed;
  }

  send(text: string): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > MOST_WAITING) return false;
    this.#waiting.push(text);
    this.#bytes += bytes;
    this.#turn();
    return true;
  }

  #turn(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    this.#busy = true;
    const messages = this.#waiting.splice(0, MOST_MESSAGES);
    for (const text of messages) this.#bytes -= Buffer.byteLength(text);
    const body = { session: this.#session, first: this.#next, messages };
    this.#next += messages.length;
    this.#requests.send('POST', this.#url, { body }, (response, failure) => {
      if (!response) return this.#failed(failure!);
      readJson(response, LARGEST_MESSAGE_BYTES, () => {
        this.#busy = false;
        this.#turn();
      });
    });
  }
}
