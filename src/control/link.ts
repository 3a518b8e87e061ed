/** How control messages travel: one connection of one kind to one address. WebSocket, MQTT, event stream, polling. */

export type LinkKind = 'websocket' | 'mqtt' | 'event-stream' | 'polling';

/** Where and how to reach the control plane. */
export interface Route {
  readonly kind: LinkKind;
  /** `wss://host/ws`, `mqtts://host`, `https://host/...`. */
  readonly url: string;
}

export interface LinkEvents {
  opened(): void;
  /** One whole message. */
  received(text: string): void;
  /** The end, once, also of an attempt; `reason` is for people, `retryAfter` (ms) is what the server asked for. */
  closed(reason: string, retryAfter?: number): void;
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

/** Where tokens come from: a login with proof of the device's key. */
export interface Credentials {
  /** A token that is valid at `wall` (ms since 1970), or undefined: `renew` first. */
  token(wall: number): string | undefined;
  /** ms since 1970 at which the token should be replaced; Infinity when there is none. */
  refreshAt(): number;
  /** Logs in; calls back once with undefined or the reason why not. */
  renew(done: (error: string | undefined, retryAfter?: number) => void): void;
  /** Takes a token that came over the live session. */
  accept(token: string, expires: number): void;
}
