/** JSON requests to the control plane over plain streams, for hosts that bring no HTTP of their own. */

import type { HttpAnswer, HttpClient, StreamConnector, StreamSocket, Timer } from '../../ports.js';
import { HttpError, HttpResponseReader, readRetryAfter } from './http-response.js';
import { utf8Bytes, utf8Text } from './utf8.js';
import { parseWebAddress, type WebAddress } from './web-address.js';
import { WriteQueue } from './write-queue.js';

/** ms for the whole of it. */
const TIMEOUT = 10_000;
/** Bytes read at a time. */
const READ_BYTES = 2048;

export interface StreamHttpOptions {
  readonly connector: StreamConnector;
  readonly timer: () => Timer;
  /** Whether this address may be reached without TLS. */
  readonly allowsOpen: (url: string) => boolean;
}

export class StreamHttpClient implements HttpClient {
  readonly #options: StreamHttpOptions;

  constructor(options: StreamHttpOptions) {
    this.#options = options;
  }

  post(url: string, body: string, token: string | undefined, done: (answer: HttpAnswer) => void): void {
    const address = parseWebAddress(url);
    const fits = address !== undefined && /^https?:/.test(url);
    if (!fits || !(address.secure || this.#options.allowsOpen(url))) {
      const error = 'the control plane must be https:// unless it is this machine';
      this.#options.timer().schedule(0, () => done({ status: 0, body: '', error, retryAfter: 0 }));
      return;
    }
    new Exchange(address, requestOf(address, utf8Bytes(body), token), this.#options, done);
  }
}

function requestOf({ path, authority }: WebAddress, body: Uint8Array, token: string | undefined): Uint8Array {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: ${authority}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ];
  const head = utf8Bytes(`${lines.join('\r\n')}\r\n\r\n`);
  const request = new Uint8Array(head.length + body.length);
  request.set(head);
  request.set(body, head.length);
  return request;
}

/** One request and its answer. */
class Exchange {
  readonly #done: (answer: HttpAnswer) => void;
  readonly #socket: StreamSocket;
  readonly #timer: Timer;
  readonly #response = new HttpResponseReader();
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #output = new WriteQueue();
  #request: Uint8Array | undefined;
  #over = false;

  constructor(
    address: WebAddress,
    request: Uint8Array,
    { connector, timer }: StreamHttpOptions,
    done: (answer: HttpAnswer) => void,
  ) {
    this.#done = done;
    this.#request = request;
    this.#timer = timer();
    this.#timer.schedule(TIMEOUT, () => this.#fail('no answer in time'));
    this.#socket = connector.connect(address, {
      onReadable: () => this.#read(),
      onWritable: (count) => this.#writable(count),
      onError: (error) => this.#ended(error),
    });
  }

  #writable(count: number): void {
    this.#output.writable(this.#socket, count);
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    this.#output.push(this.#socket, request);
  }

  #read(): void {
    this.#try(() => {
      while (!this.#over && !this.#response.done) {
        const count = this.#socket.read(this.#buffer) ?? 0;
        if (count === 0) return;
        this.#response.push(this.#buffer.subarray(0, count));
      }
      if (!this.#over) this.#answer();
    });
  }

  /** The end of the stream may be the end of the answer. */
  #ended(error: Error): void {
    if (this.#response.status === 0) {
      this.#fail(error.message);
      return;
    }
    this.#try(() => {
      this.#response.end();
      this.#answer();
    });
  }

  #answer(): void {
    const { status, headers, body } = this.#response;
    const text = utf8Text(body);
    if (text === undefined) this.#fail('the answer is no UTF-8');
    else
      this.#finish({
        status,
        body: text,
        error: undefined,
        retryAfter: readRetryAfter(headers.get('retry-after')),
      });
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#fail(error.message);
    }
  }

  #fail(error: string): void {
    this.#finish({ status: 0, body: '', error, retryAfter: 0 });
  }

  #finish(answer: HttpAnswer): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer.cancel();
    this.#socket.close();
    this.#done(answer);
  }
}
