/** Carries the TCP connections of one listener to the rule's target. */

import { connect, type Server, type Socket } from 'node:net';
import type { Log } from '../../../src/ports.js';
import { messageOf } from '../errors.js';
import type { ForwardLimits } from './forward-limits.js';
import { type ForwardRule, ruleText } from './forward-rule.js';

/**
 * The kernel does the flow control: each side is read only as fast as the other takes it. The end of one direction
 * is passed on alone (half-close), a broken connection is passed on as a reset.
 */
export class TcpForward {
  /** Connections turned away because the rule had `maxConnections` already. */
  refused = 0;

  private readonly server: Server;
  private readonly rule: ForwardRule;
  private readonly limits: ForwardLimits;
  private readonly log: Log;
  private readonly sockets = new Set<Socket>();
  private connections = 0;

  /** `server` is listening already. */
  constructor(server: Server, rule: ForwardRule, limits: ForwardLimits, log: Log) {
    this.server = server;
    this.rule = rule;
    this.limits = limits;
    this.log = log;
    server.on('connection', (client) => this.accept(client));
    server.on('error', (error) => log.write('warn', 'forward-failed', this.fields(error)));
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  private accept(client: Socket): void {
    if (this.connections >= this.limits.maxConnections) {
      this.refused++;
      client.resetAndDestroy();
      return;
    }
    this.connections++;
    const { host, port } = this.rule.target;
    const target = connect({ host, port, allowHalfOpen: true, noDelay: true });
    // Set here, since a server that came from another process does not remember its options.
    client.allowHalfOpen = true;
    client.setNoDelay(true);
    this.join(client, target);
    this.join(target, client);
    client.once('close', () => {
      this.connections--;
    });

    const slow = setTimeout(() => {
      this.log.write('debug', 'forward-target-silent', this.fields());
      client.resetAndDestroy();
    }, this.limits.connectTimeout);
    target.once('close', () => clearTimeout(slow));
    target.once('connect', () => {
      clearTimeout(slow);
      client.pipe(target);
      target.pipe(client);
    });
    if (this.limits.connectionIdle > 0) {
      // Whatever passes in either direction passes this socket, so one watch is enough.
      client.setTimeout(this.limits.connectionIdle, () => client.resetAndDestroy());
    }
  }

  /** What one side's end means for the other; `pipe` passes on an orderly end. */
  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on('error', (error) => {
      this.log.write('debug', 'forward-connection-broken', this.fields(error));
      if (!to.destroyed) to.resetAndDestroy();
    });
    from.on('close', () => {
      this.sockets.delete(from);
      // Unless both directions came to their end, the other side would wait for ever.
      if (!(from.readableEnded && from.writableFinished) && !to.destroyed) to.resetAndDestroy();
    });
  }

  private fields(error?: unknown): { rule: string; error: string | undefined } {
    return { rule: ruleText(this.rule), error: error === undefined ? undefined : messageOf(error) };
  }
}
