/**
 * The fast pump of Linux: super-packets on both sides, decisions in TypeScript once for each of them, bytes in C.
 * Timers, names and what the device sends by itself stay with the portable {@link Gateway}, which sees this pump as
 * its tunnel device and goes on using the socket.
 */

import { Gateway, type GatewayOptions } from '../../../src/gateway.js';
import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { Clock, PacketDevice } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Keypair } from '../../../src/wireguard/keypair.js';
import { messageType, TYPE_DATA } from '../../../src/wireguard/messages.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { PROBE_BYTES, probeId, probeKind } from '../../../src/wireguard/probe.js';
import { errorText } from '../drivers/system-error.js';
import type { Tun } from '../drivers/tun.js';
import type { Udp } from '../drivers/udp.js';
import {
  ACCEPTED,
  BUFFERS,
  HEADER_BYTES,
  NEXT_MALFORMED,
  NEXT_NONE,
  NOT_ASKED,
  type Offload,
  REFUSED,
  RUN,
} from './offload.js';

/** Groups of frames taken in one turn, so that timers and the other direction never starve. */
const GROUPS_PER_TURN = 16;
/**
 * Likewise for what is received, `BUFFERS` buffers each. A flood of handshakes must come in faster than the device works
 * them off: only then does it see that it is under load, and asks for cookies.
 */
const RECEIVES_PER_TURN = 8;
/** Larger than every handshake message. */
const HANDSHAKE_ROOM = 256;

export interface OffloadPumpOptions extends Omit<GatewayOptions, 'tunnel' | 'socket'> {
  readonly tun: Tun;
  readonly udp: Udp;
  /** Given to the device as its keypair observer. */
  readonly offload: Offload;
}

/** As a port this is only how the gateway hears of the interface's end. */
class TunnelEnd implements PacketDevice {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  readBatch(): number {
    return 0;
  }
  writeBatch(): void {}
  close(): void {}
}

export class OffloadPump {
  readonly gateway: Gateway;
  readonly #device: Device;
  readonly #clock: Clock;
  readonly #tun: Tun;
  readonly #udp: Udp;
  readonly #offload: Offload;
  readonly #end = new TunnelEnd();
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #source = new Uint8Array(ENDPOINT_BYTES);
  readonly #handshake = new Uint8Array(HANDSHAKE_ROOM);
  readonly #packet: Uint8Array;
  readonly #run = new Uint32Array(RUN.fields);
  readonly #runBuffer = this.#run.buffer;

  constructor(options: OffloadPumpOptions) {
    const { tun, udp, offload, ...rest } = options;
    this.#device = options.device;
    this.#clock = options.clock;
    this.#tun = tun;
    this.#udp = udp;
    this.#offload = offload;
    this.#packet = new Uint8Array(options.device.limits.packetSize);
    this.gateway = new Gateway({ ...rest, tunnel: this.#end, socket: udp });
  }

  start(): void {
    this.attach();
    this.gateway.start();
    this.#udp.onReadable = () => this.#inward();
    this.#tun.onReadable = () => this.#outward();
    this.#tun.onClosed = (reason) => this.#end.onClosed?.(reason);
  }

  /** After the sockets moved to another port. */
  attach(): void {
    this.#offload.attach(this.#tun.descriptor, this.#udp);
  }

  stop(): void {
    this.gateway.stop();
    this.#tun.onReadable = this.#udp.onReadable = this.#tun.onClosed = undefined;
    this.#offload.detach();
  }

  // ---- from the site to the network ----

  #outward(): void {
    for (let i = 0; i < GROUPS_PER_TURN; i++) {
      const packets = this.#offload.read(this.#header);
      if (packets === 0) break;
      if (packets < 0) {
        this.#tun.close();
        this.#end.onClosed?.(errorText(-packets));
        return;
      }
      this.#group(packets);
    }
    this.#offload.flush();
  }

  /** Frames with one destination. */
  #group(packets: number): void {
    const device = this.#device;
    const peer = device.routeDestination(this.#header, 0, HEADER_BYTES);
    if (peer === undefined) {
      device.counters.noRoute += packets;
      return;
    }
    const keypair = peer.keypairForSending();
    if (keypair === undefined) {
      if (!peer.hasEndpoint) device.counters.noEndpoint += packets;
      this.#stage(peer, packets);
      return;
    }
    if (!peer.hasEndpoint) {
      device.counters.noEndpoint += packets;
      return;
    }
    if (!keypair.takeCounters(packets)) return;
    const { takenLow, takenHigh } = keypair;
    const sent = this.#offload.seal(keypair.slot, takenLow, takenHigh, device.mtu, peer.endpoint);
    if (sent === 0) device.counters.tooLarge += packets;
    else peer.noteSent(keypair, packets, sent, packets);
  }

  #stage(peer: Peer, packets: number): void {
    for (let i = 0; i < packets; i++) {
      const length = this.#offload.packet(i, this.#packet);
      if (length > 0) peer.stage(this.#packet, 0, length);
      else this.#device.counters.tooLarge++;
    }
  }

  // ---- from the network to the site ----

  #inward(): void {
    const offload = this.#offload;
    for (let round = 0; round < RECEIVES_PER_TURN; round++) {
      const buffers = offload.receive();
      for (let i = 0; i < buffers; i++) {
        offload.begin(i, this.#source, this.#runBuffer);
        this.#buffer();
      }
      offload.write();
      if (buffers < BUFFERS) return;
    }
  }

  #buffer(): void {
    const { counters } = this.#device;
    const run = this.#run;
    for (let type = run[RUN.nextType]; type !== NEXT_NONE; type = run[RUN.nextType]) {
      if (type === TYPE_DATA) this.#data(run[RUN.nextIndex]);
      else {
        const length = this.#offload.take(this.#handshake, this.#runBuffer);
        // The device's queue has no room for messages of other than the right lengths.
        if (type === NEXT_MALFORMED || messageType(this.#handshake, 0, length) === 0) counters.malformed++;
        else this.#device.queueHandshake(this.#handshake, 0, length, this.#source, 0);
      }
    }
  }

  /** The messages that follow under one receiver index. */
  #data(index: number): void {
    const device = this.#device;
    const { counters } = device;
    const keypair = device.keypairByIndex(index);
    if (keypair === undefined) {
      counters.unknownIndex += this.#offload.skip(index, this.#runBuffer);
      return;
    }
    if (keypair.expired(this.#clock.monotonic(), device.timing)) {
      counters.expiredKeys += this.#offload.skip(index, this.#runBuffer);
      return;
    }
    this.#open(keypair, index);
    const run = this.#run;
    counters.badTag += run[RUN.badTag];
    counters.replayed += run[RUN.replayed];
    counters.keepalivesReceived += run[RUN.keepalives];
    counters.badPacket += run[RUN.badPacket];
    const { peer } = keypair;
    if (run[RUN.datagrams] > 0) {
      keypair.heard += run[RUN.datagrams];
      keypair.heardUpTo = run[RUN.upToHigh] * 0x1_0000_0000 + run[RUN.upToLow];
    }
    peer.noteReceived(keypair, this.#source, 0, run[RUN.datagrams], run[RUN.bytes], run[RUN.packets]);
  }

  #open(keypair: Keypair, index: number): void {
    const run = this.#run;
    let verdict = NOT_ASKED;
    for (;;) {
      this.#offload.openRun(keypair.slot, index, verdict, this.#header, this.#runBuffer);
      const asked = run[RUN.asked];
      if (asked === 0) return;
      verdict = this.#judge(keypair.peer, asked);
    }
  }

  /** What becomes of the packet whose beginning is in `#header`. */
  #judge(peer: Peer, length: number): number {
    const header = this.#header;
    const { counters } = this.#device;
    // Shorter than every packet.
    if (length === PROBE_BYTES) {
      const kind = probeKind(header, 0, length);
      if (kind === 0) counters.badPacket++;
      else peer.probed(kind, probeId(header, 0), this.#source, 0);
      return REFUSED;
    }
    if (this.#device.routeSource(header, 0, length) === peer) return ACCEPTED;
    counters.wrongSource++;
    return REFUSED;
  }
}
