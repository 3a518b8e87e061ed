import { parseAddress } from '../../../src/packet/address.js';
import type {
  Resolver,
  StreamConnector,
  StreamEvents,
  StreamSocket,
  StreamTarget,
  Timer,
} from '../../../src/ports.js';
import { type Edge, messageOf } from '../edge.js';
import type { TlsSession } from './tls-session.js';
import { TlsSocket } from './tls-socket.js';

/** So long one address of several may take, ms; the last one may take as long as whoever asked waits. */
const ATTEMPT = 3_000;

export interface ConnectorOptions {
  readonly resolver: Resolver;
  readonly timer: () => Timer;
  /** Begins to connect. May throw. */
  readonly tcp: (address: string, port: number, events: StreamEvents) => StreamSocket;
  /** A session that proves the server to be `host`. May throw. */
  readonly tls: (host: string) => TlsSession;
  readonly edge: Edge;
}

/** Streams by name or address: every address of a name is tried, one after another. */
export class BoardConnector implements StreamConnector {
  readonly #options: ConnectorOptions;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  connect(target: StreamTarget, events: StreamEvents): StreamSocket {
    return new Connection(target, events, this.#options);
  }
}

class Connection implements StreamSocket {
  readonly #options: ConnectorOptions;
  readonly #target: StreamTarget;
  readonly #events: StreamEvents;
  readonly #timer: Timer;
  #addresses: readonly string[] = [];
  #next = 0;
  #socket: StreamSocket | undefined;
  #connected = false;
  #over = false;

  constructor(target: StreamTarget, events: StreamEvents, options: ConnectorOptions) {
    this.#options = options;
    this.#target = target;
    this.#events = events;
    this.#timer = options.timer();
    // A turn later: whoever asked does not have the socket yet.
    this.#timer.schedule(0, () => this.#find());
  }

  read(into: Uint8Array): number | undefined {
    return this.#socket?.read(into);
  }

  write(bytes: Uint8Array): number {
    if (this.#socket === undefined) throw new RangeError('the connection is not open');
    return this.#socket.write(bytes);
  }

  close(): void {
    this.#over = true;
    this.#timer.cancel();
    this.#socket?.close();
  }

  #find(): void {
    const { host } = this.#target;
    if (parseAddress(host)) {
      this.#addresses = [host];
      this.#try(undefined);
      return;
    }
    this.#options.resolver.resolve(host, (addresses, error) => {
      if (this.#over) return;
      this.#addresses = addresses;
      this.#try(`${host} has no address${error === undefined ? '' : `: ${error}`}`);
    });
  }

  /** Tries the next address; `reason` is why it comes to that. */
  #try(reason: string | undefined): void {
    const address = this.#addresses[this.#next++];
    if (address === undefined) {
      this.#fail(reason ?? 'there is no address');
      return;
    }
    if (this.#next < this.#addresses.length) {
      this.#timer.schedule(ATTEMPT, () => this.#again(`${address} does not answer`));
    } else this.#timer.cancel();
    try {
      this.#socket = this.#open(address);
    } catch (error) {
      this.#again(messageOf(error));
    }
  }

  #again(reason: string): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#try(reason);
  }

  #open(address: string): StreamSocket {
    const { host, port, secure } = this.#target;
    const { tcp, tls } = this.#options;
    const attempt = this.#next;
    const current = () => !this.#over && attempt === this.#next;
    const guarded: StreamEvents = {
      onReadable: (count) => {
        if (current()) this.#events.onReadable(count);
      },
      onWritable: (count) => {
        if (current()) this.#events.onWritable(count);
      },
      onError: (error) => {
        if (current()) this.#failed(error, address);
      },
    };
    /** TCP's first word: the address answers, so no other one is tried. */
    const open = (events: StreamEvents) =>
      tcp(address, port, {
        ...events,
        onWritable: (count) => {
          if (!current()) return;
          this.#connected = true;
          this.#timer.cancel();
          events.onWritable(count);
        },
      });
    return secure ? new TlsSocket(tls(host), guarded, open) : open(guarded);
  }

  #failed(error: Error, address: string): void {
    if (this.#connected) this.#fail(error.message);
    else this.#again(`cannot connect to ${address} port ${this.#target.port}: ${error.message}`);
  }

  #fail(reason: string): void {
    this.close();
    this.#events.onError(new Error(reason));
  }
}
