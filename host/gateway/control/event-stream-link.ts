import type { IncomingMessage } from 'node:http';
import type { Link, LinkEvents, Route } from '../../../src/control/link.js';
import { LARGEST_MESSAGE_BYTES } from '../../../src/control/messages.js';
import { ControlRequests, type Failure } from './control-request.js';
import type { Dial } from './dial.js';
import { MessagePost } from './message-post.js';
import type { Pins } from './tls.js';

/** A line of the stream holds a message and its field's name. */
const LONGEST_LINE = LARGEST_MESSAGE_BYTES + 64;

/** Control messages as server-sent events down (HTML Standard, section 9.2) and by POST up. */
export class EventStreamLink implements Link {
  readonly #requests: ControlRequests;
  readonly #url: string;
  readonly #events: LinkEvents;
  #post: MessagePost | undefined;
  #line = '';
  #event = '';
  #data: string[] = [];
  #over = false;

  constructor(route: Route, token: string, events: LinkEvents, pins: Pins, ca?: string, dial?: Dial) {
    this.#url = route.url;
    this.#events = events;
    this.#requests = new ControlRequests(route.url.startsWith('https:'), pins, ca, dial);
    this.#requests.send('GET', route.url, { token, accept: 'text/event-stream' }, (response, failure) => {
      if (!response) this.#end(failure!);
      else if (!/^text\/event-stream\b/.test(response.headers['content-type'] ?? '')) {
        this.#fail('the answer is no event stream');
      } else this.#read(response);
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

  #read(response: IncomingMessage): void {
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text));
    response.on('error', (error) => this.#fail(error.message));
    response.on('close', () => this.#fail('the event stream ended'));
  }

  #take(text: string): void {
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    if (this.#line.length > LONGEST_LINE) this.#fail('an event that is too long');
    for (const line of lines) if (!this.#over) this.#takeLine(line.replace(/\r$/, ''));
  }

  #takeLine(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') {
      this.#data.push(value);
      const size = this.#data.reduce((sum, one) => sum + one.length, 0);
      if (size > LARGEST_MESSAGE_BYTES) this.#fail('an event that is too long');
    }
  }

  #dispatch(): void {
    const [event, data] = [this.#event, this.#data.join('\n')];
    this.#event = '';
    this.#data = [];
    if (event === 'session' && !this.#post) {
      const url = this.#url.replace(/[^/]*$/, 'messages');
      this.#post = new MessagePost(this.#requests, url, data, (failure) => this.#end(failure));
      this.#events.opened();
    } else if (event === 'end') this.#fail(`the server ended the session: ${reasonIn(data)}`);
    else if (event === '' && data !== '' && this.#post) this.#events.received(data);
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

function reasonIn(data: string): string {
  try {
    return String((JSON.parse(data) as { reason?: unknown }).reason).slice(0, 120);
  } catch {
    return 'it does not say why';
  }
}
