/** CONNECT-UDP over HTTP/1.1 (RFC 9298 section 3.2): an upgrade, then capsules with datagrams both ways. */

import { CapsuleReader, capsuleBytes, writeDatagramCapsule } from './capsule.js';
import { type RelayAccess, type RelayTarget, udpTargetPath } from './relay-access.js';
import { STREAM_LIMITS, type StreamLimits, StreamTransport } from './stream-transport.js';

export class MasqueTransport extends StreamTransport {
  readonly kind = 'masque';
  /** Capsule type, two bytes of length, context. */
  readonly overhead = 4;
  readonly #target: () => RelayTarget | undefined;
  #reader: CapsuleReader | undefined;

  /** `target` is asked at each opening. */
  constructor(
    access: RelayAccess,
    target: () => RelayTarget | undefined,
    limits: Partial<StreamLimits> = {},
  ) {
    super(`masque ${access.relay.authority}`, access, { ...STREAM_LIMITS, ...limits });
    this.#target = target;
  }

  protected request(): string[] | undefined {
    const target = this.#target();
    if (!target) return undefined;
    const { path, authority } = this.access.relay;
    return [
      `GET ${udpTargetPath(path.replace(/\/$/, ''), target)} HTTP/1.1`,
      `Host: ${authority}`,
      'Connection: Upgrade',
      'Upgrade: connect-udp',
      'Capsule-Protocol: ?1',
    ];
  }

  protected fault(headers: ReadonlyMap<string, string>): string | undefined {
    if (headers.get('upgrade')?.toLowerCase() !== 'connect-udp')
      return 'the relay switched to something else than connect-udp';
    // RFC 9297 section 3.4: an Item that is a Boolean, perhaps with parameters.
    if (!headers.get('capsule-protocol')?.startsWith('?1')) return 'the relay does not speak capsules';
    return undefined;
  }

  protected begin(): void {
    this.#reader = new CapsuleReader(this.mtu, {
      datagram: (bytes, offset, length) => this.events?.received(bytes, offset, length),
    });
  }

  protected frameSize(length: number): number {
    return capsuleBytes(length);
  }

  protected writeFrame(
    into: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    return writeDatagramCapsule(into, at, bytes, offset, length);
  }

  protected take(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#reader!.push(bytes, at, end);
  }
}
