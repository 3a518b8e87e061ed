import type { Link, LinkEvents, LinkFactory, LinkKind, Route } from '../../../src/control/link.js';
import { type MqttIdentity, MqttLinks } from '../../../src/control/mqtt-link.js';
import { mayBeOpen } from '../../../src/control/routes.js';
import type { Dial } from './dial.js';
import { EventStreamLink } from './event-stream-link.js';
import { nodeMqttClients } from './mqtt-client.js';
import { PollingLink } from './polling-link.js';
import type { Pins } from './tls.js';
import { WebSocketLinks } from './websocket-link.js';

const SCHEMES: Readonly<Record<LinkKind, RegExp>> = {
  websocket: /^wss?:/,
  mqtt: /^mqtts?:/,
  'event-stream': /^https?:/,
  polling: /^https?:/,
};
const SECURE = /^(wss|mqtts|https):/;

/** Every kind of control link that Node has: TLS 1.3 to anywhere, open only to this machine or inside the tunnel. */
export class NodeLinks implements LinkFactory {
  readonly #mqtt: MqttLinks;
  readonly #outside: WebSocketLinks;
  readonly #inTunnel: WebSocketLinks;
  readonly #pins: Pins;
  readonly #ca: string | undefined;
  readonly #dial: Dial | undefined;

  /** `dial`: how the network outside is reached, when not from this process. */
  constructor(identity: MqttIdentity, pins: Pins = [], ca?: string, dial?: Dial) {
    this.#pins = pins;
    this.#ca = ca;
    this.#dial = dial;
    this.#mqtt = new MqttLinks(nodeMqttClients(pins, ca, dial), identity);
    this.#outside = new WebSocketLinks(pins, ca, dial);
    this.#inTunnel = new WebSocketLinks(pins, ca);
  }

  open(route: Route, token: string, events: LinkEvents): Link {
    const { kind, url } = route;
    if (!SCHEMES[kind].test(url) || !(SECURE.test(url) || mayBeOpen(route))) {
      const timer = setTimeout(() => events.closed(`${url} is no safe address of a ${kind}`));
      return { send: () => false, close: () => clearTimeout(timer) };
    }
    switch (kind) {
      case 'websocket':
        return (route.tunnel === undefined ? this.#outside : this.#inTunnel).open(route, token, events);
      case 'mqtt':
        return this.#mqtt.open(route, token, events);
      case 'event-stream':
        return new EventStreamLink(route, token, events, this.#pins, this.#ca, this.#dial);
      case 'polling':
        return new PollingLink(route, token, events, this.#pins, this.#ca, this.#dial);
    }
  }
}
