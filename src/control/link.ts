/** How control messages travel: one connection of one kind to one address. WebSocket, MQTT, event stream, polling. */

export type LinkKind = 'websocket' | 'mqtt' | 'event-stream' | 'polling';

/** Where and how to reach the control plane. */
export interface Route {
  readonly kind: LinkKind;
  /** `wss://host/ws`, `mqtts://host`, `https://host/...`. */
  readonly url: string;
  /**
   * Set for the control plane's address inside the WireGuard tunnel: the only host besides this very machine to which
   * a link may be open (`ws://`), and `http://host[:port]` to log in at. Made by `ControlPeer`, never from a URL that
   * somebody sent.
   */
  readonly tunnel?: string;
}

export interface LinkEvents {
  opened(): void;
  /** One whole message. */
  received(text: string): void;
  /** The end, once, also of an attempt; `reason` is for people, `retryAfter` (ms) is what the server asked for. */
  closed(reason: string, retryAfter?: number): void;
  /** As `closed`, because the token was refused. */
  unauthorized(reason: string): void;
}

export interface Link {
  /** Hands over one whole message. False when it could not be taken. */
  send(text: string): boolean;
  /** Ends the connection; `closed` is not called any more. */
  close(): void;
}

export interface LinkFactory {
  /** Begins to connect. Events come later, never from inside this call. */
  open(route: Route, token: string, events: LinkEvents): Link;
}

/** Where tokens come from: a login with proof of the device's key. Times are monotonic: a board's clock may be wrong. */
export interface Credentials {
  /** A token that is still valid, or undefined: `renew` first. */
  token(): string | undefined;
  /** Monotonic ms at which the token should be replaced; Infinity when there is none. */
  refreshAt(): number;
  /**
   * Logs in; calls back once with undefined or the reason why not. `origin`: where, when not where the gateway
   * enrolled (`Route.tunnel`).
   */
  renew(done: (error: string | undefined, retryAfter?: number) => void, origin?: string): void;
  /** Takes a token that came over the live session; `life` is ms from now. */
  accept(token: string, life: number): void;
  /** The server refused the token. */
  reject(): void;
}
