import { NodePrimitives } from '../../../host/gateway/crypto.js';
import { forbidden } from '../../../host/relay/forbidden-addresses.js';
import { parseTargetRule, Targets } from '../../../host/relay/targets.js';
import { parseWebAddress } from '../../../src/control/stream/web-address.js';
import { formatAddress, parseAddress } from '../../../src/packet/address.js';
import type { LayeringConnector, StreamEvents } from '../../../src/ports.js';
import { CapsuleReader } from '../../../src/transport/capsule.js';
import { DatagramFrameReader } from '../../../src/transport/datagram-frames.js';
import { MasqueTransport } from '../../../src/transport/masque-transport.js';
import type { Transport, TransportState } from '../../../src/transport/transport.js';
import { WebSocketTransport } from '../../../src/transport/websocket-transport.js';
import type { Random } from '../random.js';
import { ascii, demand, latin1, type Target } from '../target.js';

/** Longest datagram of these readers: short, so that the bound is met often. */
const MOST = 200;

/** What a reader makes of bytes that come in these pieces: the datagrams, and whether it went well. */
type Reading = { readonly datagrams: string[]; readonly ok: boolean };

abstract class Pieces implements Target {
  abstract readonly name: string;
  readonly weight = 6;
  abstract readonly samples: readonly Uint8Array[];
  readonly words = ['00', '3fff', '40', '80', 'c0', 'ffffffffffffffff', '7e', '7f', '82', '88', '89'].map(
    (hex) => Uint8Array.from(Buffer.from(hex, 'hex')),
  );
  #datagrams = 0;
  #broken = 0;

  protected abstract read(pieces: readonly Uint8Array[]): Reading;

  run(message: Uint8Array, random: Random): void {
    const whole = this.read([message]);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < message.length; ) {
      const count = 1 + random.below(Math.min(40, message.length - at));
      pieces.push(message.slice(at, at + count));
      at += count;
    }
    const apart = this.read(pieces);
    demand(whole.ok === apart.ok, 'pieces decide whether it is right');
    demand(whole.datagrams.join() === apart.datagrams.join(), 'pieces change what is read');
    for (const datagram of whole.datagrams)
      demand(datagram.length <= 2 * MOST, 'a datagram beyond the bound');
    this.#datagrams += whole.datagrams.length;
    if (!whole.ok) this.#broken++;
  }

  finish(): Readonly<Record<string, number>> {
    return { datagrams: this.#datagrams, broken: this.#broken };
  }
}

/** Capsules with HTTP datagrams, whatever pieces they come in. */
export class Capsules extends Pieces {
  readonly name = 'capsules';
  readonly samples = [
    '00030068690003006869',
    `00409100${'ab'.repeat(144)}`,
    '40ff03aabbcc000300 6869'.replace(' ', ''),
    '00c0000000000000030068 69'.replace(' ', ''),
    '0001000002400100034000ff',
    '00c0ffffffffffff0000',
  ].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

  protected read(pieces: readonly Uint8Array[]): Reading {
    const datagrams: string[] = [];
    const reader = new CapsuleReader(MOST, {
      datagram: (bytes, at, length) =>
        datagrams.push(Buffer.from(bytes.subarray(at, at + length)).toString('hex')),
    });
    return { datagrams, ok: pieces.every((piece) => reader.push(piece, 0, piece.length)) };
  }
}

/** Frames of a WebSocket server. */
export class DatagramFrames extends Pieces {
  readonly name = 'datagram-frames';
  readonly samples = [
    '82026869820268698202ffff',
    `827e0090${'cd'.repeat(144)}`,
    '020168800169890168820268698a0168',
    '827f0000000000000002686988 0203e8'.replace(' ', ''),
    '02016889017880026970',
  ].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

  protected read(pieces: readonly Uint8Array[]): Reading {
    const datagrams: string[] = [];
    const hex = (bytes: Uint8Array, at: number, length: number) =>
      Buffer.from(bytes.subarray(at, at + length)).toString('hex');
    const reader = new DatagramFrameReader(MOST, {
      datagram: (bytes, at, length) => datagrams.push(hex(bytes, at, length)),
      ping: (bytes, at, length) => demand(hex(bytes, at, length).length <= 250, 'a ping beyond the bound'),
      close: () => {},
    });
    return { datagrams, ok: pieces.every((piece) => reader.push(piece, 0, piece.length)) };
  }
}

/** A relay, or a proxy in front of it, that answers whatever it likes. */
export class RelayAnswers implements Target {
  readonly name = 'relay-answers';
  readonly weight = 6;
  readonly samples = [
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n\0\x03\0hi\0\x03\0hi',
    'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n\x82\x02hi',
    'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Bearer\r\n\r\n',
    'HTTP/1.1 503 No\r\nRetry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 101 X\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n\0\x03\0hi',
    'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
  ].map(ascii);
  readonly words = [
    'HTTP/1.1 ',
    '101 ',
    '200 ',
    '\r\n\r\n',
    'Upgrade: ',
    'Content-Length: ',
    '99999999999',
    'chunked',
    '?1',
    '\0',
  ].map(ascii);
  readonly #primitives = new NodePrimitives();
  #opened = 0;
  #refused = 0;
  #datagrams = 0;

  run(message: Uint8Array, random: Random): void {
    const Kind = random.below(2) === 0 ? MasqueTransport : WebSocketTransport;
    const proxy = random.below(2) === 0 ? undefined : { host: 'proxy', port: 1 };
    const streams: StreamEvents[] = [];
    let waiting: Uint8Array | undefined;
    const stream = (events: StreamEvents) => {
      streams.push(events);
      return {
        read: (into: Uint8Array) => {
          const bytes = waiting?.subarray(0, into.length);
          waiting = undefined;
          if (!bytes || bytes.length === 0) return undefined;
          into.set(bytes);
          return bytes.length;
        },
        write: () => 10_000,
        close: () => {},
      };
    };
    const connector: LayeringConnector = {
      connect: (_, events) => stream(events),
      secure: (_, __, events) => stream(events),
    };
    const transport = new Kind(
      {
        relay: parseWebAddress('https://relay.example')!,
        connector,
        proxy,
        token: () => 'token',
        primitives: this.#primitives,
      },
      () => ({ host: '192.0.2.1', port: 1 }),
      { datagram: MOST, readBuffer: 512, buffer: 4096 },
    );
    transport.events = {
      changed: () => {},
      received: (_, __, length) => {
        demand(length <= MOST, 'a datagram beyond the bound');
        this.#datagrams++;
      },
      delivered: () => {},
    };
    transport.open(0);
    streams[0].onWritable(10_000);
    for (let at = 0; at < message.length; ) {
      const count = 1 + random.below(Math.min(300, message.length - at));
      const layers = streams.length;
      waiting = message.subarray(at, at + count);
      streams.at(-1)?.onReadable(count);
      at += count;
      // TLS over what the proxy gave.
      if (streams.length > layers) streams.at(-1)?.onWritable(10_000);
    }
    if (transport.state === 'open') {
      this.#opened++;
      transport.send(message, 0, Math.min(MOST, message.length));
      transport.flush();
    } else if (transport.state === 'failed') this.#refused++;
    streams.at(-1)?.onError(new Error('gone'));
    demand(stateOf(transport) === 'failed', 'neither ended nor failed');
    transport.open(0);
    demand(stateOf(transport) === 'opening', 'it cannot be opened again');
    transport.advance(1e9);
    demand(stateOf(transport) === 'failed' && transport.reason === 'timed-out', 'it waits for ever');
  }

  finish(): Readonly<Record<string, number>> {
    return { opened: this.#opened, refused: this.#refused, datagrams: this.#datagrams };
  }
}

/** It changes under the compiler's eyes. */
function stateOf(transport: Transport): TransportState {
  return transport.state;
}

/** Paths of requests to a relay that forwards everywhere. */
export class RelayTargets implements Target {
  readonly name = 'relay-targets';
  readonly weight = 4;
  readonly samples = [
    '/.well-known/masque/udp/8.8.8.8/53/',
    '/.well-known/masque/udp/2001%3Adb8%3A%3A1/53/',
    '/.well-known/masque/udp/127.0.0.1/53/',
    '/.well-known/masque/udp/%3A%3Affff%3A127.0.0.1/53',
    '/.well-known/masque/udp/64%3Aff9b%3A%3A7f00%3A1/53/',
    '/.well-known/masque/udp/site-b.gateway.invalid/1/',
  ].map(ascii);
  readonly words = [
    '127',
    '169.254',
    '%3A',
    '%25',
    '%2e',
    '0x',
    '::',
    'ffff',
    '.gateway.invalid',
    '/',
    '255',
  ].map(ascii);
  readonly #targets = new Targets(['0.0.0.0/0', '[::/0]'].map((text) => parseTargetRule(text)!));
  #forwarded = 0;
  #met = 0;
  #refused = 0;

  run(message: Uint8Array): void {
    const answer = this.#targets.judge(latin1(message));
    if (!answer.ok) {
      this.#refused++;
      demand(answer.status >= 400, 'a refusal without a status');
      return;
    }
    if (answer.target.kind === 'meeting') {
      demand(/^[\w-]{1,63}$/.test(answer.target.name), 'a name that is none');
      this.#met++;
      return;
    }
    const { host, port } = answer.target;
    const address = parseAddress(host);
    demand(address !== undefined && formatAddress(address) === host, 'a target that is not canonical');
    demand(forbidden(address) === undefined && port >= 1 && port <= 65_535, 'a target that is forbidden');
    this.#forwarded++;
  }

  finish(): Readonly<Record<string, number>> {
    return { forwarded: this.#forwarded, met: this.#met, refused: this.#refused };
  }
}
