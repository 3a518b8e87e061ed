import type { Prefix } from '../../../src/packet/address.js';
import { formatAddress, parseAddress } from '../../../src/packet/address.js';
import type { Resolver } from '../../../src/ports.js';
import { EXIT, GatewayError } from '../errors.js';
import { openSocketPort, SocketPort } from './datagram-port.js';
import { DEFAULT_FORWARD_LIMITS, type ForwardLimits } from './forward-limits.js';
import { exposeRules, type ForwardRule, forwardRule, ruleText, type SocketAddress } from './forward-rule.js';
import type { Forwarder } from './listener.js';
import { MinimalDevice } from './minimal-device.js';
import type { Outside, Tunnel, TunnelRequest, UdpSockets } from './tunnel.js';
import { UdpForward } from './udp-forward.js';
import { closeUdpSockets } from './udp-sockets.js';

/** A tunnel without an interface: see `MinimalDevice`. Rejects when the configuration asks for what it cannot do. */
export async function openMinimalTunnel(request: TunnelRequest, outside: Outside): Promise<Tunnel> {
  const { settings, log, choice } = request;
  const tcp = [...request.forwards, ...request.exposes].find((rule) => rule.protocol === 'tcp');
  if (tcp !== undefined) {
    throw new GatewayError(
      EXIT.permission,
      `a TCP forward needs the kernel's TCP, which the minimal mode does without (${choice.reason}); use a UDP forward, or run where another mode is possible`,
    );
  }
  const hooks =
    settings.preUp.length + settings.postUp.length + settings.preDown.length + settings.postDown.length;
  if (hooks > 0 || settings.dns.length > 0) {
    log.write('warn', 'hooks-and-dns-left-out', {
      reason: 'minimal mode has no interface that they could be for',
    });
  }
  const sockets = await outside.bindUdp(request.listenPort);
  const mtu = settings.mtu ?? (await outside.measureMtu(settings.endpoints));
  return new MinimalTunnel(request, outside, sockets, mtu);
}

class MinimalTunnel implements Tunnel {
  readonly mode = 'minimal';
  readonly reason: string;
  readonly interfaceName: string;
  readonly fwmark = 0;
  readonly mtu: number;
  readonly tun = undefined;
  readonly device: MinimalDevice;
  readonly resolver: Resolver;
  sockets: UdpSockets;
  onMtu: ((mtu: number) => void) | undefined;
  onDown: (() => void | Promise<void>) | undefined;

  private readonly request: TunnelRequest;
  private readonly outside: Outside;
  private readonly limits: ForwardLimits;
  private readonly forwarders: Forwarder[] = [];
  /** Own addresses, as text, at which the exposed services are listened for. */
  private readonly exposedAt = new Set<string>();

  constructor(request: TunnelRequest, outside: Outside, sockets: UdpSockets, mtu: number) {
    this.reason = request.choice.reason;
    this.interfaceName = request.interfaceName;
    this.request = request;
    this.outside = outside;
    this.resolver = outside.resolver;
    this.sockets = sockets;
    this.mtu = mtu;
    this.device = new MinimalDevice(
      request.settings.addresses.map((prefix) => prefix.address),
      mtu,
    );
    this.limits = { ...DEFAULT_FORWARD_LIMITS, ...request.forwardLimits };
  }

  async configure(): Promise<void> {
    const { forwards, settings, log } = this.request;
    try {
      for (const rule of forwards.map(forwardRule)) {
        const listener = await this.outside.listen(rule);
        if (listener.protocol !== 'udp') throw new Error('minimal mode carries UDP only');
        this.start(rule, new SocketPort(listener.socket), (target) => this.openInside(target));
        log.write('info', 'forward-open', { rule: ruleText(rule) });
      }
      this.expose(settings.addresses);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async setAddresses(addresses: readonly Prefix[]): Promise<void> {
    this.device.setAddresses(addresses.map(({ address }) => address));
    this.expose(addresses);
  }

  /** There are no routes: every packet for a peer comes from the forwards, and the core finds the peer. */
  async setRoutes(_routes: readonly Prefix[]): Promise<void> {}

  async rebind(port: number): Promise<UdpSockets> {
    if (port !== this.sockets.port) this.sockets = await this.outside.bindUdp(port);
    return this.sockets;
  }

  async setMark(mark: number): Promise<void> {
    if (mark === 0) return;
    throw new GatewayError(
      EXIT.permission,
      'a firewall mark takes CAP_NET_ADMIN, which minimal mode does without',
    );
  }

  ping(address: string, timeout: number): Promise<number | undefined> {
    return this.device.ping(address, timeout);
  }

  async close(): Promise<void> {
    for (const forwarder of this.forwarders.splice(0)) forwarder.close();
    this.outside.close();
    await this.onDown?.();
    this.device.close();
    closeUdpSockets(this.sockets);
  }

  private expose(addresses: readonly Prefix[]): void {
    const { exposes, log } = this.request;
    const fresh = addresses
      .map(({ address }) => formatAddress(address))
      .filter((one) => !this.exposedAt.has(one));
    for (const one of fresh) this.exposedAt.add(one);
    for (const rule of exposes.flatMap((expose) => exposeRules(expose, fresh))) {
      this.start(rule, this.device.openPort(rule.listen.host, rule.listen.port), openSocketPort);
      log.write('info', 'expose-open', { rule: ruleText(rule) });
    }
  }

  private start(
    rule: ForwardRule,
    listener: ConstructorParameters<typeof UdpForward>[0],
    open: ConstructorParameters<typeof UdpForward>[4],
  ): void {
    this.forwarders.push(new UdpForward(listener, rule, this.limits, this.request.log, open));
  }

  private async openInside(target: SocketAddress): Promise<ReturnType<MinimalDevice['openPort']>> {
    const address = parseAddress(target.host);
    const source = address === undefined ? undefined : this.device.sourceFor(address);
    if (source === undefined) throw new Error(`the tunnel has no address to reach ${target.host} from`);
    return this.device.openPort(formatAddress(source));
  }
}
