import { peerView } from '../../../src/gateway/status.js';
import type { Log } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';

/** Numbers of zones are their names here. */
const zoneName = (index: number): string => String(index);
const nothing = (): undefined => undefined;

/**
 * What `wg show` would tell, as lines of the log: one for the interface, one a peer. `up` is since when, `now` the time,
 * both monotonic ms; `dropped` counts packets that lwIP and the queues lost. No line holds a secret.
 */
export function writeStatus(
  log: Log,
  device: Device,
  { listenPort, up, now, dropped }: { listenPort: number; up: number; now: number; dropped: number },
): void {
  log.write('info', 'status', {
    uptime: Math.round((now - up) / 1000),
    listenPort,
    mtu: device.mtu,
    peers: device.peerCount,
    underLoad: device.underLoad,
    dropped,
  });
  for (const peer of device.peers()) {
    const view = peerView(peer, device, now, nothing, zoneName);
    log.write('info', 'peer', {
      key: `${view.publicKey.slice(0, 8)}…`,
      state: view.state,
      reason: view.reason,
      endpoint: view.endpoint ?? view.endpointName ?? undefined,
      handshakeAge: view.handshakeAge ?? undefined,
      received: view.received,
      sent: view.sent,
    });
  }
}
