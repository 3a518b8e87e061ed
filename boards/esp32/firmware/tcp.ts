import SdkTcp from 'embedded:io/socket/tcp';
import type { StreamEvents, StreamSocket } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';

/** lwIP's TCP as the SDK brings it. Its exact shape differs from ours in what it throws. */
export class ChipTcp implements StreamSocket {
  readonly #socket: SdkTcp;
  /** Bytes that wait in lwIP. The SDK throws when more are asked for. */
  #waiting = 0;

  /** Begins to connect. Throws an Error when lwIP has no room. */
  constructor(address: string, port: number, events: StreamEvents, edge: Edge) {
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        edge.caught('tcp', error);
      }
    };
    this.#socket = new SdkTcp({
      address,
      port,
      nodelay: true,
      onReadable: (count) => {
        this.#waiting = count;
        guarded(() => events.onReadable(count));
      },
      onWritable: (count) => guarded(() => events.onWritable(count)),
      onError: () => guarded(() => events.onError(new Error('the connection failed or was closed'))),
    });
  }

  read(into: Uint8Array): number | undefined {
    const count = Math.min(this.#waiting, into.length);
    if (count === 0) return undefined;
    this.#waiting -= count;
    this.#socket.read(into.subarray(0, count));
    return count;
  }

  write(bytes: Uint8Array): number {
    // The SDK's declarations do not know what ECMA-419 has it give back; nothing once the connection has failed.
    return (this.#socket.write(bytes) as unknown as number | undefined) ?? 0;
  }

  close(): void {
    this.#socket.close();
  }
}
