import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';

/** A bound port of either protocol. Both kinds can be handed to another process by Node's IPC. */
export type Listener =
  | { readonly protocol: 'tcp'; readonly server: Server }
  | { readonly protocol: 'udp'; readonly socket: UdpSocket };
