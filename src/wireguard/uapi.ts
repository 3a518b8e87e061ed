/**
 * The cross-platform userspace API (https://www.wireguard.com/xplatform/): the text by which `wg` asks and changes
 * a running device. One session serves one connection; bytes come in as they arrive, answers go out as text.
 * Nothing that a client writes can make a session throw or grow.
 */

import { equal, isZero } from '../crypto/constant-time.js';
import { bytesFromHex } from '../crypto/key-text.js';
import { KEY_BYTES } from '../crypto/primitives.js';
import { parseDecimal } from '../packet/address.js';
import type { Device } from './device.js';
import { describeDevice } from './uapi-answer.js';
import { UAPI_INVALID, UAPI_OK, UAPI_PROTOCOL } from './uapi-errno.js';
import type { UapiHost, UapiOutput } from './uapi-host.js';
import { UapiPeerSettings } from './uapi-peer-settings.js';

/** Longest line in bytes. The longest that means anything is an endpoint with a zone, below 100. */
export const UAPI_LINE_LIMIT = 256;

/**
 * - `operation`: a `get=1`, `set=1` or the like is due.
 * - `ask`: an operation without lines of its own waits for its empty line.
 * - `device`, `peer`: inside `set=1`, before and after the first `public_key`.
 * - `refused`: a line failed; the rest of the operation is skipped.
 * - `over`: the session ended.
 */
type State = 'operation' | 'ask' | 'device' | 'peer' | 'refused' | 'over';

export class UapiSession {
  /** Called when a `push` that returned false has been worked off. */
  onReady: (() => void) | undefined;

  readonly #device: Device;
  readonly #host: UapiHost;
  readonly #output: UapiOutput;
  readonly #line = new Uint8Array(UAPI_LINE_LIMIT);
  #length = 0;
  #overlong = false;
  #state: State = 'operation';
  #operation = '';
  #errno: number = UAPI_OK;
  #waiting = false;
  #rest: Uint8Array | undefined;

  readonly #peer: UapiPeerSettings;

  constructor(device: Device, host: UapiHost, output: UapiOutput) {
    this.#device = device;
    this.#peer = new UapiPeerSettings(device, host);
    this.#host = host;
    this.#output = output;
  }

  /** Takes what the client wrote. False: an answer of the host is awaited, hold back until `onReady`. */
  push(bytes: Uint8Array): boolean {
    if (this.#waiting) {
      this.#rest = this.#rest === undefined ? bytes.slice() : joined(this.#rest, bytes);
      return false;
    }
    for (let i = 0; i < bytes.length && this.#state !== 'over'; i++) {
      if (bytes[i] !== 0x0a) {
        if (this.#length < UAPI_LINE_LIMIT) this.#line[this.#length++] = bytes[i];
        else this.#overlong = true;
        continue;
      }
      this.#take();
      this.#length = 0;
      this.#overlong = false;
      if (this.#waiting) {
        this.#rest = bytes.slice(i + 1);
        return false;
      }
    }
    return true;
  }

  /** The client is gone, perhaps in the middle: what came whole stays applied. Erases what was read. */
  close(): void {
    this.#peer.end();
    this.#state = 'over';
    this.#forget();
    this.#rest?.fill(0);
    this.#rest = undefined;
  }

  #take(): void {
    if (this.#length === 0 && !this.#overlong) {
      if (this.#state !== 'operation') this.#answer();
      return;
    }
    switch (this.#state) {
      case 'operation':
        this.#begin(this.#text());
        return;
      case 'ask':
        this.#refuse(this.#operation, UAPI_INVALID);
        return;
      case 'device':
      case 'peer':
        this.#takeSetting();
        return;
    }
  }

  #begin(operation: string): void {
    this.#operation = operation;
    this.#errno = UAPI_OK;
    if (operation === 'set=1') {
      this.#state = 'device';
      return;
    }
    if (operation === 'get=1' || (operation !== '' && this.#host.knows?.(operation))) {
      this.#state = 'ask';
    } else {
      // Whoever speaks something else cannot know where its operation ends.
      this.#state = 'over';
      this.#output.end();
    }
  }

  /** The empty line came: the operation is complete. */
  #answer(): void {
    if (this.#state === 'ask' && this.#operation !== 'get=1') {
      this.#await((done) => {
        this.#host.answer?.(this.#operation, (text, errno) => {
          if (this.#state === 'over') return;
          this.#output.write(text);
          this.#errno = errno;
          this.#finish();
          done();
        });
      });
      return;
    }
    if (this.#state === 'ask') describeDevice(this.#device, this.#host, this.#output);
    this.#peer.end();
    this.#finish();
  }

  #finish(): void {
    this.#device.allowedIps.settle();
    this.#output.write(`errno=${this.#errno}\n\n`);
    this.#state = 'operation';
    this.#forget();
  }

  /** One line of `set=1`. Lines take effect as they come; the first that fails ends the operation. */
  #takeSetting(): void {
    const text = this.#text();
    const equals = text.indexOf('=');
    if (equals < 1) {
      this.#refuse('', UAPI_PROTOCOL);
      return;
    }
    const name = text.slice(0, equals);
    const value = text.slice(equals + 1);
    if (name === 'public_key') this.#state = 'peer';
    const errno = this.#state === 'device' ? this.#setDevice(name, value) : this.#peer.set(name, value);
    if (errno !== UAPI_OK) this.#refuse(name, errno);
  }

  #setDevice(name: string, value: string): number {
    switch (name) {
      case 'private_key': {
        const key = bytesFromHex(value, KEY_BYTES);
        if (key === undefined) return UAPI_INVALID;
        this.#setPrivateKey(isZero(key) ? undefined : key);
        key.fill(0);
        return UAPI_OK;
      }
      case 'listen_port': {
        const port = parseDecimal(value, 0xffff);
        if (port < 0) return UAPI_INVALID;
        this.#apply(name, (done) => this.#host.setListenPort(port, done));
        return UAPI_OK;
      }
      case 'fwmark': {
        const mark = parseDecimal(value, 0xffff_ffff);
        if (mark < 0) return UAPI_INVALID;
        this.#apply(name, (done) => this.#host.setFwmark(mark, done));
        return UAPI_OK;
      }
      case 'replace_peers':
        if (value !== 'true') return UAPI_INVALID;
        this.#device.removeAllPeers();
        return UAPI_OK;
      default:
        return UAPI_INVALID;
    }
  }

  /** Sessions end with their key, so writing the same key again must not count as a change. */
  #setPrivateKey(key: Uint8Array | undefined): void {
    const own = this.#device.privateKey;
    if (own !== undefined && key !== undefined && equal(own, key)) return;
    this.#device.setPrivateKey(key);
  }

  #apply(name: string, ask: (done: (errno: number) => void) => void): void {
    this.#await((done) =>
      ask((errno) => {
        if (errno !== UAPI_OK && this.#state !== 'over') this.#refuse(name, errno);
        done();
      }),
    );
  }

  /** Lets the host answer when it can; until then no further line is read. */
  #await(ask: (done: () => void) => void): void {
    let answered = false;
    ask(() => {
      if (answered) return;
      answered = true;
      if (!this.#waiting) return;
      this.#waiting = false;
      const rest = this.#rest;
      this.#rest = undefined;
      if (this.#state !== 'over' && (rest === undefined || this.push(rest))) this.onReady?.();
    });
    this.#waiting = !answered;
  }

  #refuse(name: string, errno: number): void {
    this.#errno = errno;
    this.#state = 'refused';
    this.#host.refused?.(name, errno);
  }

  /** The line as text; empty when it has more than printable ASCII or did not fit: no line of this protocol. */
  #text(): string {
    let text = '';
    for (let i = 0; i < this.#length; i++) {
      const code = this.#line[i];
      if (code < 0x20 || code > 0x7e) return '';
      text += String.fromCharCode(code);
    }
    return this.#overlong ? '' : text;
  }

  #forget(): void {
    this.#line.fill(0);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a, 0);
  both.set(b, a.length);
  return both;
}
