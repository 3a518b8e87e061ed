import type { RemoteInfo, Socket } from 'node:dgram';
import type { Bytes } from '../wireguard/reference/symmetric.js';
import type { Namespace, UdpOptions } from './namespace.js';
import { sleep } from './wait.js';

export interface Target {
  readonly address: string;
  readonly port: number;
}

export interface Datagram {
  readonly bytes: Bytes;
  readonly from: Target;
  /** Milliseconds on the monotonic clock. */
  readonly at: number;
}

/** A UDP socket with everything that ever arrived on it kept in order. */
export class UdpPort {
  /** Every datagram received so far; a test may read it, `next` does not take from it. */
  readonly captured: Datagram[] = [];
  /** Takes datagrams as they come, instead of `captured`. */
  onDatagram: ((datagram: Datagram) => void) | undefined;
  readonly #socket: Socket;
  #taken = 0;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
      const datagram = {
        bytes: new Uint8Array(bytes),
        from: { address: from.address, port: from.port },
        at: performance.now(),
      };
      if (this.onDatagram) return this.onDatagram(datagram);
      this.captured.push(datagram);
      this.#wake?.();
    });
  }

  static async open(space: Namespace, options: UdpOptions): Promise<UdpPort> {
    return new UdpPort(await space.udp(options));
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(bytes: Bytes, target: Target): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.send(bytes, target.port, target.address, (error) => (error ? reject(error) : resolve())),
    );
  }

  /** Sends without waiting for each datagram to be handed over. */
  flood(datagrams: readonly Bytes[], target: Target): void {
    for (const bytes of datagrams) this.#socket.send(bytes, target.port, target.address, () => {});
  }

  /** The next datagram not taken yet for which `wanted` holds; those before it are passed over. */
  async next(wanted: (datagram: Datagram) => boolean, within = 2000): Promise<Datagram | undefined> {
    const end = performance.now() + within;
    for (;;) {
      while (this.#taken < this.captured.length) {
        const datagram = this.captured[this.#taken++];
        if (wanted(datagram)) return datagram;
      }
      const left = end - performance.now();
      if (left <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Forgets what has arrived and was not taken. */
  drain(): void {
    this.#taken = this.captured.length;
  }

  /** What arrives within `ms`, of the kinds that `wanted` lets through. */
  async during(ms: number, wanted: (datagram: Datagram) => boolean = () => true): Promise<Datagram[]> {
    const first = this.captured.length;
    await sleep(ms);
    this.#taken = this.captured.length;
    return this.captured.slice(first).filter(wanted);
  }

  close(): void {
    this.#socket.close();
  }
}
