import { TlsError, type TlsSession, type TlsTrust } from '../control/tls-session.js';

/** TLS 1.3 by what the board has: OpenSSL (boards/linux/drivers/tls.c), Mbed TLS (boards/native/esp32/tls.c). */
export class NativeTls extends Native('xs_tls_destructor') implements TlsSession {
  /** Throws {@link TlsError} when there is nothing to trust. */
  constructor(host: string, trust: TlsTrust) {
    super();
    if (!this.#openNative(host, trust.pins, trust.authorities)) {
      throw new TlsError('TLS cannot begin: there are no usable certificates of authorities');
    }
  }

  handshake(): boolean {
    return this.#checked(this.#handshakeNative()) > 0;
  }

  feed(bytes: Uint8Array): void {
    native('xs_tls_feed').call(this, bytes);
  }

  take(into: Uint8Array): number {
    return native('xs_tls_take').call(this, into);
  }

  read(into: Uint8Array): number {
    return this.#checked(this.#readNative(into));
  }

  write(bytes: Uint8Array): void {
    if (!this.#writeNative(bytes)) throw new TlsError(this.#reasonNative());
  }

  end(): void {
    native('xs_tls_end').call(this);
  }

  #checked(result: number): number {
    if (result < -1) throw new TlsError(this.#reasonNative());
    return result;
  }

  #openNative(host: string, pins: Uint8Array, authorities: string | undefined): boolean {
    return native('xs_tls_open').call(this, host, pins, authorities);
  }

  #handshakeNative(): number {
    return native('xs_tls_handshake').call(this);
  }

  #readNative(into: Uint8Array): number {
    return native('xs_tls_read').call(this, into);
  }

  #writeNative(bytes: Uint8Array): boolean {
    return native('xs_tls_write').call(this, bytes);
  }

  #reasonNative(): string {
    return native('xs_tls_reason').call(this);
  }
}
