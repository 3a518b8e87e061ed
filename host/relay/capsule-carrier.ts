/** A tunnel's connection that speaks capsules: an upgraded HTTP/1.1 connection or an HTTP/2 stream. */

import type { Duplex } from 'node:stream';
import { CapsuleReader, capsuleBytes, writeDatagramCapsule } from '../../src/transport/capsule.js';
import type { RelayCounters } from './counters.js';
import type { RelayOptions } from './options.js';
import type { Carrier, Tunnel } from './tunnel.js';

export function carryCapsules(
  stream: Duplex,
  tunnel: Tunnel,
  options: RelayOptions,
  counters: RelayCounters,
): Carrier {
  const reader = new CapsuleReader(options.datagram, {
    datagram: (bytes, offset, length) => tunnel.outward(bytes.subarray(offset, offset + length)),
  });
  stream.on('data', (chunk: Buffer) => {
    if (tunnel.ended || reader.push(chunk, 0, chunk.length)) return;
    counters.protocolErrors++;
    tunnel.end('what came are no capsules');
  });
  stream.on('error', () => {});
  stream.on('end', () => tunnel.end('the gateway has closed'));
  stream.on('close', () => tunnel.end('the connection is gone'));
  // Datagrams that come together leave together: one TLS record, one system call.
  let frames: Buffer[] = [];
  let waiting = 0;
  const flush = (): void => {
    const all = frames.length === 1 ? frames[0] : Buffer.concat(frames, waiting);
    frames = [];
    waiting = 0;
    if (!stream.destroyed) stream.write(all);
  };
  return {
    send: (datagram) => {
      const size = capsuleBytes(datagram.length);
      if (stream.destroyed || stream.writableLength + waiting + size > options.backlog) return false;
      const frame = Buffer.allocUnsafe(size);
      writeDatagramCapsule(frame, 0, datagram, 0, datagram.length);
      if (frames.push(frame) === 1) setImmediate(flush);
      waiting += size;
      return true;
    },
    close: () => {
      stream.end();
      setTimeout(() => stream.destroy(), 1_000).unref();
    },
  };
}
