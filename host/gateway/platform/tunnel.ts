/**
 * What the platform gives the gateway's runtime: a way in and out for IP packets, UDP sockets, name look-ups,
 * forwards, and an undo for all of it. The runtime sees one shape, whichever of the three modes serves it.
 *
 * How a runtime uses it:
 *
 * ```ts
 * const outside = await joinOutside();                 // rootless.ts: defined only in the inner process
 * const choice = outside?.choice ?? (await chooseMode({ forced }));
 * if (choice.mode === 'rootless' && outside === undefined) {
 *   const inner = await startInner({ arguments: ['up', '--inner'], payload, choice, log });
 *   process.exitCode = await inner.exited;             // the outer process only supervises
 * } else {
 *   const tunnel = await openTunnel({ ...request, choice, outside });   // PreUp hooks, TUN, UDP sockets
 *   // make Device and pump over tunnel.tun or tunnel.device and tunnel.sockets, start them
 *   await tunnel.configure();                          // addresses, MTU, link up, DNS, routes, forwards, PostUp
 *   ...
 *   await tunnel.close();                              // PreDown, everything in reverse order, PostDown
 * }
 * ```
 */

import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import type { Expose, Forward } from '../../../src/config/forwards.js';
import type { InterfaceConfig } from '../../../src/config/tunnel-config.js';
import type { Prefix } from '../../../src/packet/address.js';
import type { Log, PacketDevice, Resolver } from '../../../src/ports.js';
import type { TunDescriptor } from '../offload/tun-open.js';
import type { ForwardLimits } from './forward-limits.js';
import type { ForwardRule } from './forward-rule.js';
import type { Listener } from './listener.js';

/**
 * - `tun`: a TUN interface in the network namespace the program was started in. Needs CAP_NET_ADMIN.
 * - `rootless`: a TUN interface in a user and network namespace of our own; the outside is reached by forwards.
 * - `minimal`: no interface at all; user space answers ping and carries UDP forwards.
 */
export type TunnelMode = 'tun' | 'rootless' | 'minimal';

export interface ModeChoice {
  readonly mode: TunnelMode;
  /** One sentence for the owner: why this mode. */
  readonly reason: string;
  /** The better modes that could not be had, best first, each with the reason. */
  readonly rejected: readonly { readonly mode: TunnelMode; readonly reason: string }[];
}

/** The part of a wg-quick file that concerns the interface; `interfaceSettings()` takes it out of a configuration. */
export interface InterfaceSettings {
  readonly addresses: readonly Prefix[];
  /** Bytes. Absent: taken from the route to the endpoints, less 80. */
  readonly mtu: number | undefined;
  readonly table: InterfaceConfig['table'];
  /** Addresses as text. */
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly preUp: readonly string[];
  readonly postUp: readonly string[];
  readonly preDown: readonly string[];
  readonly postDown: readonly string[];
  /** AllowedIPs of all peers. */
  readonly routes: readonly Prefix[];
  /** Addresses of the peers' endpoints as text, as far as known; only the MTU depends on them. */
  readonly endpoints: readonly string[];
  /** SO_MARK of the UDP sockets; 0 for none. A default route then chooses one by itself. */
  readonly fwmark: number;
}

/** The tunnel's UDP sockets on one port, bound and receiving nothing yet (no `message` listener). */
export interface UdpSockets {
  readonly port: number;
  readonly v4: UdpSocket | undefined;
  readonly v6: UdpSocket | undefined;
}

export interface TunnelRequest {
  readonly interfaceName: string;
  readonly choice: ModeChoice;
  /** The inner process's line to the outer one, from `joinOutside()`; absent in `tun` and `minimal` mode. */
  readonly outside?: Outside | undefined;
  readonly settings: InterfaceSettings;
  /** 0: any free port. */
  readonly listenPort: number;
  /** The only address of this machine at which the UDP sockets receive (not in the inner process); otherwise every one. */
  readonly listenAddress?: string | undefined;
  /** Ask for IFF_VNET_HDR; where it is refused a plain TUN is opened and `tun.offload` says so. */
  readonly vnetHeader: boolean;
  /** Queues of the TUN interface; 1 unless told. */
  readonly queues?: number | undefined;
  /** Outside listener -> through the tunnel to the target. */
  readonly forwards: readonly Forward[];
  /** Listener on the tunnel's addresses -> outside service. */
  readonly exposes: readonly Expose[];
  readonly forwardLimits?: Partial<ForwardLimits> | undefined;
  readonly log: Log;
  /** Directory (0700) for the list of changes that heals a crash. `undefined`: none is kept. */
  readonly stateDirectory: string | undefined;
}

export interface Tunnel {
  readonly mode: TunnelMode;
  readonly reason: string;
  readonly interfaceName: string;
  /** Inner MTU in bytes; settled when `configure` resolves, 1420 before. */
  readonly mtu: number;
  /**
   * `tun` and `rootless`. `close` deletes the interface, which ends a blocked read with EFAULT, and then closes
   * the descriptor: nobody else closes it.
   */
  readonly tun: TunDescriptor | undefined;
  /** `minimal`. */
  readonly device: PacketDevice | undefined;
  /** The current ones; `rebind` replaces them. */
  readonly sockets: UdpSockets;
  /** SO_MARK of the sockets, also when a default route chose it; 0: none. */
  readonly fwmark: number;
  /** Looks names up where there is a network: in the outer process when this one lives in a namespace. */
  readonly resolver: Resolver;
  /** Called when somebody changes the interface's MTU. */
  onMtu: ((mtu: number) => void) | undefined;
  /**
   * Called by `close` when the interface is gone, before descriptor and sockets are closed: the place to stop the pump,
   * which then finds neither closed under its hands.
   */
  onDown: (() => void | Promise<void>) | undefined;

  /**
   * Everything after "packets can flow": addresses, MTU, link up, DNS, routes, forwards, PostUp. Rejects with a
   * `GatewayError` after taking everything back (and after `close`) when any step fails.
   */
  configure(): Promise<void>;
  /**
   * Brings the interface's own addresses in line with a new list: first all that are new, with what is exposed at them,
   * then all that are gone. What this host begins comes from the first of its family. Rejects when the system refuses one; the others are then as asked.
   */
  setAddresses(addresses: readonly Prefix[]): Promise<void>;
  /** Brings the routes in line with a new list of AllowedIPs (reload). */
  setRoutes(routes: readonly Prefix[]): Promise<void>;
  /**
   * New sockets on another port (`wg set listen-port`), marked as the old ones; those are for the caller to close.
   * The port in use gives the same object again; 0 gives any free port.
   */
  rebind(port: number): Promise<UdpSockets>;
  /** Marks the current and later UDP sockets (SO_MARK). Rejects in the modes that cannot. */
  setMark(mark: number): Promise<void>;
  /** Sends one ICMP echo through the tunnel; milliseconds until the answer, `undefined` when none came in time. */
  ping(address: string, timeout: number): Promise<number | undefined>;
  /** Takes everything back, newest first. Safe to call twice and at any moment. Never rejects. */
  close(): Promise<void>;
}

/** What only the network namespace outside can do. In `tun` and `minimal` mode that is this very process. */
export interface Outside {
  readonly choice: ModeChoice;
  /** What `startInner` was given as `payload`: configuration with its secrets, passed through a pipe. */
  readonly payload: unknown;
  readonly resolver: Resolver;
  bindUdp(port: number): Promise<UdpSockets>;
  /** MTU in bytes by the routes to these endpoint addresses. */
  measureMtu(endpoints: readonly string[]): Promise<number>;
  /** A TCP connection made outside; whoever asked speaks first. Rejects with the system's reason. */
  connect(host: string, port: number): Promise<Socket>;
  /** Binds a forward's listener outside and brings it here; its connections go on from this process. */
  listen(rule: ForwardRule): Promise<Listener>;
  /** Takes a listener made here outside, where its connections go on to the rule's target. */
  serve(rule: ForwardRule, listener: Listener, limits: ForwardLimits): Promise<void>;
  /** The outer process is gone: close the tunnel and exit. Without a handler the inner process exits by itself. */
  onGone: ((reason: string) => void) | undefined;
  /** Ends what `serve` began, as far as this process does it. */
  close(): void;
}
