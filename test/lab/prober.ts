import { type KeyPair, keyPair } from '../wireguard/reference/identity.js';
import {
  Initiation,
  type InitiationOptions,
  ReceivedInitiation,
  type ResponseOptions,
} from '../wireguard/reference/noise.js';
import { padded, readU32, type Session } from '../wireguard/reference/session.js';
import { type Bytes, equal } from '../wireguard/reference/symmetric.js';
import { tai64n } from '../wireguard/reference/tai64n.js';
import { echoRequest, readEchoReply } from './inner-packet.js';
import type { Datagram, Target, UdpPort } from './udp-port.js';

export const INITIATION = 1;
export const RESPONSE = 2;
export const COOKIE_REPLY = 3;
export const DATA = 4;

export function typeOf(datagram: Datagram): number {
  return datagram.bytes.length < 4 ? 0 : readU32(datagram.bytes, 0);
}

/** Nanoseconds since 1970, each greater by more than any whitening of stamps than the one before. */
let lastStamp = 0n;
export function freshTimestamp(): Bytes {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastStamp = now > lastStamp + 20_000_000n ? now : lastStamp + 20_000_000n;
  return tai64n(lastStamp);
}

export interface ProberOptions {
  readonly port: UdpPort;
  readonly target: Target;
  readonly remotePublicKey: Bytes;
  readonly keys?: KeyPair;
  readonly presharedKey?: Bytes;
  /** This prober's and the other side's addresses inside the tunnel. */
  readonly inner4?: string;
  readonly inner6?: string;
  readonly remoteInner4?: string;
  readonly remoteInner6?: string;
}

/**
 * One WireGuard peer made of the slow twin and a UDP socket, which does only what a test tells it to. It never
 * answers, retries or keeps alive by itself.
 */
export class Prober {
  readonly port: UdpPort;
  readonly keys: KeyPair;
  readonly remotePublicKey: Bytes;
  readonly presharedKey: Bytes | undefined;
  readonly inner4: string;
  readonly inner6: string;
  readonly remoteInner4: string;
  readonly remoteInner6: string;
  target: Target;
  #sequence = 0;

  constructor(options: ProberOptions) {
    this.port = options.port;
    this.target = options.target;
    this.keys = options.keys ?? keyPair();
    this.remotePublicKey = options.remotePublicKey;
    this.presharedKey = options.presharedKey;
    this.inner4 = options.inner4 ?? '10.99.0.2';
    this.inner6 = options.inner6 ?? 'fd99::2';
    this.remoteInner4 = options.remoteInner4 ?? '10.99.0.1';
    this.remoteInner6 = options.remoteInner6 ?? 'fd99::1';
  }

  send(bytes: Bytes, port = this.port): Promise<void> {
    return port.send(bytes, this.target);
  }

  /** An initiation that is not sent yet. */
  initiation(changes: Partial<InitiationOptions> = {}): Initiation {
    return new Initiation({
      static: this.keys,
      responderPublicKey: this.remotePublicKey,
      timestamp: freshTimestamp(),
      presharedKey: this.presharedKey,
      ...changes,
    });
  }

  /** The response (or cookie reply) to an initiation that was sent. */
  answerTo(initiation: Initiation, within = 2000, port = this.port): Promise<Datagram | undefined> {
    return port.next((datagram) => {
      const { bytes } = datagram;
      if (typeOf(datagram) === RESPONSE && bytes.length === 92)
        return readU32(bytes, 8) === initiation.senderIndex;
      return (
        typeOf(datagram) === COOKIE_REPLY &&
        bytes.length === 64 &&
        readU32(bytes, 4) === initiation.senderIndex
      );
    }, within);
  }

  /** A whole handshake as initiator, unconfirmed: the other side may not send before our first data message. */
  async initiate(changes: Partial<InitiationOptions> = {}, port = this.port): Promise<Session> {
    const initiation = this.initiation(changes);
    await this.send(initiation.message, port);
    const answer = await this.answerTo(initiation, 2000, port);
    const session = answer && initiation.complete(answer.bytes);
    if (!session) throw new Error(answer ? 'the response does not open' : 'no response to an initiation');
    return session;
  }

  /** `initiate` and the keepalive that confirms the session. */
  async connect(port = this.port): Promise<Session> {
    const session = await this.initiate({}, port);
    await this.send(session.seal(), port);
    return session;
  }

  /** The other side's next initiation, read; other datagrams are passed over. */
  async awaitInitiation(
    within = 2000,
  ): Promise<{ datagram: Datagram; initiation: ReceivedInitiation } | undefined> {
    const datagram = await this.port.next((each) => typeOf(each) === INITIATION, within);
    if (!datagram) return undefined;
    const initiation = ReceivedInitiation.read(datagram.bytes, this.keys);
    if (!initiation) throw new Error('an initiation that the slow twin cannot read');
    if (!equal(initiation.initiatorPublicKey, this.remotePublicKey))
      throw new Error('an unexpected initiator');
    return { datagram, initiation };
  }

  /** Waits for the other side's initiation and answers it. */
  async respond(within = 2000, changes: ResponseOptions = {}): Promise<Session> {
    const received = await this.awaitInitiation(within);
    if (!received) throw new Error('no initiation arrived');
    const { message, session } = received.initiation.respond({ presharedKey: this.presharedKey, ...changes });
    await this.send(message);
    return session;
  }

  /** The content of the next data message of a session; keepalives are passed over unless wanted. */
  async content(
    session: Session,
    within = 2000,
    keepalives = false,
    port = this.port,
  ): Promise<Bytes | undefined> {
    let content: Bytes | undefined;
    await port.next((datagram) => {
      const opened = session.open(datagram.bytes);
      if (!opened || (opened.length === 0 && !keepalives)) return false;
      content = opened;
      return true;
    }, within);
    return content;
  }

  /** A sealed echo request with a sequence number of its own. */
  echo(session: Session, size = 8, family: 4 | 6 = 4): { message: Bytes; sequence: number; packet: Bytes } {
    const sequence = ++this.#sequence;
    const packet = echoRequest({
      source: family === 4 ? this.inner4 : this.inner6,
      destination: family === 4 ? this.remoteInner4 : this.remoteInner6,
      sequence,
      size,
    });
    return { message: session.seal(padded(packet)), sequence, packet };
  }

  /** Whether the reply to an echo request comes back through the session. */
  async echoed(session: Session, sequence: number, within = 2000, port = this.port): Promise<boolean> {
    const reply = await port.next((datagram) => {
      const opened = session.open(datagram.bytes);
      return opened !== undefined && readEchoReply(opened)?.sequence === sequence;
    }, within);
    return reply !== undefined;
  }

  /** Sends an echo request and waits for its reply. */
  async ping(session: Session, size = 8, family: 4 | 6 = 4, port = this.port): Promise<boolean> {
    const { message, sequence } = this.echo(session, size, family);
    await this.send(message, port);
    return this.echoed(session, sequence, 2000, port);
  }
}
