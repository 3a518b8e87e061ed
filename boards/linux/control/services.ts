/** How this program reaches a control plane: names, TCP, OpenSSL, and HTTP and WebSocket on top of them. */

import { routeKind } from '../../../src/control/routes.js';
import { StreamHttpClient } from '../../../src/control/stream/stream-http-client.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import type { DeviceInfo } from '../../../src/identity/enrolment.js';
import { GatewayIdentity } from '../../../src/identity/gateway-identity.js';
import { type Pins, pinBytes } from '../../../src/identity/pins.js';
import type { Clock, Log, StreamConnector, Timer } from '../../../src/ports.js';
import { BoardConnector } from '../../xs/control/connector.js';
import type { Edge } from '../../xs/edge.js';
import { NativeTls } from '../../xs/tls/native-tls.js';
import { VERSION } from '../../xs/version.js';
import { FileStore } from '../drivers/file-store.js';
import { architecture, hostName } from '../drivers/machine.js';
import { OneShot } from '../drivers/one-shot.js';
import { SystemResolver } from '../drivers/resolver.js';
import { Tcp } from '../drivers/tcp.js';

export interface Services {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly edge: Edge;
  readonly log: Log;
}

export function timerOf({ edge }: Services): () => Timer {
  return () => new OneShot(edge);
}

/** Streams to servers with one of these keys, or with any that the system's authorities vouch for. */
export function connectorOf(services: Services, pins: Pins): StreamConnector {
  const { edge } = services;
  const trust = { pins: pinBytes(pins), authorities: undefined };
  return new BoardConnector({
    edge,
    resolver: new SystemResolver(edge),
    timer: timerOf(services),
    tcp: (address, port, events) => new Tcp({ ...events, address, port }, edge),
    tls: (host) => new NativeTls(host, trust),
  });
}

/** `allowsOpen`: further addresses that may be reached without TLS. */
export function httpOf(
  services: Services,
  pins: Pins,
  allowsOpen: (url: string) => boolean = () => false,
): StreamHttpClient {
  return new StreamHttpClient({
    connector: connectorOf(services, pins),
    timer: timerOf(services),
    allowsOpen: (url) => routeKind(url) !== undefined || allowsOpen(url),
  });
}

/** The identity of the gateway `name`. Makes its keys when there are none. */
export function identityOf(services: Services, stateDirectory: string, name: string): GatewayIdentity {
  const { primitives, log } = services;
  const store = new FileStore(`${stateDirectory}/${name}`);
  return new GatewayIdentity({ primitives, store, log, http: (pins) => httpOf(services, pins) });
}

export function deviceInfo(): DeviceInfo {
  return { hostname: hostName(), os: 'linux', arch: architecture(), version: VERSION };
}
