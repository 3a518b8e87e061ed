/** A running gateway on a chip: device, lwIP interface and UDP socket put together. */

import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { applyConfig } from '../../../src/gateway/apply-config.js';
import type { ManagedGateway } from '../../../src/gateway/managed-gateway.js';
import { Gateway } from '../../../src/gateway.js';
import type { Prefix } from '../../../src/packet/address.js';
import type { Clock, Log, Store } from '../../../src/ports.js';
import { planRoutes } from '../../../src/router/routes.js';
import { Device } from '../../../src/wireguard/device.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';
import { offerNameServer } from '../../native/esp32/name-server.js';
import { LwipTunnel } from '../../native/esp32/tunnel.js';
import { UplinkSocket } from '../../native/esp32/uplink.js';
import type { Edge } from '../../xs/edge.js';
import { CHIP_BATCH, CHIP_LIMITS, CHIP_QUEUE, TUNNEL_MTU } from './limits.js';
import { OneShot } from './one-shot.js';
import { LwipResolver } from './resolver.js';
import { writeStatus } from './status-lines.js';
import type { Uplink } from './uplink.js';

/** A deadline missed by this much shows that the loop does not advance, ms. */
const LATE = 3_000;

export interface ChipGatewayOptions {
  readonly config: TunnelConfig;
  /** Of an enrolled chip: who configures it. */
  readonly managed?: ManagedGateway;
  readonly uplink: Uplink;
  /** Whether peers may reach the network of the uplink. */
  readonly shareSite: boolean;
  readonly primitives: Primitives;
  readonly store: Store;
  readonly clock: Clock;
  readonly edge: Edge;
  readonly log: Log;
}

export class ChipGateway {
  readonly #options: ChipGatewayOptions;
  readonly #device: Device;
  readonly #tunnel: LwipTunnel;
  readonly #startedAt: number;
  #socket: UplinkSocket | undefined;

  /** Everything but the socket, which waits for its interface. Throws what is wrong. */
  constructor(options: ChipGatewayOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    const { config, primitives, store, clock, edge, log } = options;
    const device = new Device({
      primitives,
      clock,
      log,
      timestamps: new TimestampSource(clock, store, log),
      limits: CHIP_LIMITS,
    });
    this.#device = device;
    const mtu = Math.min(config.interface.mtu ?? TUNNEL_MTU, TUNNEL_MTU);
    device.mtu = mtu;
    this.#tunnel = new LwipTunnel(mtu, CHIP_QUEUE, edge);
    this.#configureTunnel(config);
    applyConfig(device, config, undefined, new Map());
  }

  /** The uplink has an address (again). */
  linkUp(): void {
    if (this.#socket === undefined) this.#start();
  }

  /** Whether the loop does what is due. */
  get advances(): boolean {
    return this.#socket === undefined || this.#device.nextDeadline() > this.#options.clock.monotonic() - LATE;
  }

  /** Looks for what a lost call of lwIP's may have left waiting. */
  poll(): void {
    this.#tunnel.wake();
    this.#socket?.wake();
  }

  /** Writes to the log how everything is. */
  tellStatus(): void {
    const socket = this.#socket;
    writeStatus(this.#options.log, this.#device, {
      listenPort: socket?.port ?? 0,
      up: this.#startedAt,
      now: this.#options.clock.monotonic(),
      dropped: this.#tunnel.dropped + (socket?.dropped ?? 0),
    });
  }

  #configureTunnel({ interface: settings, peers }: TunnelConfig): void {
    const { log } = this.#options;
    const tunnel = this.#tunnel;
    for (const prefix of settings.addresses) {
      if (!tunnel.addAddress(prefix))
        log.write('warn', 'address-left-out', { reason: 'lwIP has no room for it' });
    }
    const allowedIps = peers.flatMap((peer) => peer.allowedIps);
    const { routes, defaults } = planRoutes(allowedIps, settings.addresses, settings.table);
    const all = defaults.map((family) => ({
      address: new Uint8Array(family === 4 ? 4 : 16),
      prefixLength: 0,
    }));
    tunnel.setRoutes([...routes, ...all]);
  }

  #start(): void {
    const { config, managed, uplink, shareSite, clock, edge, log } = this.#options;
    const socket = new UplinkSocket(uplink.key, config.interface.listenPort ?? 0, CHIP_QUEUE, edge);
    this.#socket = socket;
    for (const key of uplink.clientKeys) {
      this.#translateFrom(key);
      this.#nameServerFor(key);
    }
    if (shareSite) this.#translateFrom('');
    new Gateway({
      device: this.#device,
      tunnel: this.#tunnel,
      socket,
      clock,
      log,
      timer: new OneShot(edge),
      resolver: new LwipResolver(edge),
      batchCapacity: CHIP_BATCH,
    }).start();
    managed?.start(this.#device, socket.port, {
      setMtu: (mtu) => this.#setMtu(mtu),
      setNetwork: (addresses, routes) => this.#setNetwork(addresses, routes),
    });
    log.write('info', 'up', {
      listenPort: socket.port,
      mtu: this.#device.mtu,
      peers: this.#device.peerCount,
    });
  }

  #setMtu(mtu: number | undefined): void {
    this.#device.mtu = Math.min(mtu ?? TUNNEL_MTU, TUNNEL_MTU);
    this.#tunnel.setMtu(this.#device.mtu);
  }

  /** An address that is gone stays until the next start: it is nobody else's, and lwIP has no call to take one back. */
  #setNetwork(addresses: readonly Prefix[], routes: readonly Prefix[]): boolean {
    let good = true;
    for (const address of addresses) good = this.#tunnel.addAddress(address) && good;
    this.#tunnel.setRoutes(routes);
    return good;
  }

  /** The configuration's first IPv4 name server, else the uplink's: clients need one to be asked for by DHCP. */
  #nameServerFor(key: string): void {
    const { config, uplink, log } = this.#options;
    const own = config.interface.dnsServers.find((address) => address.length === 4) ?? null;
    if (offerNameServer(key, uplink.key, own)) log.write('info', 'name-server', { clients: key });
    else log.write('warn', 'no-name-server', { clients: key, remedy: 'set DNS in the configuration' });
  }

  #translateFrom(key: string): void {
    const done = this.#tunnel.translateFrom(key);
    this.#options.log.write(done ? 'info' : 'warn', done ? 'translating' : 'not-translating', {
      from: key === '' ? 'tunnel' : key,
    });
  }
}
