import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isLoopback } from '../../../src/control/routes.js';
import { readRetryAfter } from '../../../src/control/stream/http-response.js';
import type { HttpAnswer, HttpClient } from '../../../src/ports.js';
import { connectBy, type Dial } from './dial.js';
import { controlTls, type Pins } from './tls.js';

/** ms for the whole of it. */
const TIMEOUT = 10_000;
const MOST_ANSWER_BYTES = 65_536;

/** One JSON request at a time to the control plane; open HTTP only to this very machine, or inside the tunnel. */
export class NodeHttpClient implements HttpClient {
  readonly #pins: Pins;
  readonly #ca: string | undefined;
  readonly #dial: Dial | undefined;

  constructor(pins: Pins = [], ca?: string, dial?: Dial) {
    this.#pins = pins;
    this.#ca = ca;
    this.#dial = dial;
  }

  post(
    url: string,
    body: string,
    token: string | undefined,
    done: (answer: HttpAnswer) => void,
    inTunnel = false,
  ): void {
    let ended = false;
    const end = (answer: Partial<HttpAnswer>): void => {
      if (ended) return;
      ended = true;
      clearTimeout(patience);
      done({ status: 0, body: '', error: undefined, retryAfter: 0, ...answer });
    };
    const patience = setTimeout(() => {
      request?.destroy();
      end({ error: 'no answer in time' });
    }, TIMEOUT);
    const secure = url.startsWith('https://');
    if (!secure && !inTunnel && !isLoopback(url)) {
      queueMicrotask(() => end({ error: 'the control plane must be https:// unless it is this machine' }));
      return;
    }
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const tls = secure ? controlTls(this.#pins, this.#ca) : undefined;
    const createConnection = connectBy(inTunnel ? undefined : this.#dial, tls);
    const options = {
      method: 'POST',
      headers,
      ...tls,
      ...(createConnection ? { createConnection } : { agent: false }),
    };
    const request = (secure ? tlsRequest : plainRequest)(url, options, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > MOST_ANSWER_BYTES) {
          request.destroy();
          end({ error: 'the answer is too large' });
        } else parts.push(part);
      });
      response.on('end', () => {
        const retryAfter = readRetryAfter(response.headers['retry-after']);
        end({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8'), retryAfter });
      });
      response.on('error', (error) => end({ error: error.message }));
    });
    request.on('error', (error) => end({ error: error.message || 'the connection failed' }));
    request.end(body);
  }
}
