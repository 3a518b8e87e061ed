/** Watches what the peers' endpoints do to us: datagrams that cannot be sent, and a start that nobody answers. */

import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import type { Clock, Log } from '../../src/ports.js';
import type { Device } from '../../src/wireguard/device.js';
import type { Peer } from '../../src/wireguard/peer.js';
import type { Pump } from './pump.js';
import { failedEndpoint, failureText } from './send-failure.js';

/** A send failure older than this no longer explains anything, in ms. */
const FAILURE_MEMORY = 30_000;
/** How often failures to send are looked for, in ms. */
const FAILURE_WATCH = 1_000;

export class EndpointWatch {
  private readonly device: Device;
  private readonly pump: Pump;
  private readonly clock: Clock;
  private readonly log: Log;
  private patience: NodeJS.Timeout | undefined;
  private watch: NodeJS.Timeout | undefined;

  constructor(device: Device, pump: Pump, clock: Clock, log: Log) {
    this.device = device;
    this.pump = pump;
    this.clock = clock;
    this.log = log;
  }

  /** Tells of endpoints that datagrams cannot be sent to, each time the reason is a new one. */
  start(): void {
    let told = '';
    this.watch = setInterval(() => {
      const failure = this.pump.lastFailure;
      if (failure === undefined) return;
      const endpoint = failedEndpoint(failure);
      const reason = failureText(failure);
      if (told === endpoint + reason) return;
      told = endpoint + reason;
      this.log.write('warn', 'endpoint-unreachable', { endpoint, reason });
    }, FAILURE_WATCH).unref();
  }

  /** Calls `gaveUp` when no peer has answered within so many seconds. */
  giveUpAfter(seconds: number, gaveUp: () => void): void {
    this.patience = setTimeout(() => {
      const peers = Array.from(this.device.peers());
      if (peers.some((peer) => peer.lastHandshakeWall !== 0)) return;
      const named = peers
        .map((peer) => formatEndpoint(peer.endpoint, 0) || 'a peer without endpoint')
        .join(', ');
      const reason = `no peer answered within ${seconds} s (${named}); check Endpoint, keys and whether UDP passes`;
      this.log.write('error', 'no-peer-answered', { reason });
      gaveUp();
    }, seconds * 1000);
  }

  stop(): void {
    clearTimeout(this.patience);
    clearInterval(this.watch);
  }

  /** What the host knows about a peer beyond what the device does. */
  detail(peer: Peer): string | undefined {
    const nameError = this.pump.nameError(peer);
    if (nameError !== undefined) return nameError;
    const failure = this.pump.lastFailure;
    if (failure === undefined || this.clock.monotonic() - failure.at > FAILURE_MEMORY) return undefined;
    const endpoint = failedEndpoint(failure);
    return formatEndpoint(peer.endpoint, 0) === endpoint
      ? `cannot send to ${endpoint}: ${failureText(failure)}`
      : undefined;
  }
}
