/**
 * STUN once more, slowly and over Node's own crypto: what `src/ice` reads and writes is compared with this, and the
 * simulated servers are made of it.
 */

import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface TwinMessage {
  /** 0 request, 1 indication, 2 success, 3 error. */
  class: number;
  method: number;
  id: Buffer;
  attributes: [type: number, value: Buffer][];
}

export function decode(bytes: Uint8Array): TwinMessage {
  const message = Buffer.from(bytes);
  const type = message.readUInt16BE(0);
  if (type > 0x3fff || message.readUInt32BE(4) !== 0x2112a442) throw new Error('not STUN');
  if (message.readUInt16BE(2) !== message.length - 20) throw new Error('wrong length');
  const bit = (n: number) => (type >> n) & 1;
  const attributes: [number, Buffer][] = [];
  for (let at = 20; at < message.length; ) {
    const size = message.readUInt16BE(at + 2);
    attributes.push([message.readUInt16BE(at), message.subarray(at + 4, at + 4 + size)]);
    at += 4 + Math.ceil(size / 4) * 4;
  }
  let method = 0;
  // RFC 8489 figure 3: the method's bits, lowest first, stand at these places.
  [0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13].forEach((place, i) => {
    method |= bit(place) << i;
  });
  return { class: bit(4) | (bit(8) << 1), method, id: message.subarray(8, 20), attributes };
}

export interface Secrets {
  readonly sha1?: Buffer;
  readonly sha256?: Buffer;
  readonly fingerprint?: boolean;
}

export function encode(message: TwinMessage, secrets: Secrets = {}): Buffer {
  let type = ((message.class & 1) << 4) | ((message.class >> 1) << 8);
  [0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13].forEach((place, i) => {
    type |= ((message.method >> i) & 1) << place;
  });
  const head = Buffer.alloc(20);
  head.writeUInt16BE(type, 0);
  head.writeUInt32BE(0x2112a442, 4);
  message.id.copy(head, 8);
  let all = head;
  const append = (number: number, value: Buffer) => {
    const attribute = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
    attribute.writeUInt16BE(number, 0);
    attribute.writeUInt16BE(value.length, 2);
    value.copy(attribute, 4);
    all = Buffer.concat([all, attribute]);
    all.writeUInt16BE(all.length - 20, 2);
  };
  const covered = (extra: number) => {
    const copy = Buffer.from(all);
    copy.writeUInt16BE(all.length - 20 + extra, 2);
    return copy;
  };
  for (const [number, value] of message.attributes) append(number, value);
  if (secrets.sha1) append(0x0008, createHmac('sha1', secrets.sha1).update(covered(24)).digest());
  if (secrets.sha256) append(0x001c, createHmac('sha256', secrets.sha256).update(covered(36)).digest());
  if (secrets.fingerprint) {
    const value = Buffer.alloc(4);
    value.writeUInt32BE((crc32(covered(8)) ^ 0x5354554e) >>> 0);
    append(0x8028, value);
  }
  return all;
}

/** Whether the message's MESSAGE-INTEGRITY or -SHA256 is right; false when it has none. */
export function isSigned(bytes: Uint8Array, key: Buffer, type: 0x0008 | 0x001c): boolean {
  const message = Buffer.from(bytes);
  for (let at = 20; at < message.length; ) {
    const size = message.readUInt16BE(at + 2);
    if (message.readUInt16BE(at) === type) {
      const before = Buffer.from(message.subarray(0, at));
      before.writeUInt16BE(at + 4 + size - 20, 2);
      const mac = createHmac(type === 8 ? 'sha1' : 'sha256', key)
        .update(before)
        .digest();
      return mac.subarray(0, size).equals(message.subarray(at + 4, at + 4 + size));
    }
    at += 4 + Math.ceil(size / 4) * 4;
  }
  return false;
}

export function attribute(message: TwinMessage, type: number): Buffer | undefined {
  return message.attributes.find(([number]) => number === type)?.[1];
}

export function longTermKeyTwin(username: string, realm: string, password: string, sha256 = false): Buffer {
  return createHash(sha256 ? 'sha256' : 'md5')
    .update(`${username}:${realm}:${password}`)
    .digest();
}

/** `address:port` (IPv4) as the value of an XOR-...-ADDRESS attribute. */
export function xorAddress(text: string): Buffer {
  const [host, port] = text.split(':');
  const value = Buffer.from([0, 1, 0, 0, ...host.split('.').map(Number)]);
  value.writeUInt16BE(Number(port) ^ 0x2112, 2);
  value.writeUInt32BE((value.readUInt32BE(4) ^ 0x2112a442) >>> 0, 4);
  return value;
}

export function addressOfXor(value: Buffer): string {
  const plain = Buffer.from(value);
  plain.writeUInt32BE((value.readUInt32BE(4) ^ 0x2112a442) >>> 0, 4);
  return `${[...plain.subarray(4, 8)].join('.')}:${value.readUInt16BE(2) ^ 0x2112}`;
}
