import type { SessionTransport } from './gateway-session.js';
import { MOST_WAITING } from './gateway-session.js';

export type EventStream = ReadableStream<Uint8Array>;

/** Proxies end a response that is silent for a minute, ms. */
const KEEP_OPEN = 50_000;

/** Messages to a gateway as server-sent events (HTML Standard, section 9.2): one event for each. */
export class EventStreamTransport implements SessionTransport {
  readonly kind = 'event-stream';
  readonly stream: EventStream;
  readonly #onEnd: () => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #silence: NodeJS.Timeout | undefined;
  #over = false;

  constructor(session: string, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING }),
    );
    this.#write(`event: session\ndata: ${session}\n\n`);
  }

  send(text: string): boolean {
    if (this.#over || (this.#controller.desiredSize ?? 0) <= 0) return false;
    this.#write(`data: ${text}\n\n`);
    return true;
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#write(`event: end\ndata: ${JSON.stringify({ code, reason })}\n\n`);
    this.terminate();
  }

  terminate(): void {
    if (this.#over) return;
    this.#controller.close();
    this.#end();
  }

  #write(text: string): void {
    this.#controller.enqueue(Buffer.from(text));
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#write(':\n\n'), KEEP_OPEN).unref();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#silence);
    this.#onEnd();
  }
}
