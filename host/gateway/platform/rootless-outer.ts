/**
 * Rootless mode, outside: starts the same program once more as root of a user and network namespace of its own, hands
 * it what only the outside has (UDP sockets, listeners, name look-ups), passes signals on, and ends with it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { Socket as UdpSocket } from 'node:dgram';
import { rmSync } from 'node:fs';
import { Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import type { Log } from '../../../src/ports.js';
import { EXIT, GatewayError, messageOf } from '../errors.js';
import {
  type Answer,
  type BoundUdp,
  INNER_VARIABLE,
  type InnerQuestion,
  type Question,
  type Welcome,
} from './inner-protocol.js';
import { type Listener, releaseListener } from './listener.js';
import { LocalOutside } from './local-outside.js';
import { namespaceCommand } from './namespace.js';
import type { ModeChoice } from './tunnel.js';

export interface InnerRequest {
  /** The program's script and its arguments. Visible to every user: no secrets. */
  readonly command: readonly string[];
  /** Goes to the inner process through a pipe. Whatever structured clone takes; secrets are welcome. */
  readonly payload: unknown;
  readonly choice: ModeChoice;
  readonly log: Log;
  /** The only address of this machine at which the tunnel's UDP sockets receive; otherwise every one. */
  readonly listenAddress?: string | undefined;
  /** Files the inner process makes and deletes (its API socket); deleted here should it be killed. */
  readonly files?: readonly string[] | undefined;
  /** Milliseconds the inner process may take to leave before it is killed. */
  readonly grace?: number | undefined;
}

export interface Inner {
  readonly pid: number;
  /** The exit code, as a shell counts it (128 and the number of the signal that killed it). */
  readonly exited: Promise<number>;
  /** Asks it to leave, and kills it when it does not in time. */
  stop(): Promise<number>;
}

/** Hooks have as long as in the other modes. */
const DEFAULT_GRACE = 30_000;
const RELAYED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

type Handle = UdpSocket | Server | Socket;

/** Resolves once the inner process has started (not: once its tunnel is up). */
export async function startInner(request: InnerRequest): Promise<Inner> {
  const [program, ...words] = namespaceCommand();
  const child = spawn(program, [...words, process.execPath, ...process.execArgv, ...request.command], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
    env: { ...process.env, [INNER_VARIABLE]: '1' },
    // A session of its own: Ctrl-C then reaches this process alone, which passes it on once.
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) =>
      reject(new GatewayError(EXIT.system, `cannot start the inner process: ${messageOf(error)}`)),
    );
  });
  return new Supervisor(child, request);
}

class Supervisor implements Inner {
  readonly pid: number;
  readonly exited: Promise<number>;

  private readonly child: ChildProcess;
  private readonly request: InnerRequest;
  private readonly outside: LocalOutside;
  /** The IPv6 socket on its way to the inner process. */
  private waitingUdp6: UdpSocket | undefined;
  private killer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess, request: InnerRequest) {
    this.child = child;
    this.request = request;
    this.pid = child.pid!;
    this.outside = new LocalOutside(request.choice, request.log, request.listenAddress);
    child.on('message', (message, handle) => void this.answer(message as Question, handle as Handle));
    // A channel that broke means that the inner process is about to be gone; `exit` tells.
    child.on('error', (error) => request.log.write('debug', 'inner-channel', { error: messageOf(error) }));
    for (const signal of RELAYED) process.on(signal, this.relay);
    process.on('exit', this.abandon);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.cleanUp();
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }

  stop(): Promise<number> {
    this.relay('SIGTERM');
    return this.exited;
  }

  private readonly relay = (signal: NodeJS.Signals): void => {
    this.child.kill(signal);
    if (signal !== 'SIGINT' && signal !== 'SIGTERM') return;
    this.killer ??= setTimeout(() => this.child.kill('SIGKILL'), this.request.grace ?? DEFAULT_GRACE);
  };

  /** This process ends without having waited: the inner one must not stay. */
  private readonly abandon = (): void => {
    this.child.kill('SIGTERM');
  };

  private cleanUp(): void {
    clearTimeout(this.killer);
    for (const signal of RELAYED) process.off(signal, this.relay);
    process.off('exit', this.abandon);
    this.waitingUdp6?.close();
    this.outside.close();
    for (const path of this.request.files ?? []) rmSync(path, { force: true });
  }

  private async answer({ number, question }: Question, handle: Handle | undefined): Promise<void> {
    try {
      await this.serve(number, question, handle);
    } catch (error) {
      const exitCode = error instanceof GatewayError ? error.exitCode : EXIT.failure;
      await this.send({ number, error: { exitCode, sentence: messageOf(error) } });
    }
  }

  private async serve(number: number, question: InnerQuestion, handle: Handle | undefined): Promise<void> {
    const { outside, request } = this;
    switch (question.kind) {
      case 'join': {
        const welcome: Welcome = { choice: request.choice, payload: request.payload };
        return this.send({ number, value: welcome });
      }
      case 'resolve':
        return outside.resolver.resolve(question.name, (addresses, error) => {
          void this.send({ number, value: { addresses, error } });
        });
      case 'measure-mtu':
        return this.send({ number, value: await outside.measureMtu(question.endpoints) });
      case 'connect': {
        const socket = await outside.connect(question.host, question.port);
        // Until it is on its way it may fail; whoever gets it notices.
        socket.on('error', () => {});
        return this.send({ number }, socket);
      }
      case 'bind-udp': {
        const { port, v4, v6 } = await outside.bindUdp(question.port);
        this.waitingUdp6?.close();
        this.waitingUdp6 = v6;
        const bound: BoundUdp = { port, hasIpv6: v6 !== undefined };
        await this.send({ number, value: bound }, v4);
        v4?.close();
        return;
      }
      case 'take-udp6': {
        const socket = this.waitingUdp6;
        this.waitingUdp6 = undefined;
        await this.send({ number }, socket);
        socket?.close();
        return;
      }
      case 'listen': {
        const listener = await outside.listen(question.rule);
        await this.send({ number }, handleOf(listener));
        // From here on the inner process holds it; our own copy would take connections that nobody serves.
        releaseListener(listener);
        return;
      }
      case 'serve':
        await outside.serve(question.rule, listenerOf(handle), question.limits);
        return this.send({ number });
    }
  }

  private send(answer: Answer, handle?: Handle): Promise<void> {
    return new Promise((resolve) => {
      if (!this.child.connected) resolve();
      else this.child.send(answer, handle, () => resolve());
    });
  }
}

function handleOf(listener: Listener): Handle {
  return listener.protocol === 'tcp' ? listener.server : listener.socket;
}

function listenerOf(handle: Handle | undefined): Listener {
  if (handle instanceof UdpSocket) return { protocol: 'udp', socket: handle };
  if (handle instanceof Server) return { protocol: 'tcp', server: handle };
  throw new Error('the listener did not arrive');
}
