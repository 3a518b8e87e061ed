/**
 * Transport data: the paper's section 5.4.6.
 */
import { ReplaySet } from './replay.js';
import { aeadOpen, aeadSeal, type Bytes, concat } from './symmetric.js';

const NO_BYTES = new Uint8Array(0);

export function u32(n: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}

export function readU32(bytes: Bytes, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

export function counterOf(message: Bytes): bigint {
  return new DataView(message.buffer, message.byteOffset).getBigUint64(8, true);
}

/** Zeros behind a packet up to the next multiple of 16. */
export function padded(packet: Bytes): Bytes {
  return concat(packet, new Uint8Array((16 - (packet.length % 16)) % 16));
}

export interface SessionKeys {
  readonly sendKey: Bytes;
  readonly receiveKey: Bytes;
  readonly localIndex: number;
  readonly remoteIndex: number;
}

export class Session implements SessionKeys {
  readonly sendKey: Bytes;
  readonly receiveKey: Bytes;
  readonly localIndex: number;
  readonly remoteIndex: number;
  sendCounter = 0n;
  readonly replay = new ReplaySet();

  constructor(keys: SessionKeys) {
    this.sendKey = keys.sendKey;
    this.receiveKey = keys.receiveKey;
    this.localIndex = keys.localIndex;
    this.remoteIndex = keys.remoteIndex;
  }

  /** A data message; without `counter` the next one. The content is sealed as given: pad it first where wanted. */
  seal(content: Bytes = NO_BYTES, counter = this.sendCounter++): Bytes {
    const header = concat(new Uint8Array([4, 0, 0, 0]), u32(this.remoteIndex), new Uint8Array(8));
    new DataView(header.buffer).setBigUint64(8, counter, true);
    return concat(header, aeadSeal(this.sendKey, counter, content, NO_BYTES));
  }

  /** The content of a data message for this session, or `undefined`; nothing is said about replays. */
  decrypt(message: Bytes): Bytes | undefined {
    if (message.length < 32 || readU32(message, 0) !== 4 || readU32(message, 4) !== this.localIndex)
      return undefined;
    return aeadOpen(this.receiveKey, counterOf(message), message.slice(16), NO_BYTES);
  }

  /** Like `decrypt`, but each counter opens once and only inside the window. */
  open(message: Bytes): Bytes | undefined {
    const content = this.decrypt(message);
    return content && this.replay.accept(counterOf(message)) ? content : undefined;
  }
}
