import { createSocket } from 'node:dgram';
import type { Target } from './targets.js';
import type { Outlet, Tunnel } from './tunnel.js';

/** Bytes of socket buffer asked for: bursts of whole windows pass. */
const BUFFER = 4 << 20;

/** A UDP socket of the tunnel's own, connected: only its target can answer. Rejects when the system has no way there. */
export function openUdpOutlet(target: Target & { kind: 'udp' }, tunnel: Tunnel): Promise<Outlet> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: target.family === 4 ? 'udp4' : 'udp6' });
    let closed = false;
    const close = (): void => {
      if (closed) return;
      closed = true;
      socket.close();
    };
    socket.once('error', (error) => {
      close();
      reject(error);
    });
    socket.connect(target.port, target.host, (error?: Error) => {
      if (error) {
        close();
        reject(error);
        return;
      }
      socket.removeAllListeners('error');
      // What ICMP says is no end: the target may be there again a moment later.
      socket.on('error', () => {});
      socket.on('message', (message) => tunnel.inward(message));
      try {
        socket.setRecvBufferSize(BUFFER);
        socket.setSendBufferSize(BUFFER);
      } catch {
        // Smaller buffers only mean more drops under load.
      }
      resolve({
        send: (datagram) => {
          // The bytes are lent; Node may keep them.
          if (!closed) socket.send(Buffer.from(datagram), () => {});
        },
        close,
      });
    });
  });
}
