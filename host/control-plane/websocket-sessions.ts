/** Sessions over WebSocket. The token is checked before the upgrade, so that nobody else ever has a WebSocket. */

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { LARGEST_MESSAGE_BYTES } from '../../src/control/messages.js';
import type { Door } from './door.js';
import { CLOSE, type GatewaySession, MOST_WAITING, type SessionTransport } from './gateway-session.js';

/** Who does not answer a close is cut off after so many ms. */
const CLOSE_PATIENCE = 2_000;

export class WebSocketSessions {
  readonly #door: Door;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: LARGEST_MESSAGE_BYTES,
    perMessageDeflate: false,
  });

  constructor(door: Door) {
    this.#door = door;
  }

  /** Takes the upgrades of this server; `inTunnel`: its connections come out of the tunnel. */
  serve(server: Server, inTunnel = false): void {
    server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head, inTunnel).catch(() => socket.destroy());
    });
  }

  stop(): void {
    this.#sockets.close();
    for (const client of this.#sockets.clients) setTimeout(() => client.terminate(), 500).unref();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, inTunnel: boolean): Promise<void> {
    socket.on('error', () => socket.destroy());
    const target = new URL(request.url ?? '/', 'http://localhost');
    if (target.pathname !== '/ws') return turnAway(socket, '404 Not Found');
    // The query only where a client cannot set headers: addresses end up in logs.
    const bearer = /^Bearer ([\w.-]+)$/.exec(request.headers.authorization ?? '')?.[1];
    const admission = await this.#door.admit(bearer ?? target.searchParams.get('token') ?? '');
    if (!admission.admitted) {
      const { status, retryAfter } = admission;
      if (status === 503)
        return turnAway(socket, '503 Service Unavailable', `Retry-After: ${retryAfter}\r\n`);
      return turnAway(socket, status === 401 ? '401 Unauthorized' : '403 Forbidden');
    }
    if (socket.destroyed) return;
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const transport = new WebSocketTransport(webSocket);
      // Out of the tunnel everybody comes from its near end.
      const remote = inTunnel ? '' : (request.socket.remoteAddress ?? '');
      const session = this.#door.open(transport, admission.claims, remote);
      session.inTunnel = inTunnel;
      transport.carry(session);
    });
  }
}

class WebSocketTransport implements SessionTransport {
  readonly kind = 'websocket';
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  carry(session: GatewaySession): void {
    this.#socket.on('message', (data: Buffer, binary) => {
      if (binary) this.close(CLOSE.unsupported, 'messages are text');
      else session.received(data.toString('utf8'));
    });
    this.#socket.on('error', () => this.#socket.terminate());
    this.#socket.on('close', () => session.ended());
  }

  send(text: string): boolean {
    if (this.#socket.bufferedAmount > MOST_WAITING) return false;
    this.#socket.send(text);
    return true;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    setTimeout(() => this.terminate(), CLOSE_PATIENCE).unref();
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

function turnAway(socket: Duplex, status: string, headers = ''): void {
  socket.end(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}
