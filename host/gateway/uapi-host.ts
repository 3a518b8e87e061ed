import type { Log } from '../../src/ports.js';
import { UAPI_INVALID, UAPI_IO, UAPI_OK, UAPI_PORT_IN_USE } from '../../src/wireguard/uapi-errno.js';
import type { UapiHost } from '../../src/wireguard/uapi-host.js';
import { EXIT, GatewayError, messageOf } from './errors.js';
import type { Tunnel } from './platform/tunnel.js';
import type { Pump } from './pump.js';
import { type GatewayStatus, STATUS_OPERATION } from './status.js';
import { zoneIndex, zoneName } from './udp-addresses.js';

/** One echo through the tunnel: `ping=10.0.0.2`, answered with `round_trip_ms=`. */
const PING_PREFIX = 'ping=';
/** Longest an echo may take, in ms. */
const PING_TIMEOUT = 2_000;

const EPERM = -1;
const ETIMEDOUT = -110;

/** What `wg` may change beyond the device, and what our own commands may ask. */
export class GatewayUapiHost implements UapiHost {
  readonly zoneIndex = zoneIndex;
  readonly zoneName = zoneName;
  private readonly tunnel: Tunnel;
  private readonly pump: Pump;
  private readonly log: Log;
  private readonly status: () => GatewayStatus;

  constructor(tunnel: Tunnel, pump: Pump, log: Log, status: () => GatewayStatus) {
    this.tunnel = tunnel;
    this.pump = pump;
    this.log = log;
    this.status = status;
  }

  refresh(): void {
    this.pump.refresh?.();
  }

  get listenPort(): number {
    return this.tunnel.sockets.port;
  }

  get fwmark(): number {
    return this.tunnel.fwmark;
  }

  setListenPort(port: number, done: (errno: number) => void): void {
    if (port !== 0 && port === this.listenPort) done(UAPI_OK);
    else this.answerWith(this.rebind(port), done);
  }

  setFwmark(mark: number, done: (errno: number) => void): void {
    if (mark === this.fwmark) done(UAPI_OK);
    else this.answerWith(this.mark(mark), done);
  }

  /** Marks the sockets. */
  async mark(mark: number): Promise<void> {
    await this.tunnel.setMark(mark);
    this.pump.followMark?.();
  }

  /** Moves the sockets to another port (0: any). */
  async rebind(port: number): Promise<void> {
    this.pump.replaceSockets(await this.tunnel.rebind(port));
    this.log.write('info', 'listen-port', { port: this.listenPort });
  }

  knows(operation: string): boolean {
    return operation === STATUS_OPERATION || operation.startsWith(PING_PREFIX);
  }

  answer(operation: string, reply: (text: string, errno: number) => void): void {
    if (operation === STATUS_OPERATION) {
      reply(`${JSON.stringify(this.status())}\n`, UAPI_OK);
      return;
    }
    this.tunnel.ping(operation.slice(PING_PREFIX.length), PING_TIMEOUT).then(
      (ms) => (ms === undefined ? reply('', ETIMEDOUT) : reply(`round_trip_ms=${ms}\n`, UAPI_OK)),
      () => reply('', UAPI_INVALID),
    );
  }

  refused(key: string, errno: number): void {
    this.log.write('warn', 'uapi-refused', { key, errno });
  }

  private answerWith(work: Promise<void>, done: (errno: number) => void): void {
    work.then(
      () => done(UAPI_OK),
      (error) => {
        this.log.write('warn', 'uapi-refused', { reason: messageOf(error) });
        done(errnoOf(error));
      },
    );
  }
}

function errnoOf(error: unknown): number {
  if (!(error instanceof GatewayError)) return UAPI_IO;
  if (error.exitCode === EXIT.portTaken) return UAPI_PORT_IN_USE;
  return error.exitCode === EXIT.permission ? EPERM : UAPI_IO;
}
