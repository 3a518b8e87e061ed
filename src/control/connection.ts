/** One attempt at a connection after the other: a token if there is none, then a link. Late events of an old one are nobody's. */

import type { Credentials, Link, LinkFactory, Route } from './link.js';

export interface ConnectionEvents {
  /** There is no valid token: one is being fetched. */
  loggingIn(): void;
  connecting(route: Route): void;
  opened(): void;
  received(text: string): void;
  /** The end of the attempt, or of the connection; `retryAfter` in ms. */
  failed(reason: string, retryAfter?: number): void;
  unauthorized(reason: string): void;
}

export class Connection {
  readonly #links: LinkFactory;
  readonly #credentials: Credentials;
  readonly #events: ConnectionEvents;
  #link: Link | undefined;
  /** Grows with each attempt. */
  #attempt = 0;

  constructor(links: LinkFactory, credentials: Credentials, events: ConnectionEvents) {
    this.#links = links;
    this.#credentials = credentials;
    this.#events = events;
  }

  begin(route: Route | undefined): void {
    const attempt = ++this.#attempt;
    const token = this.#credentials.token();
    if (token !== undefined || !route) {
      this.#open(route, token ?? '', attempt);
      return;
    }
    this.#events.loggingIn();
    this.#credentials.renew((error, retryAfter) => {
      if (attempt !== this.#attempt) return;
      const renewed = this.#credentials.token();
      if (error !== undefined || renewed === undefined)
        this.#events.failed(`login: ${error ?? 'no token'}`, retryAfter);
      else this.#open(route, renewed, attempt);
    }, route.tunnel);
  }

  send(text: string): boolean {
    return this.#link?.send(text) ?? false;
  }

  drop(): void {
    this.#attempt++;
    this.#link?.close();
    this.#link = undefined;
  }

  #open(route: Route | undefined, token: string, attempt: number): void {
    const events = this.#events;
    if (!route) {
      events.failed('no control endpoint is configured');
      return;
    }
    events.connecting(route);
    const ours = (): boolean => attempt === this.#attempt;
    this.#link = this.#links.open(route, token, {
      opened: () => {
        if (ours()) events.opened();
      },
      received: (text) => {
        if (ours()) events.received(text);
      },
      closed: (reason, retryAfter) => {
        if (ours()) events.failed(reason, retryAfter);
      },
      unauthorized: (reason) => {
        if (!ours()) return;
        this.#credentials.reject();
        events.unauthorized(reason);
      },
    });
  }
}
