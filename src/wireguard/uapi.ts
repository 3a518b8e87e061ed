/**
 * The cross-platform userspace API (https://www.wireguard.com/xplatform/): the text by which `wg` asks and changes
 * a running device. One session serves one connection; bytes come in as they arrive, answers go out as text.
 * Nothing that a client writes can make a session throw or grow.
 */

import { equal, isZero } from '../crypto/constant-time.js';
import { bytesFromHex, bytesToHex } from '../crypto/key-text.js';
import { KEY_BYTES } from '../crypto/primitives.js';
import { formatPrefix, parseDecimal, parsePrefix } from '../packet/address.js';
import { formatEndpoint, parseEndpoint, type ZoneIndex, type ZoneName } from '../packet/endpoint-text.js';
import type { Device } from './device.js';
import type { Peer } from './peer.js';
import { UAPI_INVALID, UAPI_NO_SPACE, UAPI_OK, UAPI_PROTOCOL } from './uapi-errno.js';

/** Longest line in bytes. The longest that means anything is an endpoint with a zone, below 100. */
export const UAPI_LINE_LIMIT = 256;

/** How the protocol writes "no preshared key". */
const NO_KEY = '0'.repeat(KEY_BYTES * 2);

/** What a device does not own itself: its socket, and whatever else the host answers. */
export interface UapiHost {
  readonly listenPort: number;
  /** Moves the socket (0: any port), then calls `done` once with an errno of `uapi-errno.ts`. */
  setListenPort(port: number, done: (errno: number) => void): void;
  /** 0: none. */
  readonly fwmark: number;
  setFwmark(mark: number, done: (errno: number) => void): void;
  /** IPv6 zones have names outside and numbers inside (RFC 4007); only the host knows both. */
  zoneIndex?: ZoneIndex;
  zoneName?: ZoneName;
  /** Whether there is an operation (`status=1`) beyond `get=1` and `set=1`. */
  knows?(operation: string): boolean;
  /** Calls `reply` once with the answer, whole lines, and its errno. */
  answer?(operation: string, reply: (text: string, errno: number) => void): void;
  /** A line was refused; `key` is its name, never its value. */
  refused?(key: string, errno: number): void;
}

export interface UapiOutput {
  write(text: string): void;
  /** Nothing more will be understood: the connection should be closed. */
  end(): void;
}

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

  /** The peer being changed; `undefined` for one whose lines are read and ignored. */
  #peer: Peer | undefined;
  #created = false;
  /** Applied at the end of the peer's lines: turning it on sends at once, and the endpoint may come later. */
  #keepalive = -1;

  constructor(device: Device, host: UapiHost, output: UapiOutput) {
    this.#device = device;
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
    this.#endPeer();
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
    if (this.#state === 'ask') this.#writeDevice();
    this.#endPeer();
    this.#finish();
  }

  #finish(): void {
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
    const errno =
      name === 'public_key'
        ? this.#beginPeer(value)
        : this.#state === 'device'
          ? this.#setDevice(name, value)
          : this.#setPeer(name, value);
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

  #beginPeer(value: string): number {
    this.#endPeer();
    this.#state = 'peer';
    this.#created = false;
    const key = bytesFromHex(value, KEY_BYTES);
    if (key === undefined) return UAPI_INVALID;
    this.#peer = this.#device.peer(key);
    // A list of peers shared by all its members names the reader too: those lines are read and ignored.
    if (this.#peer !== undefined || this.#isOwnKey(key)) return UAPI_OK;
    try {
      this.#peer = this.#device.addPeer(key);
      this.#created = true;
    } catch {
      return UAPI_NO_SPACE;
    }
    return UAPI_OK;
  }

  #setPeer(name: string, value: string): number {
    const peer = this.#peer;
    switch (name) {
      case 'update_only':
        if (value !== 'true') return UAPI_INVALID;
        if (this.#created) this.#dropPeer();
        return UAPI_OK;
      case 'remove':
        if (value !== 'true') return UAPI_INVALID;
        this.#dropPeer();
        return UAPI_OK;
      case 'preshared_key': {
        const key = bytesFromHex(value, KEY_BYTES);
        if (key === undefined) return UAPI_INVALID;
        if (peer !== undefined) peer.presharedKey = key;
        key.fill(0);
        return UAPI_OK;
      }
      case 'endpoint': {
        const endpoint = parseEndpoint(value, this.#host.zoneIndex);
        // Names are looked up by `wg` itself; here only addresses arrive.
        if (endpoint.kind !== 'address') return UAPI_INVALID;
        if (peer !== undefined) {
          peer.endpointName = undefined;
          peer.setEndpoint(endpoint.record, 0);
        }
        return UAPI_OK;
      }
      case 'persistent_keepalive_interval': {
        const seconds = parseDecimal(value, 0xffff);
        if (seconds < 0) return UAPI_INVALID;
        this.#keepalive = seconds;
        return UAPI_OK;
      }
      case 'replace_allowed_ips':
        if (value !== 'true') return UAPI_INVALID;
        if (peer !== undefined) this.#device.allowedIps.removePeer(peer);
        return UAPI_OK;
      case 'allowed_ip':
        return this.#setAllowedIp(value);
      case 'protocol_version':
        return value === '1' ? UAPI_OK : UAPI_INVALID;
      default:
        return UAPI_INVALID;
    }
  }

  /** `192.0.2.0/24` adds (moving it from another peer), `-192.0.2.0/24` takes away. */
  #setAllowedIp(text: string): number {
    const removal = text.startsWith('-');
    const prefix = parsePrefix(removal ? text.slice(1) : text);
    if (prefix === undefined) return UAPI_INVALID;
    const peer = this.#peer;
    if (peer !== undefined) {
      if (removal) this.#device.allowedIps.remove(prefix.address, prefix.prefixLength, peer);
      else this.#device.allowedIps.insert(prefix.address, prefix.prefixLength, peer);
    }
    return UAPI_OK;
  }

  #dropPeer(): void {
    if (this.#peer !== undefined) this.#device.removePeer(this.#peer);
    this.#peer = undefined;
    this.#keepalive = -1;
  }

  #endPeer(): void {
    if (this.#peer !== undefined && this.#keepalive >= 0) this.#peer.persistentKeepalive = this.#keepalive;
    this.#peer = undefined;
    this.#keepalive = -1;
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

  #writeDevice(): void {
    const device = this.#device;
    const host = this.#host;
    let text = '';
    if (device.privateKey !== undefined) text += `private_key=${bytesToHex(device.privateKey)}\n`;
    if (host.listenPort !== 0) text += `listen_port=${host.listenPort}\n`;
    if (host.fwmark !== 0) text += `fwmark=${host.fwmark}\n`;
    this.#output.write(text);
    for (const peer of device.peers()) this.#writePeer(peer);
  }

  #writePeer(peer: Peer): void {
    const endpoint = formatEndpoint(peer.endpoint, 0, this.#host.zoneName);
    const handshake = peer.lastHandshakeWall;
    const seconds = Math.floor(handshake / 1000);
    const nanoseconds = Math.floor((handshake - seconds * 1000) * 1_000_000);
    const psk = peer.presharedKey === undefined ? NO_KEY : bytesToHex(peer.presharedKey);
    let text = `public_key=${bytesToHex(peer.publicKey)}\npreshared_key=${psk}\n`;
    text += 'protocol_version=1\n';
    if (endpoint !== '') text += `endpoint=${endpoint}\n`;
    text += `last_handshake_time_sec=${seconds}\nlast_handshake_time_nsec=${nanoseconds}\n`;
    text += `tx_bytes=${peer.txBytes}\nrx_bytes=${peer.rxBytes}\n`;
    text += `persistent_keepalive_interval=${peer.persistentKeepalive}\n`;
    for (const prefix of this.#device.allowedIps.entries(peer))
      text += `allowed_ip=${formatPrefix(prefix)}\n`;
    this.#output.write(text);
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

  #isOwnKey(key: Uint8Array): boolean {
    const own = this.#device.publicKey;
    return own !== undefined && equal(own, key);
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
