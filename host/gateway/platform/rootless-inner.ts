/** Rootless mode, inside: the line to the outer process, which has the sockets and the names. */

import { Socket as UdpSocket } from 'node:dgram';
import { Server, Socket } from 'node:net';
import type { Resolver } from '../../../src/ports.js';
import { type ExitCode, GatewayError } from '../errors.js';
import type { ForwardLimits } from './forward-limits.js';
import type { ForwardRule } from './forward-rule.js';
import {
  type Answer,
  type BoundUdp,
  INNER_VARIABLE,
  type InnerQuestion,
  type Welcome,
} from './inner-protocol.js';
import { type Listener, releaseListener } from './listener.js';
import type { ModeChoice, Outside, UdpSockets } from './tunnel.js';
import { sendAtOnce } from './udp-sockets.js';

/** Milliseconds to leave in order after the outer process is gone. */
const LEAVE_TIME = 5_000;

type Handle = UdpSocket | Server | Socket;

interface Reply {
  readonly value: unknown;
  readonly handle: Handle | undefined;
}

/** The line to the outer process when this one was started by `startInner`; else `undefined`. */
export async function joinOutside(): Promise<Outside | undefined> {
  if (process.env[INNER_VARIABLE] !== '1' || process.send === undefined) return undefined;
  // Hooks and helpers are not the inner process.
  delete process.env[INNER_VARIABLE];
  const line = new OuterLine();
  await line.join();
  return line;
}

class OuterLine implements Outside {
  choice: ModeChoice = { mode: 'rootless', reason: '', rejected: [] };
  payload: unknown;
  onGone: ((reason: string) => void) | undefined;

  private nextNumber = 1;
  private readonly waiting = new Map<
    number,
    { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void }
  >();

  constructor() {
    process.on('message', (message, handle) => this.receive(message as Answer, handle as Handle));
    process.once('disconnect', () => this.gone());
  }

  readonly resolver: Resolver = {
    resolve: (name, done) => {
      this.ask({ kind: 'resolve', name }).then(
        ({ value }) => {
          const { addresses, error } = value as { addresses: string[]; error: string | undefined };
          done(addresses, error);
        },
        (error: Error) => done([], error.message),
      );
    },
  };

  async join(): Promise<void> {
    const { choice, payload } = (await this.ask({ kind: 'join' })).value as Welcome;
    this.choice = choice;
    this.payload = payload;
  }

  async bindUdp(port: number): Promise<UdpSockets> {
    const first = await this.ask({ kind: 'bind-udp', port });
    const bound = first.value as BoundUdp;
    const second = bound.hasIpv6 ? await this.ask({ kind: 'take-udp6' }) : undefined;
    const sockets = [first.handle as UdpSocket | undefined, second?.handle as UdpSocket | undefined];
    for (const socket of sockets) {
      if (socket === undefined) continue;
      // ICMP errors surface here; without a listener they would end the process.
      socket.on('error', () => {});
      sendAtOnce(socket);
    }
    return { port: bound.port, v4: sockets[0], v6: sockets[1] };
  }

  async measureMtu(endpoints: readonly string[]): Promise<number> {
    return (await this.ask({ kind: 'measure-mtu', endpoints })).value as number;
  }

  async connect(host: string, port: number): Promise<Socket> {
    const { handle } = await this.ask({ kind: 'connect', host, port });
    if (handle instanceof Socket) return handle;
    // It was closed on the way here.
    throw new Error('the connection did not arrive');
  }

  async listen(rule: ForwardRule): Promise<Listener> {
    const { handle } = await this.ask({ kind: 'listen', rule });
    if (handle instanceof UdpSocket) return { protocol: 'udp', socket: handle };
    if (handle instanceof Server) return { protocol: 'tcp', server: handle };
    throw new Error('the listener did not arrive');
  }

  async serve(rule: ForwardRule, listener: Listener, limits: ForwardLimits): Promise<void> {
    const handle = listener.protocol === 'tcp' ? listener.server : listener.socket;
    await this.ask({ kind: 'serve', rule, limits }, handle);
    releaseListener(listener);
  }

  /** The outer process closes its own when this one ends. */
  close(): void {}

  private ask(question: InnerQuestion, handle?: Handle): Promise<Reply> {
    const number = this.nextNumber++;
    return new Promise((resolve, reject) => {
      if (!process.connected) {
        reject(new Error('the outer process is gone'));
        return;
      }
      this.waiting.set(number, { resolve, reject });
      process.send?.({ number, question }, handle);
    });
  }

  private receive(answer: Answer, handle: Handle | undefined): void {
    const asked = this.waiting.get(answer.number);
    if (asked === undefined) return;
    this.waiting.delete(answer.number);
    if (answer.error !== undefined) {
      asked.reject(new GatewayError(answer.error.exitCode as ExitCode, answer.error.sentence));
    } else asked.resolve({ value: answer.value, handle });
  }

  private gone(): void {
    const reason = 'the outer process is gone';
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
    if (this.onGone === undefined) process.exit(1);
    // Nobody is left to kill us, should leaving in order get stuck.
    setTimeout(() => process.exit(1), LEAVE_TIME).unref();
    this.onGone(reason);
  }
}
