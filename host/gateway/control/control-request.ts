import {
  type ClientRequest,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { readRetryAfter } from '../../../src/control/stream/http-response.js';
import { connectBy, type Dial } from './dial.js';
import { controlTls, type Pins } from './tls.js';

/** ms for a request that is to be answered at once. */
const TIMEOUT = 10_000;

/** Where an exchange failed; `retryAfter` in ms. */
export interface Failure {
  readonly reason: string;
  readonly retryAfter: number;
  readonly unauthorized: boolean;
}

/** Requests of one control link, over as few connections as can be. */
export class ControlRequests {
  readonly #agent: PlainAgent | TlsAgent;
  readonly #tls: ReturnType<typeof controlTls> | Record<string, never>;
  readonly #open = new Set<ClientRequest>();
  #over = false;

  constructor(secure: boolean, pins: Pins, ca: string | undefined, dial: Dial | undefined) {
    const tls = secure ? controlTls(pins, ca) : undefined;
    const createConnection = connectBy(dial, tls);
    const options = { keepAlive: true, maxSockets: 2, timeout: 120_000 };
    this.#agent = secure ? new TlsAgent(options) : new PlainAgent(options);
    if (createConnection) Object.assign(this.#agent, { createConnection });
    this.#tls = tls ?? {};
  }

  /** Calls back once, with a response of status 200 or with why there is none. `wait`: ms it may take besides. */
  send(
    method: 'GET' | 'POST',
    url: string,
    options: {
      readonly token?: string;
      readonly body?: object;
      readonly accept?: string;
      readonly wait?: number;
    },
    done: (response: IncomingMessage | undefined, failure: Failure | undefined) => void,
  ): void {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: Record<string, string | number> = { accept: options.accept ?? 'application/json' };
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
    if (body !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    let ended = false;
    const end = (response: IncomingMessage | undefined, failure?: Partial<Failure>): void => {
      clearTimeout(patience);
      if (ended || this.#over) return;
      ended = true;
      const whole = failure && {
        reason: 'the connection failed',
        retryAfter: 0,
        unauthorized: false,
        ...failure,
      };
      done(response, whole);
    };
    const make = url.startsWith('https:') ? tlsRequest : plainRequest;
    const request = make(url, { ...this.#tls, method, headers, agent: this.#agent }, (response) => {
      const { statusCode = 0 } = response;
      if (statusCode === 200) return end(response);
      response.resume();
      const unauthorized = statusCode === 401 || statusCode === 403;
      const reason = unauthorized
        ? `the token was refused (${statusCode})`
        : `the server answered ${statusCode}`;
      end(undefined, { reason, unauthorized, retryAfter: readRetryAfter(response.headers['retry-after']) });
    });
    const patience = setTimeout(
      () => {
        request.destroy();
        end(undefined, { reason: 'no answer in time' });
      },
      TIMEOUT + (options.wait ?? 0),
    );
    this.#open.add(request);
    request.on('close', () => this.#open.delete(request));
    request.on('error', (error) => end(undefined, { reason: error.message || 'the connection failed' }));
    request.end(body);
  }

  /** Ends all of them; nothing is called back any more. */
  close(): void {
    this.#over = true;
    for (const request of this.#open) request.destroy();
    this.#agent.destroy();
  }
}

/** The JSON object of a response; calls back once with undefined when it is none or has more than `most` bytes. */
export function readJson(
  response: IncomingMessage,
  most: number,
  done: (body: Readonly<Record<string, unknown>> | undefined) => void,
): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  response.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > most) response.destroy();
    else parts.push(part);
  });
  response.on('close', () => {
    try {
      const value: unknown = bytes > most ? undefined : JSON.parse(Buffer.concat(parts).toString('utf8'));
      done(typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined);
    } catch {
      done(undefined);
    }
  });
}
