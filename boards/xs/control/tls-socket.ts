import type { StreamEvents, StreamSocket } from '../../../src/ports.js';
import { TlsError, type TlsSession } from './tls-session.js';

/** A record's header, type and tag (RFC 8446 section 5.2), rounded up. */
const RECORD_OVERHEAD = 64;
/** Plain text of one record (RFC 8446 section 5.1). */
const RECORD_BYTES = 16_384;
const CHUNK_BYTES = 4096;

/** TLS over another stream, in the same shape. */
export class TlsSocket implements StreamSocket {
  readonly #session: TlsSession;
  readonly #events: StreamEvents;
  readonly #lower: StreamSocket;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  /** How much the stream below takes. */
  #room = 0;
  #state: 'connecting' | 'shaking-hands' | 'open' | 'over' = 'connecting';
  /** The other end has said goodbye. */
  #ended = false;

  /** `connect` opens the stream below. */
  constructor(session: TlsSession, events: StreamEvents, connect: (events: StreamEvents) => StreamSocket) {
    this.#session = session;
    this.#events = events;
    this.#lower = connect({
      onReadable: () => this.#readable(),
      onWritable: (count) => this.#writable(count),
      onError: (error) => this.#broken(error),
    });
  }

  read(into: Uint8Array): number | undefined {
    if (this.#state !== 'open') return undefined;
    const count = this.#session.read(into);
    if (count < 0) this.#ended = true;
    return count > 0 ? count : undefined;
  }

  write(bytes: Uint8Array): number {
    if (this.#state !== 'open' || bytes.length > this.#plainRoom) {
      throw new RangeError(`the connection takes ${this.#plainRoom} bytes now`);
    }
    this.#session.write(bytes);
    this.#flush();
    return this.#plainRoom;
  }

  close(): void {
    if (this.#state === 'open') {
      this.#session.end();
      this.#flush();
    }
    this.#state = 'over';
    this.#lower.close();
  }

  get #plainRoom(): number {
    return Math.max(0, Math.min(this.#room - RECORD_OVERHEAD, RECORD_BYTES));
  }

  #writable(count: number): void {
    this.#room = count;
    if (this.#state === 'connecting') this.#state = 'shaking-hands';
    this.#try(() => {
      if (this.#state === 'shaking-hands') this.#shakeHands();
      else {
        this.#flush();
        if (this.#plainRoom > 0) this.#events.onWritable(this.#plainRoom);
      }
    });
  }

  #readable(): void {
    this.#try(() => {
      for (let count = this.#receive(); count > 0; count = this.#receive()) {
        this.#session.feed(this.#chunk.subarray(0, count));
        if (this.#state === 'shaking-hands') this.#shakeHands();
        if (this.#state === 'open') this.#deliver();
        if (this.#state === 'over') return;
      }
    });
  }

  #receive(): number {
    return this.#lower.read(this.#chunk) ?? 0;
  }

  #shakeHands(): void {
    const done = this.#session.handshake();
    this.#flush();
    if (!done) return;
    this.#state = 'open';
    this.#events.onWritable(this.#plainRoom);
  }

  /** The owner reads until nothing is left; only then it is seen whether the other end said goodbye. */
  #deliver(): void {
    this.#events.onReadable(1);
    if (this.#state !== 'open') return;
    // Reading may have made TLS answer (RFC 8446 section 4.6.3).
    this.#flush();
    if (this.#ended) this.#fail('the other end closed the connection');
  }

  #flush(): void {
    while (this.#room > 0) {
      const count = this.#session.take(this.#chunk.subarray(0, Math.min(CHUNK_BYTES, this.#room)));
      if (count === 0) return;
      this.#room = this.#lower.write(this.#chunk.subarray(0, count));
    }
  }

  #broken(error: Error): void {
    const during = this.#state === 'shaking-hands' ? ' during the TLS handshake' : '';
    this.#fail(`${error.message}${during}`);
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      // The other end is told why, if it can be.
      this.#flush();
      this.#fail(error.message);
    }
  }

  #fail(reason: string): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#lower.close();
    this.#events.onError(new Error(reason));
  }
}
