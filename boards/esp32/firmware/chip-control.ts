/** The control side of a chip: it enrols with the claim it was given, then keeps its session inside the tunnel. */

import { Backoff } from '../../../src/control/backoff.js';
import { SMALL_MESSAGE_BYTES } from '../../../src/control/messages.js';
import { routeKind } from '../../../src/control/routes.js';
import { StreamHttpClient } from '../../../src/control/stream/stream-http-client.js';
import { StreamLinks } from '../../../src/control/stream/stream-links.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { ManagedGateway } from '../../../src/gateway/managed-gateway.js';
import { type Claim, type Enrolment, parseClaim } from '../../../src/identity/enrolment.js';
import { GatewayIdentity } from '../../../src/identity/gateway-identity.js';
import { Login } from '../../../src/identity/login.js';
import { type Pins, parsePin, pinBytes } from '../../../src/identity/pins.js';
import type { Clock, HttpClient, Log, Store, StreamConnector } from '../../../src/ports.js';
import { BoardConnector } from '../../xs/control/connector.js';
import type { Edge } from '../../xs/edge.js';
import { NativeTls } from '../../xs/tls/native-tls.js';
import { VERSION } from '../../xs/version.js';
import { OneShot } from './one-shot.js';
import { LwipResolver } from './resolver.js';
import type { Settings } from './settings.js';
import { ChipTcp } from './tcp.js';

export interface ChipControlOptions {
  readonly settings: Settings;
  readonly store: Store;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly edge: Edge;
  readonly log: Log;
}

export class ChipControl {
  readonly #options: ChipControlOptions;
  readonly #identity: GatewayIdentity;
  readonly #timer: OneShot;
  readonly #backoff: Backoff;
  #enrolling = false;

  /** Throws what the store throws. */
  constructor(options: ChipControlOptions) {
    this.#options = options;
    const { primitives, store, log, edge } = options;
    this.#identity = new GatewayIdentity({ primitives, store, log, http: (pins) => this.#http(pins) });
    this.#timer = new OneShot(edge);
    const random = new Uint8Array(4);
    // Nobody is there to be told, so it never gives up.
    this.#backoff = new Backoff(() => {
      primitives.random(random);
      return new DataView(random.buffer).getUint32(0) / 0x1_0000_0000;
    });
  }

  /** There is a network: calls back once with the gateway, when the chip is enrolled. */
  linkUp(ready: (managed: ManagedGateway) => void): void {
    const { enrolment } = this.#identity;
    if (enrolment) ready(this.#manage(enrolment));
    else if (!this.#enrolling) {
      this.#enrolling = true;
      this.#enrol(ready);
    }
  }

  #enrol(ready: (managed: ManagedGateway) => void): void {
    const { settings, log } = this.#options;
    const claim = this.#identity.enroller.interrupted ?? claimOf(settings);
    if (claim === undefined) {
      log.write('error', 'no-claim', { remedy: 'see boards/esp32/README.md, "Enrolment"' });
      return;
    }
    const pins = settings.pins.map((text) => parsePin(text)).filter((pin) => pin !== undefined);
    if (pins.length > 0) this.#identity.pins = pins;
    const device = { hostname: 'esp32', os: 'esp-idf', arch: 'xtensa or riscv32', version: VERSION };
    this.#identity.enroller.redeem(claim, device, (result) => {
      if (result.ok) {
        ready(this.#manage(result.enrolment));
        return;
      }
      log.write(result.final ? 'error' : 'warn', 'not-enrolled', { reason: result.reason });
      // Another claim comes with another provisioning, and that with a restart.
      if (result.final) return;
      this.#timer.schedule(this.#backoff.next(result.retryAfter), () => this.#enrol(ready));
    });
  }

  #manage(enrolment: Enrolment): ManagedGateway {
    const { primitives, clock, edge, log } = this.#options;
    const { keys, pins } = this.#identity;
    const timer = () => new OneShot(edge);
    const insideTunnel = (url: string): boolean => {
      const origin = managed.agent.controlPeer.route?.tunnel;
      return origin !== undefined && url.startsWith(`${origin}/`);
    };
    const managed: ManagedGateway = new ManagedGateway({
      identity: this.#identity,
      enrolment,
      primitives,
      clock,
      timer: timer(),
      links: new StreamLinks({
        identity: enrolment,
        connector: this.#connector(pins),
        primitives,
        timer,
        mostBytes: SMALL_MESSAGE_BYTES,
      }),
      credentials: new Login(primitives, clock, this.#http(pins, insideTunnel), enrolment, keys.identity),
      firmware: `cloudbridge-gateway/${VERSION} esp32`,
      memory: () => undefined,
      endpoint: undefined,
      mostBytes: SMALL_MESSAGE_BYTES,
      tunnelFirst: true,
      log,
    });
    return managed;
  }

  #http(pins: Pins, allowsOpen: (url: string) => boolean = () => false): HttpClient {
    const { edge } = this.#options;
    return new StreamHttpClient({
      connector: this.#connector(pins),
      timer: () => new OneShot(edge),
      allowsOpen: (url) => routeKind(url) !== undefined || allowsOpen(url),
    });
  }

  #connector(pins: Pins): StreamConnector {
    const { edge, settings } = this.#options;
    const trust = { pins: pinBytes(pins), authorities: settings.authorities };
    return new BoardConnector({
      edge,
      resolver: new LwipResolver(edge),
      timer: () => new OneShot(edge),
      tcp: (address, port, events) => new ChipTcp(address, port, events, edge),
      tls: (host) => new NativeTls(host, trust),
    });
  }
}

function claimOf({ claim, control }: Settings): Claim | undefined {
  return claim === undefined ? undefined : parseClaim(claim, control);
}
