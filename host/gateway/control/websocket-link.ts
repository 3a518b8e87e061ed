import { type ClientOptions, WebSocket } from 'ws';
import type { Link, LinkEvents, LinkFactory, Route } from '../../../src/control/link.js';
import { LARGEST_MESSAGE_BYTES } from '../../../src/control/messages.js';
import { mayBeOpen } from '../../../src/control/routes.js';
import { readRetryAfter } from '../../../src/control/stream/http-response.js';
import { connectBy, type Dial } from './dial.js';
import { controlTls, type Pins } from './tls.js';

/** Seed, section 5: `handshake_timeout`, `write_timeout`. ms */
const HANDSHAKE_TIMEOUT = 10_000;
/** More than this waiting to be written, bytes: the other end does not read. */
const MOST_WAITING = 4 * LARGEST_MESSAGE_BYTES;

/** Control messages over WebSocket: TLS 1.3 to anywhere, open only to this very machine, or inside the tunnel. */
export class WebSocketLinks implements LinkFactory {
  readonly #pins: Pins;
  readonly #ca: string | undefined;
  readonly #dial: Dial | undefined;

  constructor(pins: Pins = [], ca?: string, dial?: Dial) {
    this.#pins = pins;
    this.#ca = ca;
    this.#dial = dial;
  }

  open(route: Route, token: string, events: LinkEvents): Link {
    const secure = route.url.startsWith('wss://');
    if (route.kind !== 'websocket' || (!secure && !mayBeOpen(route))) {
      const timer = setTimeout(() => events.closed(`${route.url} is no wss:// address`));
      return { send: () => false, close: () => clearTimeout(timer) };
    }
    const tls = secure ? controlTls(this.#pins, this.#ca) : undefined;
    const createConnection = connectBy(this.#dial, tls);
    const options = { ...tls, ...(createConnection ? { createConnection } : {}) } as ClientOptions;
    return new WebSocketLink(route.url, token, events, options);
  }
}

class WebSocketLink implements Link {
  readonly #socket: WebSocket;
  readonly #events: LinkEvents;
  #over = false;

  constructor(url: string, token: string, events: LinkEvents, tls: ClientOptions) {
    this.#events = events;
    this.#socket = new WebSocket(url, {
      ...tls,
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT,
      maxPayload: LARGEST_MESSAGE_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#socket.on('open', () => {
      if (!this.#over) events.opened();
    });
    this.#socket.on('message', (data, binary) => {
      if (!this.#over && !binary) events.received(data.toString());
    });
    this.#socket.on('unexpected-response', (_, response) => {
      response.resume();
      const { statusCode = 0 } = response;
      if (statusCode === 401 || statusCode === 403)
        this.#end(`the token was refused (${statusCode})`, 0, true);
      else this.#end(`the server answered ${statusCode}`, readRetryAfter(response.headers['retry-after']));
      this.#socket.terminate();
    });
    this.#socket.on('error', (error) => this.#end(error.message || 'the connection failed'));
    this.#socket.on('close', (code, reason) => {
      const said = reason.length > 0 ? `: ${reason.toString().slice(0, 120)}` : '';
      this.#end(`closed with ${code}${said}`);
    });
  }

  send(text: string): boolean {
    if (this.#over || this.#socket.readyState !== WebSocket.OPEN) return false;
    if (this.#socket.bufferedAmount > MOST_WAITING) return false;
    this.#socket.send(text);
    return true;
  }

  close(): void {
    this.#over = true;
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
    else {
      this.#socket.close(1000);
      setTimeout(() => this.#socket.terminate(), 1_000).unref();
    }
  }

  #end(reason: string, retryAfter = 0, unauthorized = false): void {
    if (this.#over) return;
    this.#over = true;
    if (unauthorized) this.#events.unauthorized(reason);
    else this.#events.closed(reason, retryAfter);
  }
}
