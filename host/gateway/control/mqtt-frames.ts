import { Duplex } from 'node:stream';

/** Bytes of a "remaining length" (MQTT 3.1.1, section 2.2.3). */
const LONGEST_LENGTH = 4;

/**
 * A connection whose incoming MQTT packets are bounded before anybody collects them: the length stands at their
 * beginning, so one that is too large ends the connection at once.
 */
export class MqttFrames extends Duplex {
  /** Of the other end, where that is known. */
  remoteAddress = '';
  /** Most bytes of a packet after its fixed header. */
  most: number;
  /** Asked at the beginning of each packet; false ends the connection. */
  onPacket: (() => boolean) | undefined;
  readonly #connect: () => Promise<Duplex>;
  #socket: Duplex | undefined;
  /** Bytes of the present packet that are still to come. */
  #left = 0;
  #length = 0;
  /** Bytes of the length read so far; -1 between packets. */
  #lengthBytes = -1;

  constructor(connect: () => Promise<Duplex>, most: number) {
    super({ allowHalfOpen: false });
    this.#connect = connect;
    this.most = most;
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#connect().then((socket) => {
      this.#socket = socket;
      if (this.destroyed) socket.destroy();
      socket.on('data', (chunk: Buffer) => {
        if (!this.#follow(chunk))
          this.destroy(new Error(`a packet of more than ${this.most} bytes, or too many`));
        else if (!this.push(chunk)) socket.pause();
      });
      socket.on('end', () => this.push(null));
      socket.on('error', (error) => this.destroy(error));
      socket.on('close', () => this.destroy());
      done();
    }, done);
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (!this.#socket || this.#socket.write(chunk)) done();
    else this.#socket.once('drain', () => done());
  }

  /** A packet comes in pieces; it should leave as one TLS record in one segment. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer', done);
  }

  override _final(done: () => void): void {
    this.#socket?.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket?.destroy();
    done(error);
  }

  /** False when a packet is too large, its length no length, or one too many. */
  #follow(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
      } else if (this.#lengthBytes < 0) {
        if (this.onPacket?.() === false) return false;
        this.#lengthBytes = 0;
        this.#length = 0;
        at++;
      } else if (!this.#takeLength(chunk[at++])) return false;
    }
    return true;
  }

  #takeLength(byte: number): boolean {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
    if (this.#length > this.most) return false;
    if (byte & 0x80) return this.#lengthBytes < LONGEST_LENGTH;
    this.#left = this.#length;
    this.#lengthBytes = -1;
    return true;
  }
}
