import { connect, type Socket } from 'node:net';
import type { Log, Resolver } from '../../../src/ports.js';
import { NodeResolver } from '../resolver.js';
import type { ForwardLimits } from './forward-limits.js';
import type { ForwardRule } from './forward-rule.js';
import { type Forwarder, type Listener, openListener, startForward } from './listener.js';
import { measureMtu } from './mtu.js';
import type { ModeChoice, Outside, UdpSockets } from './tunnel.js';
import { bindUdpSockets } from './udp-sockets.js';

/** ms; whoever waits for the connection gives up no later. */
const CONNECT_TIMEOUT = 10_000;

/** The outside of a process that lives there itself; also what the outer process of rootless mode works with. */
export class LocalOutside implements Outside {
  readonly choice: ModeChoice;
  readonly payload = undefined;
  readonly resolver: Resolver = new NodeResolver();
  onGone: ((reason: string) => void) | undefined;

  private readonly log: Log;
  private readonly listenAddress: string | undefined;
  private readonly forwarders = new Set<Forwarder>();

  /** `listenAddress`: the only one of this machine at which the tunnel's UDP sockets receive; otherwise every one. */
  constructor(choice: ModeChoice, log: Log, listenAddress?: string) {
    this.choice = choice;
    this.log = log;
    this.listenAddress = listenAddress;
  }

  bindUdp(port: number): Promise<UdpSockets> {
    return bindUdpSockets(port, this.listenAddress);
  }

  measureMtu(endpoints: readonly string[]): Promise<number> {
    return measureMtu(endpoints);
  }

  connect(host: string, port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      const patience = setTimeout(
        () => socket.destroy(new Error(`${host} did not answer in time`)),
        CONNECT_TIMEOUT,
      );
      socket.once('error', reject);
      socket.once('close', () => clearTimeout(patience));
      socket.once('connect', () => {
        clearTimeout(patience);
        socket.off('error', reject);
        resolve(socket);
      });
    });
  }

  listen(rule: ForwardRule): Promise<Listener> {
    return openListener(rule);
  }

  async serve(rule: ForwardRule, listener: Listener, limits: ForwardLimits): Promise<void> {
    this.forwarders.add(startForward(rule, listener, limits, this.log));
  }

  close(): void {
    for (const forwarder of this.forwarders) forwarder.close();
    this.forwarders.clear();
  }
}
