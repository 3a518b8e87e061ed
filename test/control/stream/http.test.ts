/** Our HTTP client against Node's server and against answers that are wrong. */

import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isLoopback } from '../../../src/control/routes.js';
import { StreamHttpClient } from '../../../src/control/stream/stream-http-client.js';
import { utf8Bytes, utf8Text } from '../../../src/control/stream/utf8.js';
import { parseWebAddress } from '../../../src/control/stream/web-address.js';
import type { HttpAnswer } from '../../../src/ports.js';
import { NodeTimer, nodeStreams } from './node-streams.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function post(url: string, body: string, token?: string, piece?: number): Promise<HttpAnswer> {
  const client = new StreamHttpClient({
    connector: nodeStreams(piece),
    timer: () => new NodeTimer(),
    allowsOpen: isLoopback,
  });
  return new Promise((resolve) => client.post(url, body, token, resolve));
}

async function answering(answer: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(Buffer.from(answer, 'latin1')));
  });
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/x`;
}

describe('a request', () => {
  it.each([65_536, 100, 1])('arrives as it is, and its answer, %d bytes at a time', async (piece) => {
    const server = createHttp((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        const { method, url, headers } = request;
        const said = JSON.stringify([method, url, headers.authorization, headers['content-type'], body]);
        // Without a length Node sends chunks.
        if (url === '/length') response.setHeader('content-length', Buffer.byteLength(said));
        if (url === '/busy') response.writeHead(429, { 'retry-after': '3' });
        response.write(said.slice(0, 5));
        response.end(said.slice(5));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    for (const path of ['/length', '/chunks?a=b', '/busy']) {
      const answer = await post(origin + path, '{"a":"ü😀"}', 'secret', piece);
      expect(answer.status).toBe(path === '/busy' ? 429 : 200);
      expect(answer.retryAfter).toBe(path === '/busy' ? 3_000 : 0);
      expect(JSON.parse(answer.body)).toEqual([
        'POST',
        path,
        'Bearer secret',
        'application/json',
        '{"a":"ü😀"}',
      ]);
    }
  });

  it('goes to nobody else than this machine without TLS', async () => {
    for (const url of ['http://192.0.2.1/', 'http://localhost/', 'ws://127.0.0.1/', 'what']) {
      expect((await post(url, '{}')).error).toContain('https://');
    }
  });
});

describe('an answer', () => {
  it.each<[string, string, Partial<HttpAnswer>]>([
    ['to the end of the stream', 'HTTP/1.0 200 OK\r\n\r\nhello', { status: 200, body: 'hello' }],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, body: '' }],
    [
      'after an interim one',
      'HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      { status: 200, body: 'ok' },
    ],
    [
      'with a chunk extension and a trailer',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n',
      { status: 200, body: 'ok' },
    ],
  ])('%s is read', async (_, answer, expected) => {
    expect(await post(await answering(answer), '{}')).toMatchObject({ error: undefined, ...expected });
    expect(await post(await answering(answer), '{}', undefined, 1)).toMatchObject(expected);
  });

  it.each([
    ['that is cut', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', 'ended before'],
    [
      'that is cut in a chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello',
      'ended before',
    ],
    ['that is no answer', '', 'closed'],
    ['of another protocol', '220 mail.example ESMTP\r\n', 'not HTTP'],
    [
      'with two lengths',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n',
      'two lengths',
    ],
    ['with a wrong length', 'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n', 'malformed length'],
    [
      'with lengths that differ',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n',
      'malformed',
    ],
    ['with a folded header', 'HTTP/1.1 200 OK\r\n a: b\r\n\r\n', 'malformed header'],
    ['with a wrong chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'malformed size'],
    ['in an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', 'unknown way'],
    ['that is too large', 'HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n', 'too large'],
    ['that grows too large', `HTTP/1.1 200 OK\r\n\r\n${'a'.repeat(70_000)}`, 'too large'],
    ['with too large a head', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(2_000)}\r\n`, 'head is too large'],
  ])('%s is refused, with the reason', async (_, answer, reason) => {
    const { status, error } = await post(await answering(answer), '{}');
    expect({ status, error }).toEqual({ status: 0, error: expect.stringContaining(reason) });
  });
});

describe('text and addresses', () => {
  it('are UTF-8 as the platform has it', () => {
    for (const text of [
      '',
      'plain',
      'ü ß é',
      '漢字',
      '😀'.repeat(300),
      '\u0000\u007f\u0080\u07ff\u0800\uffff',
    ]) {
      expect(utf8Bytes(text)).toEqual(new TextEncoder().encode(text));
      expect(utf8Text(new TextEncoder().encode(text))).toBe(text);
    }
    expect(utf8Bytes('\ud800')).toEqual(new TextEncoder().encode('\ud800'));
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    // All there is up to two bytes, and each beginning of three and four.
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        for (const rest of [[], [0x80], [0x80, 0x80], [0xbf, 0xbf]]) {
          const bytes = Uint8Array.of(first, second, ...rest);
          let expected: string | undefined;
          try {
            expected = strict.decode(bytes);
          } catch {}
          if (utf8Text(bytes) !== expected) throw new Error(`differs for ${bytes}`);
        }
      }
    }
  });

  it('are taken apart as URLs', () => {
    expect(parseWebAddress('wss://a.example/ws?x=1')).toEqual({
      scheme: 'wss',
      secure: true,
      host: 'a.example',
      port: 443,
      authority: 'a.example',
      path: '/ws?x=1',
    });
    expect(parseWebAddress('http://[::1]:80')).toMatchObject({
      host: '::1',
      port: 80,
      path: '/',
      secure: false,
    });
    expect(parseWebAddress('mqtts://h')).toMatchObject({ port: 8883, secure: true });
    for (const bad of [
      'ftp://a/',
      'https://',
      'https://a:0/',
      'https://a:70000/',
      'https://u@a/',
      'https://a/ b',
    ]) {
      expect(parseWebAddress(bad), bad).toBeUndefined();
    }
  });
});
