/** Opens a tunnel's way in and out in whichever mode was chosen. */

import { EXIT, GatewayError } from '../errors.js';
import { openTun, type TunDescriptor, TunOpenError } from '../offload/tun-open.js';
import { requireFreeName, TunnelInterface } from './interface.js';
import { InterfaceTunnel } from './interface-tunnel.js';
import { LocalOutside } from './local-outside.js';
import { openMinimalTunnel } from './minimal-tunnel.js';
import { prepareNamespace } from './namespace.js';
import type { Tunnel, TunnelRequest, UdpSockets } from './tunnel.js';
import { closeUdpSockets, markUdpSockets } from './udp-sockets.js';
import { healCrashes, UndoList } from './undo.js';

/**
 * Runs the PreUp hooks, opens the TUN interface (or user space in minimal mode) and binds the UDP sockets. Rejects
 * with a `GatewayError` and leaves nothing behind when any of it fails.
 *
 * What is left to the caller: handlers for SIGINT and SIGTERM that call `close`, set before this. Any other end of the
 * process but SIGKILL takes the changes back by itself; after SIGKILL the next `openTunnel` does.
 */
export async function openTunnel(request: TunnelRequest): Promise<Tunnel> {
  const { choice, log, settings, interfaceName } = request;
  const outside = request.outside ?? new LocalOutside(choice, log, request.listenAddress);
  if (choice.mode === 'minimal') return openMinimalTunnel(request, outside);

  const isolated = choice.mode === 'rootless';
  if (isolated) await prepareNamespace();
  // A namespace of our own leaves nothing to heal: it goes with its last process.
  const stateDirectory = isolated ? undefined : request.stateDirectory;
  healCrashes(stateDirectory, log);
  requireFreeName(interfaceName);

  const undo = new UndoList(interfaceName, stateDirectory, log);
  const takeBack = () => undo.run();
  process.once('exit', takeBack);
  let tunnel: InterfaceTunnel | undefined;
  const iface = new TunnelInterface({
    name: interfaceName,
    settings,
    undo,
    log,
    isolated,
    setMark: async (mark) => tunnel?.setMark(mark),
    measureMtu: (endpoints) => outside.measureMtu(endpoints),
  });
  let sockets: UdpSockets | undefined;
  try {
    // Sockets first: a taken port is the likeliest mistake, and no hook should have run for it.
    sockets = await outside.bindUdp(request.listenPort);
    if (settings.fwmark !== 0) {
      if (isolated)
        log.write('info', 'fwmark-not-set', { reason: 'rootless: no other routes to keep apart from' });
      else markUdpSockets(sockets, settings.fwmark);
    }
    await iface.preUp();
    const tun = openInterface(interfaceName, request.vnetHeader, request.queues ?? 1);
    iface.created();
    tunnel = new InterfaceTunnel(request, outside, iface, undo, tun, sockets, takeBack);
    return tunnel;
  } catch (error) {
    process.off('exit', takeBack);
    undo.run();
    if (sockets !== undefined) closeUdpSockets(sockets);
    throw error;
  }
}

function openInterface(name: string, offload: boolean, queues: number): TunDescriptor {
  try {
    return openTun({ name, offload, queues });
  } catch (error) {
    if (!(error instanceof TunOpenError)) throw error;
    switch (error.code) {
      case 'EPERM':
      case 'EACCES':
        throw new GatewayError(
          EXIT.permission,
          `${error.message}; run as root or with CAP_NET_ADMIN, or use --mode rootless`,
        );
      case 'EBUSY':
        throw new GatewayError(EXIT.alreadyRunning, `the interface ${name} is in use by another program`);
      case 'EINVAL':
        throw new GatewayError(
          EXIT.system,
          `the kernel refuses ${name} as an interface name (all and default are words of its own); use another name`,
        );
      default:
        throw new GatewayError(EXIT.system, error.message);
    }
  }
}
