import { chmodSync, existsSync, type FSWatcher, lstatSync, mkdirSync, unlinkSync, watch } from 'node:fs';
import { createServer, connect as open, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Log } from '../../src/ports.js';
import type { Device } from '../../src/wireguard/device.js';
import { UapiSession } from '../../src/wireguard/uapi.js';
import type { UapiHost } from '../../src/wireguard/uapi-host.js';
import { EXIT, GatewayError, messageOf, systemCode } from './errors.js';
import { uapiPath } from './uapi-path.js';

/** Connections served at a time. */
const CONNECTIONS = 64;
/** How often the socket's file is looked for where the system cannot tell of changes, in ms. */
const REMOVAL_POLL = 2_000;

/**
 * The unix socket by which `wg` and our own `status` reach a running gateway. Removing the file ends the gateway,
 * as it ends wireguard-go.
 */
export class UapiSocket {
  readonly path: string;
  /** Somebody removed the socket's file. */
  onRemoved: (() => void) | undefined;

  private readonly device: Device;
  private readonly host: UapiHost;
  private readonly log: Log;
  private readonly server: Server;
  private readonly connections = new Set<Socket>();
  private watcher: FSWatcher | undefined;
  private poll: NodeJS.Timeout | undefined;
  private inode = 0;
  private closed = false;

  private constructor(path: string, device: Device, host: UapiHost, log: Log) {
    this.path = path;
    this.device = device;
    this.host = host;
    this.log = log;
    // Half-open: a client may end its side after the question and still reads the answer.
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.serve(socket));
    this.server.maxConnections = CONNECTIONS;
  }

  /** Throws a {@link GatewayError} when another process serves this name, or the socket cannot be made. */
  static async listen(
    directory: string,
    name: string,
    device: Device,
    host: UapiHost,
    log: Log,
  ): Promise<UapiSocket> {
    const path = uapiPath(directory, name);
    makeDirectory(directory);
    const socket = new UapiSocket(path, device, host, log);
    try {
      await socket.bind();
    } catch (error) {
      if (systemCode(error) !== 'EADDRINUSE') throw listenError(path, error);
      // Left behind by a crash, or alive: only trying tells.
      await refuseLive(directory, name);
      unlinkSync(path);
      await socket.bind().catch((again) => {
        throw listenError(path, again);
      });
    }
    socket.guard();
    return socket;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.watcher?.close();
    clearInterval(this.poll);
    // libuv removes the file together with the listening socket.
    this.server.close();
    for (const connection of this.connections) connection.destroy();
  }

  private bind(): Promise<void> {
    return new Promise((resolve, reject) => {
      // Keys are read through this socket, so it is its owner's alone from the first moment.
      const mask = process.umask(0o077);
      try {
        this.server.once('error', reject);
        this.server.listen(this.path, () => {
          this.server.off('error', reject);
          this.server.on('error', (error) =>
            this.log.write('warn', 'uapi-socket', { error: messageOf(error) }),
          );
          resolve();
        });
      } finally {
        process.umask(mask);
      }
    });
  }

  private serve(socket: Socket): void {
    this.connections.add(socket);
    const session = new UapiSession(this.device, this.host, {
      write: (text) => void socket.write(text),
      end: () => void socket.end(),
    });
    session.onReady = () => void socket.resume();
    socket.on('data', (bytes) => {
      if (!session.push(bytes)) socket.pause();
    });
    socket.on('end', () => void socket.end());
    // A client that leaves in the middle is its own business.
    socket.on('error', () => {});
    socket.on('close', () => {
      session.close();
      this.connections.delete(socket);
    });
  }

  private guard(): void {
    this.inode = inodeOf(this.path);
    const check = () => {
      if (this.closed || inodeOf(this.path) === this.inode) return;
      this.watcher?.close();
      clearInterval(this.poll);
      this.onRemoved?.();
    };
    try {
      this.watcher = watch(dirname(this.path), { persistent: false }, check);
      this.watcher.on('error', check);
    } catch {
      this.poll = setInterval(check, REMOVAL_POLL).unref();
    }
  }
}

/** Throws when a living process serves this name already. */
export async function refuseLive(directory: string, name: string): Promise<void> {
  const path = uapiPath(directory, name);
  if (!existsSync(path) || !(await answers(path))) return;
  const sentence = `${name} is already driven by a running program (${path}); stop that one or choose another --name`;
  throw new GatewayError(EXIT.alreadyRunning, sentence);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Anything but a refusal means that somebody may be there; their socket is not taken from them.
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(systemCode(error) ?? '')));
  });
}

function makeDirectory(directory: string): void {
  try {
    // A fallback below a shared /tmp must be ours, or somebody else could swap the socket.
    const parent = dirname(directory);
    if (!existsSync(parent)) mkdirSync(parent, { recursive: true, mode: 0o700 });
    if (!existsSync(directory)) {
      mkdirSync(directory, { mode: 0o755 });
      chmodSync(directory, 0o755);
    }
    const uid = process.getuid?.();
    const { uid: owner } = lstatSync(directory);
    if (uid !== undefined && owner !== uid && owner !== 0) {
      throw new Error(`${directory} belongs to another user`);
    }
  } catch (error) {
    throw listenError(join(directory, '*.sock'), error);
  }
}

function inodeOf(path: string): number {
  try {
    return lstatSync(path).ino;
  } catch {
    return -1;
  }
}

function listenError(path: string, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = systemCode(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const sentence = `no permission to make the control socket ${path}; run as its owner or set XDG_RUNTIME_DIR`;
    return new GatewayError(EXIT.permission, sentence, { cause: error });
  }
  return new GatewayError(EXIT.system, `cannot make the control socket ${path}: ${messageOf(error)}`, {
    cause: error,
  });
}
