/** Messages of a session on their way in and out: read, bounded, limited and counted. */

import type { Clock, Log } from '../ports.js';
import { type Envelope, readEnvelope, writeEnvelope } from './envelope.js';
import { MessageLimiter } from './message-limiter.js';
import { SMALL_MESSAGE_BYTES } from './messages.js';
import { SessionCounters } from './session-options.js';

export class MessageDesk {
  readonly counters = new SessionCounters();
  /** Largest message taken. */
  readonly mostBytes: number;
  /** What was refused last, and why. */
  lastRefusal: string | undefined;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #limiter = new MessageLimiter();

  constructor(clock: Clock, log: Log | undefined, mostBytes = SMALL_MESSAGE_BYTES) {
    this.#clock = clock;
    this.#log = log;
    this.mostBytes = mostBytes;
  }

  /** Undefined for what is no message for us; that is counted. */
  read(text: string): Envelope | undefined {
    this.counters.received++;
    const read = readEnvelope(text, 'down', this.mostBytes);
    if (read.ok) return read.envelope;
    if (read.refusal === 'unknown-type') this.counters.unknownTypes++;
    else this.refuse(`${read.refusal}: ${read.detail}`);
    return undefined;
  }

  /** Counts and remembers a message that was not obeyed. */
  refuse(reason: string): void {
    this.counters.refused++;
    this.lastRefusal = reason;
    this.#log?.write('warn', 'control-message-refused', { reason });
  }

  /** Hands a message to `send`, within our own limit. Throws RangeError when it fits no shape. */
  write(envelope: Envelope, send: (text: string) => boolean): boolean {
    const text = writeEnvelope(envelope);
    const sent = this.#limiter.take(this.#clock.monotonic()) && send(text);
    if (sent) this.counters.sent++;
    else this.counters.unsent++;
    return sent;
  }
}
