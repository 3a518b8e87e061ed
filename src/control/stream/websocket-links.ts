/** Control messages over WebSocket on plain streams, for hosts that bring no WebSocket of their own. */

import type { Primitives } from '../../crypto/primitives.js';
import type { StreamConnector, StreamSocket, Timer } from '../../ports.js';
import type { Link, LinkEvents, LinkFactory, Route } from '../link.js';
import { LARGEST_MESSAGE_BYTES } from '../messages.js';
import { mayBeOpen } from '../routes.js';
import { HttpError, HttpResponseReader, readRetryAfter } from './http-response.js';
import { utf8Bytes } from './utf8.js';
import { parseWebAddress, type WebAddress } from './web-address.js';
import {
  CLOSE,
  closePayload,
  FrameError,
  FrameReader,
  MASK_BYTES,
  OPCODE,
  writeFrame,
} from './websocket-frames.js';
import { base64, NONCE_BYTES, upgradeFault, upgradeRequest } from './websocket-handshake.js';
import { WriteQueue } from './write-queue.js';

/** Seed, section 5: `handshake_timeout`. ms */
const HANDSHAKE_TIMEOUT = 10_000;
/** How long the other end may take to answer a close frame, ms. */
const CLOSE_PATIENCE = 1_000;
/** More than this waiting to be written, bytes: the other end does not read. */
const MOST_WAITING = 4 * LARGEST_MESSAGE_BYTES;
/** Bytes read at a time. */
const READ_BYTES = 2048;

export interface WebSocketLinksOptions {
  readonly connector: StreamConnector;
  readonly primitives: Primitives;
  readonly timer: () => Timer;
  /** Bytes of the largest message that is taken. */
  readonly mostBytes?: number;
}

export class WebSocketLinks implements LinkFactory {
  readonly #options: WebSocketLinksOptions;

  constructor(options: WebSocketLinksOptions) {
    this.#options = options;
  }

  open(route: Route, token: string, events: LinkEvents): Link {
    const { url } = route;
    const address = parseWebAddress(url);
    const fits = route.kind === 'websocket' && /^wss?:/.test(url);
    if (address === undefined || !fits || !(address.secure || mayBeOpen(route))) {
      return refusedLink(this.#options.timer(), events, `${url} is no wss:// address`);
    }
    return new WebSocketLink(address, token, events, this.#options);
  }
}

/** A link that closes by itself, a turn later. */
export function refusedLink(timer: Timer, events: LinkEvents, reason: string): Link {
  timer.schedule(0, () => events.closed(reason));
  return { send: () => false, close: () => timer.cancel() };
}

class WebSocketLink implements Link {
  readonly #options: WebSocketLinksOptions;
  readonly #events: LinkEvents;
  readonly #socket: StreamSocket;
  readonly #timer: Timer;
  readonly #key: string;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #mask = new Uint8Array(MASK_BYTES);
  readonly #output = new WriteQueue();
  readonly #frames: FrameReader;
  #response: HttpResponseReader | undefined = new HttpResponseReader();
  #request: Uint8Array | undefined;
  /** `closing`: our close frame is out; only the other one's is waited for. */
  #state: 'opening' | 'open' | 'closing' | 'over' = 'opening';

  constructor(address: WebAddress, token: string, events: LinkEvents, options: WebSocketLinksOptions) {
    this.#options = options;
    this.#events = events;
    const nonce = new Uint8Array(NONCE_BYTES);
    options.primitives.random(nonce);
    this.#key = base64(nonce);
    this.#request = upgradeRequest(address, this.#key, token);
    this.#frames = new FrameReader(options.mostBytes ?? LARGEST_MESSAGE_BYTES, {
      text: (text) => {
        if (this.#state === 'open') events.received(text);
      },
      ping: (payload) => this.#write(OPCODE.pong, payload),
      close: (code, reason) => this.#closedByServer(code, reason),
    });
    this.#timer = options.timer();
    this.#timer.schedule(HANDSHAKE_TIMEOUT, () => this.#end('no WebSocket in time'));
    this.#socket = options.connector.connect(address, {
      onReadable: () => this.#read(),
      onWritable: (count) => this.#writable(count),
      onError: (error) => this.#end(error.message),
    });
  }

  send(text: string): boolean {
    if (this.#state !== 'open' || this.#output.bytes > MOST_WAITING) return false;
    this.#write(OPCODE.text, utf8Bytes(text));
    return true;
  }

  close(): void {
    if (this.#state === 'closing' || this.#state === 'over') return;
    if (this.#state === 'open') this.#beginClose(CLOSE.normal);
    else this.#finish();
  }

  #writable(count: number): void {
    this.#output.writable(this.#socket, count);
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    this.#output.push(this.#socket, request);
  }

  #read(): void {
    try {
      while (this.#state !== 'over') {
        const count = this.#socket.read(this.#buffer) ?? 0;
        if (count === 0) return;
        const bytes = this.#buffer.subarray(0, count);
        const used = this.#response === undefined ? 0 : this.#readResponse(this.#response, bytes);
        if (this.#response === undefined && used < count) this.#frames.push(bytes.subarray(used));
      }
    } catch (error) {
      if (error instanceof FrameError) this.#fault(error);
      else if (error instanceof HttpError) this.#end(error.message);
      else throw error;
    }
  }

  /** How many of the bytes belong to the response. */
  #readResponse(response: HttpResponseReader, bytes: Uint8Array): number {
    const used = response.push(bytes);
    // What a refusal says besides is not waited for.
    if (response.headEnded) this.#judge(response.status, response.headers);
    return used;
  }

  #judge(status: number, headers: ReadonlyMap<string, string>): void {
    if (status === 401 || status === 403) {
      this.#end(`the token was refused (${status})`, 0, true);
      return;
    }
    const fault = status === 101 ? upgradeFault(headers, this.#key) : `the server answered ${status}`;
    if (fault !== undefined) {
      this.#end(fault, readRetryAfter(headers.get('retry-after')));
      return;
    }
    this.#response = undefined;
    this.#timer.cancel();
    this.#state = 'open';
    this.#events.opened();
  }

  #write(opcode: number, payload: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#options.primitives.random(this.#mask);
    this.#output.push(this.#socket, writeFrame(opcode, payload, this.#mask));
  }

  #fault({ code, message }: FrameError): void {
    if (this.#state === 'closing') {
      this.#finish();
      return;
    }
    this.#beginClose(code);
    this.#events.closed(`the server’s WebSocket is wrong: ${message}`);
  }

  /** RFC 6455 section 7.1: answered, then over. */
  #closedByServer(code: number, reason: string): void {
    if (this.#state === 'closing') {
      this.#finish();
      return;
    }
    this.#write(OPCODE.close, closePayload(CLOSE.normal));
    const said = reason === '' ? '' : `: ${reason.slice(0, 120)}`;
    this.#end(`closed with ${code}${said}`);
  }

  #beginClose(code: number): void {
    this.#write(OPCODE.close, closePayload(code));
    this.#state = 'closing';
    this.#timer.schedule(CLOSE_PATIENCE, () => this.#finish());
  }

  #finish(): void {
    this.#state = 'over';
    this.#timer.cancel();
    this.#socket.close();
  }

  #end(reason: string, retryAfter = 0, unauthorized = false): void {
    const told = this.#state === 'closing' || this.#state === 'over';
    this.#finish();
    if (told) return;
    if (unauthorized) this.#events.unauthorized(reason);
    else this.#events.closed(reason, retryAfter);
  }
}
