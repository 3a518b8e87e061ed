import type { Log } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
import { UapiSession } from '../../../src/wireguard/uapi.js';
import type { UapiHost } from '../../../src/wireguard/uapi-host.js';
import type { Edge } from '../../xs/edge.js';
import { makeDirectory } from '../drivers/files.js';
import { ECONNREFUSED, ENOENT, SystemError } from '../drivers/system-error.js';
import { probe, removeSocket, UnixListener, type UnixStream } from '../drivers/unix-socket.js';
import { EXIT, GatewayError } from './gateway-error.js';

/** Where `wg` looks for the sockets of userspace implementations. */
export const CONTROL_DIRECTORY = '/var/run/wireguard';
/** Connections served at a time; further ones are closed at once. */
const CONNECTIONS = 64;

/** The unix socket by which `wg` and our own `status` reach the gateway. Removing the file ends the gateway. */
export class ControlSocket {
  onRemoved: (() => void) | undefined;
  readonly #listener: UnixListener;
  readonly #device: Device;
  readonly #host: UapiHost;
  readonly #log: Log;
  readonly #streams = new Set<UnixStream>();

  /** Throws a {@link GatewayError} or {@link SystemError}. */
  constructor(name: string, device: Device, host: UapiHost, edge: Edge, log: Log) {
    this.#device = device;
    this.#host = host;
    this.#log = log;
    const made = makeDirectory(CONTROL_DIRECTORY, 0o755);
    if (made < 0) throw new SystemError(`cannot make ${CONTROL_DIRECTORY}`, -made);
    refuseLive(name);
    // Whatever is left there belongs to nobody any more.
    removeSocket(`${CONTROL_DIRECTORY}/${name}.sock`);
    this.#listener = new UnixListener(CONTROL_DIRECTORY, `${name}.sock`, edge);
    this.#listener.onConnection = (stream) => this.#serve(stream);
    this.#listener.onRemoved = () => this.onRemoved?.();
  }

  close(): void {
    this.#listener.close();
    for (const stream of [...this.#streams]) stream.close();
  }

  #serve(stream: UnixStream): void {
    if (this.#streams.size >= CONNECTIONS) {
      this.#log.write('warn', 'control-connection-refused', { limit: CONNECTIONS });
      stream.close();
      return;
    }
    this.#streams.add(stream);
    const session = new UapiSession(this.#device, this.#host, {
      write: (text) => stream.write(text),
      end: () => stream.end(),
    });
    session.onReady = () => {
      stream.paused = false;
    };
    stream.onData = (bytes) => {
      if (!session.push(bytes)) stream.paused = true;
    };
    stream.onClosed = () => {
      session.close();
      this.#streams.delete(stream);
    };
  }
}

/** Throws a {@link GatewayError} when a living process serves this name already. */
export function refuseLive(name: string): void {
  const path = `${CONTROL_DIRECTORY}/${name}.sock`;
  const result = probe(path);
  // Anything but a refusal means that somebody may be there; their socket is not taken from them.
  if (result === -ENOENT || result === -ECONNREFUSED) return;
  const sentence = `${name} is already driven by a running program (${path}); stop that one or choose another --name`;
  throw new GatewayError(EXIT.alreadyRunning, sentence);
}
