import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type Server } from 'node:net';
import type { Log } from '../../../src/ports.js';
import { EXIT, GatewayError, messageOf, systemCode } from '../errors.js';
import { openSocketPort, SocketPort } from './datagram-port.js';
import type { ForwardLimits } from './forward-limits.js';
import { addressText, type ForwardRule, ruleText } from './forward-rule.js';
import { TcpForward } from './tcp-forward.js';
import { UdpForward } from './udp-forward.js';

/**
 * A bound port. A socket belongs to the network namespace it was made in, whichever process holds it; both kinds can
 * be handed to another process by Node's IPC. So the listener travels, and no connection needs a middleman.
 */
export type Listener =
  | { readonly protocol: 'tcp'; readonly server: Server }
  | { readonly protocol: 'udp'; readonly socket: UdpSocket };

/** Something that carries traffic until it is closed. */
export interface Forwarder {
  close(): void;
}

/** Binds the rule's listening side in this process's namespace. */
export function openListener(rule: ForwardRule): Promise<Listener> {
  const { host, port } = rule.listen;
  return new Promise((resolve, reject) => {
    const refused = (error: Error) => reject(listenError(rule, error));
    if (rule.protocol === 'tcp') {
      const server = createServer();
      server.once('error', refused);
      server.listen({ host, port, exclusive: true }, () => {
        server.off('error', refused);
        resolve({ protocol: 'tcp', server });
      });
    } else {
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
      socket.once('error', refused);
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off('error', refused);
        resolve({ protocol: 'udp', socket });
      });
    }
  });
}

/** Lets this process hold the listener no longer: another one does. */
export function releaseListener(listener: Listener): void {
  if (listener.protocol === 'tcp') listener.server.close();
  else listener.socket.close();
}

/** Carries what arrives at the listener to the rule's target, by connections that start in this process. */
export function startForward(
  rule: ForwardRule,
  listener: Listener,
  limits: ForwardLimits,
  log: Log,
): Forwarder {
  return listener.protocol === 'tcp'
    ? new TcpForward(listener.server, rule, limits, log)
    : new UdpForward(new SocketPort(listener.socket), rule, limits, log, openSocketPort);
}

function listenError(rule: ForwardRule, error: Error): GatewayError {
  const where = `${rule.protocol.toUpperCase()} ${addressText(rule.listen)}`;
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new GatewayError(
        EXIT.portTaken,
        `${where} is taken by another program; forward ${ruleText(rule)} needs another port`,
      );
    case 'EACCES':
      return new GatewayError(
        EXIT.permission,
        `${where} may be listened at by root only; use a port of 1024 or more`,
      );
    case 'EADDRNOTAVAIL':
      return new GatewayError(EXIT.configuration, `${where} is not an address of this machine`);
    default:
      return new GatewayError(EXIT.system, `cannot listen at ${where}: ${messageOf(error)}`);
  }
}
