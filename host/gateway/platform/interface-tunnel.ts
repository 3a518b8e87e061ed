import { setMaxListeners } from 'node:events';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Prefix } from '../../../src/packet/address.js';
import { formatAddress } from '../../../src/packet/address.js';
import type { PacketDevice, Resolver } from '../../../src/ports.js';
import { EXIT, GatewayError, messageOf } from '../errors.js';
import type { TunDescriptor } from '../offload/tun-open.js';
import { DEFAULT_FORWARD_LIMITS, type ForwardLimits } from './forward-limits.js';
import { exposeRules, forwardRule, ruleText } from './forward-rule.js';
import type { TunnelInterface } from './interface.js';
import { type Forwarder, openListener, startForward } from './listener.js';
import { DEFAULT_MTU, watchMtu } from './mtu.js';
import { systemPing } from './ping.js';
import type { Outside, Tunnel, TunnelMode, TunnelRequest, UdpSockets } from './tunnel.js';
import { closeUdpSockets, markUdpSockets } from './udp-sockets.js';
import type { UndoList } from './undo.js';

/** Longest that stopping the pump may hold up the rest, in ms: the interface might be gone by another hand. */
const PUMP_PATIENCE = 2_000;

/** A tunnel over a TUN interface: in the namespace we were started in, or in one of our own. */
export class InterfaceTunnel implements Tunnel {
  readonly mode: TunnelMode;
  readonly reason: string;
  readonly interfaceName: string;
  readonly tun: TunDescriptor;
  readonly device: PacketDevice | undefined = undefined;
  readonly resolver: Resolver;
  mtu = DEFAULT_MTU;
  sockets: UdpSockets;
  onMtu: ((mtu: number) => void) | undefined;
  onDown: (() => void | Promise<void>) | undefined;

  private readonly request: TunnelRequest;
  private readonly outside: Outside;
  private readonly iface: TunnelInterface;
  private readonly undo: UndoList;
  private readonly onExit: () => void;
  private readonly limits: ForwardLimits;
  /** Ends the pings that are under way. */
  private readonly pings = new AbortController();
  private readonly forwarders: Forwarder[] = [];
  /** Own addresses, as text, at which the exposed services are listened for. */
  private readonly exposedAt = new Set<string>();
  private readonly stopWatch: () => void;
  private mark = 0;
  private closing: Promise<void> | undefined;

  /** `onExit` is the handler of the process's `exit` event that runs `undo`; it goes when the tunnel does. */
  constructor(
    request: TunnelRequest,
    outside: Outside,
    iface: TunnelInterface,
    undo: UndoList,
    tun: TunDescriptor,
    sockets: UdpSockets,
    onExit: () => void,
  ) {
    this.mode = request.choice.mode;
    this.reason = request.choice.reason;
    this.interfaceName = tun.name;
    this.request = request;
    this.outside = outside;
    this.resolver = outside.resolver;
    this.iface = iface;
    this.undo = undo;
    this.tun = tun;
    this.sockets = sockets;
    this.onExit = onExit;
    this.limits = { ...DEFAULT_FORWARD_LIMITS, ...request.forwardLimits };
    this.mark = this.mode === 'rootless' ? 0 : request.settings.fwmark;
    // Any number of pings may be under way.
    setMaxListeners(0, this.pings.signal);
    this.stopWatch = watchMtu(tun.name, (mtu) => this.mtuChanged(mtu));
  }

  async configure(): Promise<void> {
    try {
      this.mtuChanged(await this.iface.configure());
      await this.startForwards();
      await this.iface.postUp();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get fwmark(): number {
    return this.mark;
  }

  async setAddresses(addresses: readonly Prefix[]): Promise<void> {
    await this.iface.setAddresses(addresses);
    await this.expose(addresses);
  }

  setRoutes(routes: readonly Prefix[]): Promise<void> {
    return this.iface.setRoutes(routes);
  }

  async rebind(port: number): Promise<UdpSockets> {
    if (port === this.sockets.port) return this.sockets;
    const sockets = await this.outside.bindUdp(port);
    if (this.mark !== 0) markUdpSockets(sockets, this.mark);
    this.sockets = sockets;
    return sockets;
  }

  async setMark(mark: number): Promise<void> {
    if (mark === this.mark) return;
    if (this.mode === 'rootless') {
      throw new GatewayError(
        EXIT.permission,
        'a firewall mark takes CAP_NET_ADMIN, which rootless mode does without',
      );
    }
    markUdpSockets(this.sockets, mark);
    this.mark = mark;
  }

  ping(address: string, timeout: number): Promise<number | undefined> {
    return systemPing(address, timeout, this.pings.signal);
  }

  close(): Promise<void> {
    this.closing ??= this.takeDown();
    return this.closing;
  }

  private async takeDown(): Promise<void> {
    this.pings.abort();
    await this.iface.preDown();
    this.stopWatch();
    for (const forwarder of this.forwarders) forwarder.close();
    this.outside.close();
    this.undo.run();
    process.off('exit', this.onExit);
    // The reader, woken by the deletion, has its turn before the descriptor's number can become another file's.
    try {
      await Promise.race([this.onDown?.(), sleep(PUMP_PATIENCE, undefined, { ref: false })]);
    } catch (error) {
      this.request.log.write('warn', 'pump-not-stopped', { reason: messageOf(error) });
    }
    closeUdpSockets(this.sockets);
    for (const fd of [this.tun.fd, ...this.tun.more]) closeSync(fd);
  }

  private async startForwards(): Promise<void> {
    const { forwards, settings, log } = this.request;
    for (const rule of forwards.map(forwardRule)) {
      const listener = await this.outside.listen(rule);
      this.forwarders.push(startForward(rule, listener, this.limits, log));
      log.write('info', 'forward-open', { rule: ruleText(rule) });
    }
    await this.expose(settings.addresses);
  }

  /** A listener at an address that is gone hears nothing more; should the address return, it hears again. */
  private async expose(addresses: readonly Prefix[]): Promise<void> {
    const { exposes, log } = this.request;
    const fresh = addresses
      .map(({ address }) => formatAddress(address))
      .filter((one) => !this.exposedAt.has(one));
    for (const one of fresh) this.exposedAt.add(one);
    for (const rule of exposes.flatMap((expose) => exposeRules(expose, fresh))) {
      await this.outside.serve(rule, await openListener(rule), this.limits);
      log.write('info', 'expose-open', { rule: ruleText(rule) });
    }
  }

  private mtuChanged(mtu: number): void {
    if (mtu === this.mtu) return;
    this.mtu = mtu;
    this.onMtu?.(mtu);
  }
}
