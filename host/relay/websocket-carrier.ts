import type { WebSocket } from 'ws';
import type { RelayCounters } from './counters.js';
import type { RelayOptions } from './options.js';
import type { Carrier, Tunnel } from './tunnel.js';

/** RFC 6455 section 7.4.1. */
const GOING_AWAY = 1001;
const UNSUPPORTED_DATA = 1003;
/** Characters of a close frame's reason, which has 123 bytes. */
const MOST_REASON = 100;

/** A tunnel's connection that speaks WebSocket: one datagram in each binary message. */
export function carryMessages(
  socket: WebSocket,
  tunnel: Tunnel,
  options: RelayOptions,
  counters: RelayCounters,
): Carrier {
  let alive = true;
  socket.on('message', (data, binary) => {
    if (tunnel.ended) return;
    if (binary) tunnel.outward(data as Buffer);
    else {
      counters.protocolErrors++;
      socket.close(UNSUPPORTED_DATA);
      tunnel.end('a text message is no datagram');
    }
  });
  socket.on('pong', () => {
    alive = true;
  });
  const pings = setInterval(() => {
    if (!alive) {
      tunnel.end('it did not answer a ping');
      return;
    }
    alive = false;
    socket.ping();
  }, options.keepalive * 1000);
  socket.on('error', () => {
    counters.protocolErrors++;
  });
  socket.on('close', () => {
    clearInterval(pings);
    tunnel.end('the gateway has closed');
  });
  return {
    send: (datagram) => {
      if (socket.readyState !== socket.OPEN || socket.bufferedAmount + datagram.length > options.backlog)
        return false;
      // The bytes are lent, and `ws` keeps them until they are written.
      socket.send(Buffer.from(datagram), { binary: true });
      return true;
    },
    close: (reason) => {
      clearInterval(pings);
      socket.close(GOING_AWAY, reason.slice(0, MOST_REASON));
      setTimeout(() => socket.terminate(), 1_000).unref();
    },
  };
}
