import { type GatewayStatus, STATUS_OPERATION } from '../../../src/gateway/status.js';
import type { Log } from '../../../src/ports.js';
import { UAPI_IO, UAPI_OK, UAPI_PORT_IN_USE } from '../../../src/wireguard/uapi-errno.js';
import type { UapiHost } from '../../../src/wireguard/uapi-host.js';
import { messageOf } from '../../xs/edge.js';
import { EADDRINUSE, EPERM, SystemError } from '../drivers/system-error.js';
import type { Udp } from '../drivers/udp.js';
import { zoneIndex, zoneName } from '../drivers/zones.js';

/** What `wg` may change beyond the device, and what our own `status` asks. */
export class ControlHost implements UapiHost {
  readonly zoneIndex = zoneIndex;
  readonly zoneName = zoneName;
  readonly #socket: Udp;
  readonly #onMoved: () => void;
  readonly #log: Log;
  readonly #status: () => GatewayStatus;
  #mark: number;

  /** `onMoved` is called when the socket has another port. */
  constructor(socket: Udp, mark: number, onMoved: () => void, log: Log, status: () => GatewayStatus) {
    this.#socket = socket;
    this.#mark = mark;
    this.#onMoved = onMoved;
    this.#log = log;
    this.#status = status;
  }

  get listenPort(): number {
    return this.#socket.port;
  }

  get fwmark(): number {
    return this.#mark;
  }

  setListenPort(port: number, done: (errno: number) => void): void {
    done(port !== 0 && port === this.listenPort ? UAPI_OK : this.#attempt(() => this.rebind(port)));
  }

  setFwmark(mark: number, done: (errno: number) => void): void {
    done(mark === this.#mark ? UAPI_OK : this.#attempt(() => this.mark(mark)));
  }

  /** Moves the sockets to another port (0: any). */
  rebind(port: number): void {
    this.#socket.rebind(port);
    this.#onMoved();
    this.#log.write('info', 'listen-port', { port: this.listenPort });
  }

  mark(mark: number): void {
    this.#socket.setMark(mark);
    this.#mark = mark;
  }

  knows(operation: string): boolean {
    return operation === STATUS_OPERATION;
  }

  answer(_operation: string, reply: (text: string, errno: number) => void): void {
    reply(`${asciiJson(this.#status())}\n`, UAPI_OK);
  }

  refused(key: string, errno: number): void {
    this.#log.write('warn', 'uapi-refused', { key, errno });
  }

  #attempt(change: () => void): number {
    try {
      change();
      return UAPI_OK;
    } catch (error) {
      this.#log.write('warn', 'uapi-refused', { reason: messageOf(error) });
      if (!(error instanceof SystemError)) return UAPI_IO;
      if (error.errno === EADDRINUSE) return UAPI_PORT_IN_USE;
      return error.errno === EPERM ? -EPERM : UAPI_IO;
    }
  }
}

/** The control socket speaks ASCII; JSON can say everything in it. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/gu, (character) => {
    let text = '';
    for (const unit of utf16(character.codePointAt(0)!)) text += `\\u${unit.toString(16).padStart(4, '0')}`;
    return text;
  });
}

function utf16(code: number): number[] {
  if (code < 0x1_0000) return [code];
  return [0xd800 + ((code - 0x1_0000) >> 10), 0xdc00 + ((code - 0x1_0000) & 0x3ff)];
}
