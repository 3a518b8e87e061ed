/** The kinds of control link that plain streams are enough for. */

import type { Primitives } from '../../crypto/primitives.js';
import type { StreamConnector, Timer } from '../../ports.js';
import type { Link, LinkEvents, LinkFactory, Route } from '../link.js';
import { LARGEST_MESSAGE_BYTES } from '../messages.js';
import { type MqttIdentity, MqttLinks } from '../mqtt-link.js';
import { isLoopback } from '../routes.js';
import { streamMqtt } from './stream-mqtt-client.js';
import { refusedLink, WebSocketLinks } from './websocket-links.js';

export interface StreamLinksOptions {
  readonly identity: MqttIdentity;
  readonly connector: StreamConnector;
  readonly primitives: Primitives;
  readonly timer: () => Timer;
  /** Bytes of the largest message that is taken. */
  readonly mostBytes?: number;
}

export class StreamLinks implements LinkFactory {
  readonly #timer: () => Timer;
  readonly #webSocket: WebSocketLinks;
  readonly #mqtt: MqttLinks;

  constructor(options: StreamLinksOptions) {
    const { identity, mostBytes = LARGEST_MESSAGE_BYTES } = options;
    this.#timer = options.timer;
    this.#webSocket = new WebSocketLinks(options);
    this.#mqtt = new MqttLinks(streamMqtt({ ...options, allowsOpen: isLoopback }), identity, mostBytes);
  }

  open(route: Route, token: string, events: LinkEvents): Link {
    switch (route.kind) {
      case 'websocket':
        return this.#webSocket.open(route, token, events);
      case 'mqtt':
        return this.#mqtt.open(route, token, events);
      default:
        return refusedLink(this.#timer(), events, `this firmware has no ${route.kind}`);
    }
  }
}
