/**
 * What the transports over TCP have in common: connect (through a proxy, where there is one), ask the relay in HTTP/1.1
 * to switch to another protocol, then frame datagrams into the stream. What the stream does not take is dropped: a queue
 * behind a slow connection would only make everything late.
 */

import { HttpError, HttpResponseReader, readRetryAfter } from '../control/stream/http-response.js';
import { utf8Bytes } from '../control/stream/utf8.js';
import { base64 } from '../control/stream/websocket-handshake.js';
import type { StreamEvents, StreamSocket } from '../ports.js';
import type { RelayAccess } from './relay-access.js';
import type {
  Transport,
  TransportEvents,
  TransportKind,
  TransportReason,
  TransportState,
} from './transport.js';

export interface StreamLimits {
  /** ms until the relay must have answered. */
  readonly openTimeout: number;
  /** Bytes of frames that wait for the stream; what does not fit is dropped. */
  readonly buffer: number;
  /** Bytes read at a time. */
  readonly readBuffer: number;
  /** Bytes of the largest datagram. */
  readonly datagram: number;
}

export const STREAM_LIMITS: StreamLimits = Object.freeze({
  openTimeout: 10_000,
  buffer: 65_536,
  readBuffer: 65_536,
  datagram: 65_535,
});

/** Characters of what others said that are shown to the owner. */
const MOST_DETAIL = 120;

type Phase = 'closed' | 'connecting' | 'asking-proxy' | 'securing' | 'negotiating' | 'open';

export abstract class StreamTransport implements Transport {
  abstract readonly kind: TransportKind;
  abstract readonly overhead: number;
  readonly name: string;
  readonly mtu: number;
  readonly endpoint = undefined;
  events: TransportEvents | undefined;
  retryAfter = 0;
  detail = '';
  /** Datagrams that the stream did not take. */
  dropped = 0;
  protected readonly access: RelayAccess;
  protected readonly limits: StreamLimits;
  #state: TransportState = 'idle';
  #reason: TransportReason = 'not-needed';
  #phase: Phase = 'closed';
  #stream: StreamSocket | undefined;
  #reader: HttpResponseReader | undefined;
  #giveUpAt = Infinity;
  /** What the stream takes now. */
  #room = 0;
  readonly #out: Uint8Array;
  #used = 0;
  readonly #in: Uint8Array;

  constructor(name: string, access: RelayAccess, limits: StreamLimits) {
    this.name = name;
    this.access = access;
    this.limits = limits;
    this.mtu = limits.datagram;
    this.#out = new Uint8Array(limits.buffer);
    this.#in = new Uint8Array(limits.readBuffer);
  }

  get state(): TransportState {
    return this.#state;
  }

  get reason(): TransportReason {
    return this.#reason;
  }

  open(now: number): void {
    if (this.#phase !== 'closed') return;
    const { connector, proxy, relay, token } = this.access;
    if (token() === undefined) {
      this.#fail('no-token', 'there is no token for the relay yet');
      return;
    }
    this.#giveUpAt = now + this.limits.openTimeout;
    this.detail = '';
    this.retryAfter = 0;
    this.#used = this.#room = 0;
    const target = proxy ? { host: proxy.host, port: proxy.port, secure: false } : relay;
    this.#enter('connecting');
    this.#stream = connector.connect(target, this.#eventsFor('connected'));
  }

  close(): void {
    this.#abandon();
    this.#state = 'idle';
    this.#reason = 'not-needed';
  }

  send(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.#phase !== 'open' || length > this.mtu) return false;
    const size = this.frameSize(length);
    if (this.#used + size > this.#out.length) this.flush();
    if (this.#used + size > this.#out.length) {
      this.dropped++;
      return false;
    }
    this.#used = this.writeFrame(this.#out, this.#used, bytes, offset, length);
    return true;
  }

  flush(): void {
    const stream = this.#stream;
    if (!stream || this.#used === 0 || this.#room === 0) return;
    const count = Math.min(this.#used, this.#room);
    this.#room = stream.write(this.#out.subarray(0, count));
    this.#out.copyWithin(0, count, this.#used);
    this.#used -= count;
  }

  advance(now: number): void {
    if (now >= this.#giveUpAt) this.#fail('timed-out', `it came no further than ${this.#reason}`);
  }

  nextDeadline(): number {
    return this.#giveUpAt;
  }

  // ---- of each protocol ----

  /**
   * The request that asks the relay to switch, without the token's header and the empty line; undefined while nobody
   * knows where the relay is to forward to.
   */
  protected abstract request(): string[] | undefined;
  /** Undefined when these headers of a 101 mean that it did. */
  protected abstract fault(headers: ReadonlyMap<string, string>): string | undefined;
  /** The other protocol begins. */
  protected abstract begin(): void;
  protected abstract frameSize(length: number): number;
  /** Where the frame ends. */
  protected abstract writeFrame(
    into: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number;
  /** Takes what came; false when it breaks the protocol. */
  protected abstract take(bytes: Uint8Array, at: number, end: number): boolean;

  /** Writes a frame that is no datagram, if there is room. */
  protected writeControl(size: number, write: (into: Uint8Array, at: number) => number): void {
    if (this.#phase !== 'open' || this.#used + size > this.#out.length) return;
    this.#used = write(this.#out, this.#used);
    this.flush();
  }

  /** The other end says goodbye. */
  protected ended(sentence: string): void {
    this.#fail('closed-by-peer', sentence);
  }

  // ---- opening ----

  #connected(): void {
    const { proxy, relay } = this.access;
    if (!proxy) {
      this.#negotiate();
      return;
    }
    this.#enter('asking-proxy');
    const authority = relay.host.includes(':')
      ? `[${relay.host}]:${relay.port}`
      : `${relay.host}:${relay.port}`;
    const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
    const credentials = proxy.credentials?.();
    if (credentials) {
      const plain = utf8Bytes(`${credentials.user}:${credentials.password}`);
      lines.push(`Proxy-Authorization: Basic ${base64(plain)}`);
    }
    this.#ask(lines);
  }

  #negotiate(): void {
    const token = this.access.token();
    if (token === undefined) {
      this.#fail('no-token', 'the token is gone');
      return;
    }
    const request = this.request();
    if (!request) {
      this.#fail('no-endpoint', 'there is no address that the relay could forward to');
      return;
    }
    this.#enter('negotiating');
    this.#ask([...request, `Authorization: Bearer ${token}`]);
  }

  #ask(lines: readonly string[]): void {
    const bytes = utf8Bytes(`${lines.join('\r\n')}\r\n\r\n`);
    this.#reader = new HttpResponseReader();
    if (bytes.length > this.#room) {
      this.#fail('protocol-error', 'the stream has no room for the request');
      return;
    }
    this.#room = this.#stream!.write(bytes);
  }

  /** The callbacks of one layer; those of a layer that is no longer the current one do nothing. */
  #eventsFor(layer: 'connected' | 'secured'): StreamEvents {
    let live = true;
    const current = (): boolean => live && this.#phase !== 'closed';
    const events: StreamEvents = {
      onReadable: () => {
        if (current()) this.#read();
      },
      onWritable: (count) => {
        if (!current()) return;
        this.#room = count;
        if (layer === 'connected' && this.#phase === 'connecting') this.#connected();
        else if (layer === 'secured' && this.#phase === 'securing') this.#negotiate();
        else this.flush();
      },
      onError: (error) => {
        if (!current()) return;
        live = false;
        this.#broken(error);
      },
    };
    return events;
  }

  #read(): void {
    const bytes = this.#in;
    for (;;) {
      const count = this.#stream?.read(bytes);
      if (count === undefined || count === 0) break;
      if (!this.#takeBytes(bytes, count)) break;
    }
    if (this.#phase === 'open') {
      this.flush();
      this.events?.delivered();
    }
  }

  /** False when there is nothing more to be read here. */
  #takeBytes(bytes: Uint8Array, count: number): boolean {
    let at = 0;
    const reader = this.#reader;
    if (reader) {
      try {
        at = reader.push(bytes.subarray(0, count));
      } catch (error) {
        this.#fail('not-supported', error instanceof HttpError ? error.message : 'the answer is not HTTP');
        return false;
      }
      if (!reader.headEnded) return true;
      if (this.#phase === 'asking-proxy') return this.#proxyAnswered(reader);
      if (!this.#relayAnswered(reader)) return false;
    }
    if (at < count && this.#phase === 'open' && !this.take(bytes, at, count)) {
      this.#fail('protocol-error', 'the relay sent what is not of its protocol');
    }
    return this.#phase === 'open';
  }

  #proxyAnswered({ status, headers }: HttpResponseReader): boolean {
    this.#reader = undefined;
    if (status === 407) {
      const wants = headers.get('proxy-authenticate');
      this.#fail('proxy-authentication', wants === undefined ? '' : `it asks for ${wants}`);
    } else if (status < 200 || status > 299) this.#fail('proxy-refused', `the proxy answered ${status}`);
    else if (this.access.relay.secure) {
      this.#enter('securing');
      this.#room = 0;
      const { connector, relay } = this.access;
      this.#stream = connector.secure(this.#stream!, relay.host, this.#eventsFor('secured'));
      return false;
    } else this.#negotiate();
    return false;
  }

  #relayAnswered({ status, headers }: HttpResponseReader): boolean {
    this.#reader = undefined;
    if (status === 101) {
      const fault = this.fault(headers);
      if (fault !== undefined) {
        this.#fail('not-supported', fault);
        return false;
      }
      this.#giveUpAt = Infinity;
      this.begin();
      this.#enter('open');
      return this.#phase === 'open';
    }
    this.retryAfter = readRetryAfter(headers.get('retry-after'));
    this.#fail(REFUSALS[status] ?? 'not-supported', `the relay answered ${status}`);
    return false;
  }

  // ---- the end ----

  #broken(error: Error): void {
    const { code } = error as Error & { code?: unknown };
    if (this.#phase === 'open') this.#fail('closed-by-peer', error.message);
    else this.#fail(reasonOf(typeof code === 'string' ? code : ''), error.message);
  }

  #enter(phase: Exclude<Phase, 'closed'>): void {
    this.#phase = phase;
    this.#state = phase === 'open' ? 'open' : 'opening';
    this.#reason = phase === 'open' ? 'ready' : phase;
    this.events?.changed();
  }

  #fail(reason: TransportReason, detail: string): void {
    this.#abandon();
    const known = this.#state === 'failed' && this.#reason === reason;
    this.#state = 'failed';
    this.#reason = reason;
    this.detail = detail.slice(0, MOST_DETAIL);
    if (!known) this.events?.changed();
  }

  #abandon(): void {
    this.#phase = 'closed';
    this.#giveUpAt = Infinity;
    this.#reader = undefined;
    this.#used = this.#room = 0;
    this.#stream?.close();
    this.#stream = undefined;
  }
}

const REFUSALS: Readonly<Record<number, TransportReason>> = Object.freeze({
  401: 'unauthorized',
  403: 'target-refused',
  429: 'rate-limited',
  502: 'target-refused',
  503: 'rate-limited',
});

/** What the codes of the system and of the TLS library mean here. */
function reasonOf(code: string): TransportReason {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') return 'unresolved';
  if (code === 'ETIMEDOUT') return 'timed-out';
  if (/CERT|SELF_SIGNED|ISSUER|VERIFY|PIN|SIGNATURE/.test(code)) return 'certificate';
  return 'unreachable';
}
