/** Our WebSocket client against `ws`, whole and byte by byte, and against servers that do wrong. */

import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { NodePrimitives } from '../../../host/gateway/crypto.js';
import type { Link } from '../../../src/control/link.js';
import { writeFrame } from '../../../src/control/stream/websocket-frames.js';
import { acceptFor } from '../../../src/control/stream/websocket-handshake.js';
import { WebSocketLinks } from '../../../src/control/stream/websocket-links.js';
import { sha1 } from '../../../src/crypto/sha1.js';
import { NodeTimer, nodeStreams } from './node-streams.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Seen {
  readonly link: Link;
  readonly texts: string[];
  readonly opened: Promise<void>;
  readonly ended: Promise<{ reason: string; retryAfter?: number; unauthorized?: boolean }>;
}

function open(url: string, piece = 65_536, mostBytes?: number): Seen {
  const texts: string[] = [];
  const links = new WebSocketLinks({
    connector: nodeStreams(piece),
    primitives: new NodePrimitives(),
    timer: () => new NodeTimer(),
    mostBytes,
  });
  let link!: Link;
  let opened!: () => void;
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const ended = new Promise<{ reason: string; retryAfter?: number; unauthorized?: boolean }>((resolve) => {
    link = links.open({ kind: 'websocket', url }, 'a-token', {
      opened: () => opened(),
      received: (text) => texts.push(text),
      closed: (reason, retryAfter) => resolve({ reason, retryAfter }),
      unauthorized: (reason) => resolve({ reason, unauthorized: true }),
    });
  });
  closers.push(() => link.close());
  return { link, texts, opened: isOpen, ended };
}

async function serve(connected: (socket: WebSocket) => void, verify?: [number, string]): Promise<string> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    maxPayload: 65_536,
    perMessageDeflate: true,
    verifyClient: (info, done) => {
      const good = info.req.headers.authorization === 'Bearer a-token' && !verify;
      done(good, verify?.[0] ?? 401, 'no', verify ? { 'retry-after': verify[1] } : undefined);
    },
  });
  server.on('connection', connected);
  closers.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}/ws?a=b`;
}

/** A server that answers the upgrade with `answer(key)` and then sends `bytes`. */
async function serveRaw(
  answer: (key: string) => string,
  bytes: Uint8Array = new Uint8Array(0),
): Promise<string> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    let request = '';
    socket.setEncoding('latin1').on('data', (data) => {
      request += data;
      if (!request.endsWith('\r\n\r\n')) return;
      socket.write(answer(/Sec-WebSocket-Key: (\S+)/.exec(request)?.[1] ?? ''));
      socket.write(bytes);
    });
    closers.push(() => socket.destroy());
  });
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

const accepted = (key: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`;

async function seen(texts: readonly string[], count: number): Promise<void> {
  for (const end = Date.now() + 10_000; texts.length < count; ) {
    if (Date.now() > end) throw new Error(`${texts.length} of ${count} messages came`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** One whole frame as a server writes it: unmasked. */
function frame(first: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126 ? [first, length] : [first, 126, length >>> 8, length & 255];
  return new Uint8Array([...head, ...payload]);
}

describe('the opening handshake', () => {
  it('gives the answers of the specifications', () => {
    // RFC 6455 section 1.3; FIPS 180 examples "abc" and the empty message.
    expect(acceptFor('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    const hex = (text: string) => Buffer.from(sha1(new TextEncoder().encode(text))).toString('hex');
    expect(hex('abc')).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
    expect(hex('')).toBe('da39a3ee5e6b4b0d3255bfef95601890afd80709');
    expect(hex('a'.repeat(1_000_000))).toBe('34aa973cd4c4daa4f61eeb2bdbad27316534016f');
  });

  it('tells a refused token from other refusals, and how long to wait', async () => {
    expect(await open(await serve(() => {}, [401, '1'])).ended).toMatchObject({ unauthorized: true });
    expect(await open(await serve(() => {}, [503, '7'])).ended).toEqual({
      reason: 'the server answered 503',
      retryAfter: 7_000,
    });
  });

  it.each([
    ['the wrong key', () => accepted('other'), 'key is wrong'],
    ['no upgrade', (key: string) => accepted(key).replace('Upgrade: WebSocket\r\n', ''), 'no WebSocket'],
    [
      'an extension that was not offered',
      (key: string) =>
        accepted(key).replace('Upgrade:', 'Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade:'),
      'not offered',
    ],
    ['no HTTP', () => 'SSH-2.0-OpenSSH_9.2\r\n', 'not HTTP'],
    ['an endless head', () => `HTTP/1.1 101 x\r\n${'a: b\r\n'.repeat(2_000)}`, 'too large'],
  ])('refuses %s', async (_, answer, reason) => {
    expect((await open(await serveRaw(answer)).ended).reason).toContain(reason);
  });

  it('speaks openly to nobody but this machine', async () => {
    for (const url of ['ws://192.0.2.1/', 'ws://localhost/', 'http://127.0.0.1/', 'nonsense']) {
      expect((await open(url).ended).reason).toContain('no wss:// address');
    }
  });
});

describe.each([65_536, 1000, 1])('messages, %d bytes at a time', (piece) => {
  it('come and go in all lengths, in one piece and in many', { timeout: 60_000 }, async () => {
    const lengths = piece === 1 ? [0, 1, 125, 126, 300] : [0, 1, 125, 126, 127, 65_535, 65_536];
    const url = await serve((socket) => {
      socket.on('message', (data, binary) => {
        expect(binary).toBe(false);
        const text = data.toString();
        const middle = Math.floor(text.length / 2);
        socket.ping('are you there');
        socket.send(text.slice(0, middle), { fin: false, compress: false });
        socket.ping();
        socket.send(text.slice(middle), { fin: true, compress: false });
      });
    });
    const { link, texts, opened } = open(url, piece);
    await opened;
    const sent = lengths.map((length) => 'x'.repeat(length)).concat('{"é":"😀 ü"}');
    for (const text of sent) {
      expect(link.send(text)).toBe(true);
      await seen(texts, sent.indexOf(text) + 1);
    }
    expect(texts).toEqual(sent);
  });
});

describe('a server that', () => {
  it('pings is answered with the same bytes', async () => {
    let answered!: (data: Buffer) => void;
    const pong = new Promise<Buffer>((resolve) => {
      answered = resolve;
    });
    const url = await serve((socket) => {
      socket.on('pong', answered);
      socket.ping('12345');
    });
    const { opened } = open(url);
    await opened;
    expect((await pong).toString()).toBe('12345');
  });

  it('closes is understood, with its code and reason', async () => {
    const url = await serve((socket) => socket.close(4001, 'quarantine'));
    expect((await open(url).ended).reason).toBe('closed with 4001: quarantine');
  });

  it('is left politely', async () => {
    let left!: (code: number) => void;
    const code = new Promise<number>((resolve) => {
      left = resolve;
    });
    const { link, opened } = open(await serve((socket) => socket.on('close', left)));
    await opened;
    link.close();
    expect(await code).toBe(1000);
    expect(link.send('more')).toBe(false);
  });

  const text = new TextEncoder().encode('hello');
  it.each<[string, Uint8Array, string]>([
    ['masks', Uint8Array.from(writeFrame(1, text, Uint8Array.of(1, 2, 3, 4))), 'masks'],
    ['sets a reserved bit', frame(0xc1, text), 'reserved'],
    ['sends binary', frame(0x82, text), 'binary'],
    ['sends an unknown opcode', frame(0x83, text), 'out of order'],
    ['sends an unknown control frame', frame(0x8b, text), 'control frame'],
    ['cuts a control frame', frame(0x09, text), 'control frame'],
    ['sends a long ping', frame(0x89, new Uint8Array(126)), 'too long'],
    ['continues nothing', frame(0x80, text), 'out of order'],
    ['begins twice', new Uint8Array([...frame(0x01, text), ...frame(0x81, text)]), 'out of order'],
    ['sends no UTF-8', frame(0x81, Uint8Array.of(0xc0, 0x80)), 'UTF-8'],
    ['sends a lone surrogate', frame(0x81, Uint8Array.of(0xed, 0xa0, 0x80)), 'UTF-8'],
    ['says too much', frame(0x81, new Uint8Array(1025)), 'larger than 1024'],
    [
      'says too much in pieces',
      new Uint8Array([...frame(0x01, new Uint8Array(600)), ...frame(0x80, new Uint8Array(600))]),
      'larger than 1024',
    ],
    [
      'says far too much',
      Uint8Array.of(0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255),
      'larger than 1024',
    ],
    ['closes with a code that nobody may send', frame(0x88, Uint8Array.of(3, 237)), 'close frame'],
    ['closes with half a code', frame(0x88, Uint8Array.of(3)), 'close frame'],
  ])('%s is left, with the reason', async (_, bytes, reason) => {
    for (const piece of [65_536, 1]) {
      const { ended, texts } = open(await serveRaw(accepted, bytes), piece, 1024);
      expect((await ended).reason).toContain(reason);
      expect(texts).toEqual([]);
    }
  });
});
