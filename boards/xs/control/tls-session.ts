/** What a TLS client is to the socket around it, whichever library does it. */

export interface TlsTrust {
  /** SHA-256 of the keys (SubjectPublicKeyInfo) of which the server must have one, one after another; empty: any. */
  readonly pins: Uint8Array;
  /** Certificates of authorities, PEM, in the place of the system's. */
  readonly authorities: string | undefined;
}

/** TLS 1.3 between two buffers; it opens no socket. */
export interface TlsSession {
  /** Goes on with the handshake; true when it is over and the server is proven. Throws {@link TlsError}. */
  handshake(): boolean;
  /** Bytes that came from the network. */
  feed(bytes: Uint8Array): void;
  /** Bytes that should go to the network; how many. */
  take(into: Uint8Array): number;
  /** Plain text: how many bytes, 0 when none is whole yet, -1 after the other end's goodbye. Throws {@link TlsError}. */
  read(into: Uint8Array): number;
  /** Takes all of the plain text. Throws {@link TlsError}. */
  write(bytes: Uint8Array): void;
  /** A goodbye for the other end is then to be taken. */
  end(): void;
}

/** Why there is no secure connection; the message is for people. */
export class TlsError extends Error {}
