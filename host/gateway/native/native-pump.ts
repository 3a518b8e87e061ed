/**
 * The T1 pump: a thread for each direction, the operating system's batches and offloads through koffi, one pass in
 * WebAssembly over memory that both and the operating system share. Handshakes, timers, names and configuration stay
 * with the portable {@link Gateway} on this thread, which sees the pump as its two ports.
 */

import { writeSync } from 'node:fs';
import { Gateway } from '../../../src/gateway.js';
import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { Log } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { probeId, probeKind } from '../../../src/wireguard/probe.js';
import { tuneInterface } from '../offload/interface-queue.js';
import type { UdpSockets } from '../platform/tunnel.js';
import { closeUdpSockets } from '../platform/udp-sockets.js';
import type { Pump, PumpOptions } from '../pump.js';
import type { SendFailure } from '../send-failure.js';
import { NodeTimer } from '../timer.js';
import type { Kernel, Lane } from '../wasm/kernel.js';
import { LaneKeeper, type LaneRoom } from './lane-keeper.js';
import { DEVICE_COUNTERS, hrtimeMs, LANE_COUNTERS, type Role, STATE } from './lane-state.js';
import { type LinuxSockets, NativeMissingError, setNonBlocking } from './linux.js';
import { MessagePort } from './message-port.js';
import { Notes } from './notes.js';
import { PacketPort } from './packet-port.js';
import type { SharedTables } from './shared-tables.js';
import {
  followMark,
  type MoreSockets,
  openBeside,
  SO_MARK,
  SOL_SOCKET,
  type SocketDescriptors,
  takeSockets,
} from './sockets.js';

/** ms between two looks at what the threads noted, while they note anything. */
const LOOK_INTERVAL = 50;
/** ms until a slot that was in use is tried again. */
const ERASE_INTERVAL = 1;
/** Batches of the queues taken before other events of this thread have their turn. */
const BATCHES_PER_TURN = 8;
/** Messages that are sealed before they are sent: two super-packets, and a third under way. */
const OUTWARD_ROOM = 0x40000;
/** Buffers of 64 KiB for one `recvmmsg`. */
const INWARD_BUFFERS = 64;
/** Bytes of the queues: packets without a session, and more than a thousand handshake messages. */
const OUTWARD_RING = 0x80000;
const INWARD_RING = 0x40000;

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/** What the native tier needs beside the usual; made by `pump-choice.ts`. */
export interface NativeParts {
  readonly kernel: Kernel;
  readonly linux: LinuxSockets;
  readonly tables: SharedTables;
  /** The control thread's own lane. */
  readonly lane: Lane;
  readonly workerFile: string;
  /** Tier T2: why OpenSSL seals and opens long messages; tier T1: why not, when it was asked for. */
  readonly openssl: { readonly used: boolean; readonly reason: string };
}

export class NativePump implements Pump {
  readonly tier: 't1' | 't2';
  readonly #crypto: string;
  readonly #parts: NativeParts;
  readonly #device: Device;
  readonly #log: Log;
  readonly #interfaceName: string;
  readonly #tun: number;
  readonly #base: number;
  readonly #gateway: Gateway;
  readonly #packets: PacketPort;
  readonly #messages: MessagePort;
  readonly #notes: Notes;
  /** One of each for each queue of the interface. */
  readonly #outward: readonly LaneKeeper[];
  readonly #inward: readonly LaneKeeper[];
  readonly #queues: readonly number[];
  readonly #lanes: readonly LaneKeeper[];
  /** What the device has been told of the lanes' counters. */
  readonly #told = new Map<LaneKeeper, Float64Array>();
  readonly #argument: number;
  #sockets: UdpSockets;
  /** The first are Node's; the others, of further queues, are ours to close. */
  #descriptors: readonly SocketDescriptors[];
  #mtuTold = 0;
  readonly #failuresTold = new Map<LaneKeeper, number>();
  #look: NodeJS.Timeout | undefined;
  #erase: NodeJS.Timeout | undefined;
  #stopped = false;

  /** Throws when the tunnel has no descriptor with offloads, or a thread cannot be prepared. */
  constructor(options: PumpOptions, parts: NativeParts) {
    const { device, tunnel, resolver, clock, log, onClosed } = options;
    const { kernel, linux, tables, lane, workerFile, openssl } = parts;
    this.tier = openssl.used ? 't2' : 't1';
    this.#crypto = openssl.reason;
    const { tun } = tunnel;
    if (tun === undefined || !tun.offload) {
      throw new NativeMissingError('the tunnel device has no segmentation offload');
    }
    this.#parts = parts;
    this.#device = device;
    this.#log = log;
    this.#interfaceName = tun.name;
    this.#tun = tun.fd;
    this.#queues = [tun.fd, ...tun.more];
    this.#base = linux.addressOf(kernel.memory.buffer);
    kernel.view.setBigUint64(kernel.constant('MEMORY_BASE'), BigInt(this.#base), true);
    this.#argument = kernel.allocate(64);
    const origin = hrtimeMs() - clock.monotonic();
    const keep = (role: Role, number: number, size: LaneRoom): LaneKeeper =>
      new LaneKeeper({
        ...{
          kernel,
          linux,
          base: this.#base,
          role,
          number,
          size,
          workerFile,
          origin,
          log,
          openssl: openssl.used,
        },
        onWake: () => this.#wake(),
        onDead: (keeper) => tables.healAfter(keeper.slotInUse, device.peers()),
        onEnded: (reason) => this.#packets.onClosed?.(reason),
      });
    const vector = kernel.constant('VECTOR_BYTES');
    const outwardRoom = { vectors: 2 * vector, room: OUTWARD_ROOM, ring: OUTWARD_RING };
    const inwardBuffers = INWARD_BUFFERS * kernel.constant('BUFFER_BYTES');
    const inwardRoom = { vectors: vector, room: inwardBuffers, ring: INWARD_RING };
    this.#outward = this.#queues.map((_, i) => keep('outward', i, outwardRoom));
    this.#inward = this.#queues.map((_, i) => keep('inward', i, inwardRoom));
    this.#lanes = [...this.#outward, ...this.#inward];
    for (const keeper of this.#lanes) {
      tables.addUser(keeper.slotInUse);
      this.#told.set(keeper, new Float64Array(LANE_COUNTERS.length));
    }
    tables.onCondemned = () => this.#eraseSoon();
    tables.onFull = () => log.write('warn', 'key-table-full', { reason: 'no memory for more key pairs' });
    this.#notes = new Notes(kernel, tables);
    this.#packets = new PacketPort(
      kernel,
      this.#outward.map(({ ring }) => ring),
      (frame) => writeSync(this.#tun, frame),
    );
    this.#messages = new MessagePort(
      kernel,
      lane,
      linux,
      this.#base,
      this.#inward.map(({ ring }) => ring),
    );
    this.#messages.onContents = (index, source, at, length) => this.#contents(index, source, at, length);
    this.#sockets = tunnel.sockets;
    this.#descriptors = this.#take(tunnel.sockets);
    this.#gateway = new Gateway({
      device,
      tunnel: this.#packets,
      socket: this.#messages,
      clock,
      timer: new NodeTimer(),
      resolver,
      log,
      onClosed,
    });
  }

  get reason(): string {
    const isCut = this.#outward.every((lane) => lane.word(STATE.noSegmentation) === 0);
    const cut = isCut ? 'UDP segmentation' : 'no UDP segmentation';
    const merged = this.#descriptors[0].gro ? ' and coalescing' : '';
    const threads = this.#queues.length === 1 ? 'a thread' : `${this.#queues.length} threads`;
    const replaced = this.#lanes.reduce((n, lane) => n + lane.replacements, 0);
    const note = replaced === 0 ? '' : `; threads replaced ${replaced} times, see the log`;
    return `${this.#crypto}${threads} for each direction, WebAssembly, TUN with segmentation offload, batches with ${cut}${merged}${note}`;
  }

  get lastFailure(): SendFailure | undefined {
    return this.#messages.lastFailure;
  }

  get counters(): Readonly<Record<string, number>> {
    const own = new Set<string>(DEVICE_COUNTERS);
    const counters: Record<string, number> = {};
    for (const name of LANE_COUNTERS) {
      if (own.has(name)) continue;
      counters[name] = this.#lanes.reduce((n, lane) => n + lane.counter(name), 0);
    }
    counters.sendDropped += this.#messages.sendDropped;
    counters.sendFailed += this.#messages.sendFailed;
    counters.threadsReplaced = this.#lanes.reduce((n, lane) => n + lane.replacements, 0);
    return counters;
  }

  start(): void {
    const { tables, linux, kernel } = this.#parts;
    for (const fd of this.#queues) {
      if (!setNonBlocking(linux, fd, true)) this.#log.write('warn', 'tun-blocks', {});
    }
    Atomics.store(kernel.words, kernel.constant('CONTROL_SLEEPS') >> 2, 1);
    this.#publishMtu();
    tables.follow(this.#device);
    this.#gateway.start();
    this.#useDescriptors();
    for (const lane of this.#lanes) lane.start();
    tuneInterface(this.#interfaceName, this.#device.mtu);
  }

  refresh(): void {
    this.#lookNow();
  }

  replaceSockets(sockets: UdpSockets): void {
    const old = this.#sockets;
    const more = this.#descriptors.slice(1);
    this.#sockets = sockets;
    this.#descriptors = this.#take(sockets);
    // The threads may be in the middle of a call on the old ones.
    void this.#useDescriptors().then(() => {
      closeUdpSockets(old);
      this.#close(more);
    });
  }

  nameError(peer: Peer): string | undefined {
    return this.#gateway.names?.error(peer);
  }

  expectEnd(): void {
    this.#packets.onClosed = this.#messages.onClosed = undefined;
  }

  /** Resolves when nothing touches the tunnel's descriptor and the sockets any more, and every key is erased. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#look);
    clearTimeout(this.#erase);
    this.#gateway.stop();
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
    this.#notes.tell();
    this.#tellCounters();
    this.#parts.tables.eraseAll();
    for (const lane of this.#lanes) lane.erase();
    closeUdpSockets(this.#sockets);
    this.#close(this.#descriptors.slice(1));
  }

  /** A thread has something for us. */
  #wake(): void {
    if (this.#stopped) return;
    this.#lookNow();
    this.#armLook();
  }

  /** Everything the threads left since the last look. Returns whether there was anything. */
  #lookNow(): boolean {
    if (this.#stopped) return false;
    const { kernel } = this.#parts;
    Atomics.store(kernel.words, kernel.constant('CONTROL_CALLED') >> 2, 0);
    this.#publishMtu();
    // First what was noted: it may confirm the pair that a waiting packet is to be sealed with.
    let found = this.#notes.tell() > 0;
    this.#tellCounters();
    for (let i = 0; i < BATCHES_PER_TURN && this.#messages.waiting; i++) {
      found = true;
      this.#messages.onReadable?.();
    }
    for (let i = 0; i < BATCHES_PER_TURN && this.#packets.waiting; i++) {
      found = true;
      this.#packets.onReadable?.();
    }
    if (this.#messages.waiting || this.#packets.waiting) setImmediate(() => this.#wake());
    this.#parts.tables.eraseCondemned();
    return found;
  }

  /** Looks again while there is something; then the next note wakes us. */
  #armLook(): void {
    if (this.#look !== undefined) return;
    this.#look = setTimeout(() => {
      this.#look = undefined;
      if (this.#stopped) return;
      if (this.#lookNow()) {
        this.#armLook();
        return;
      }
      const { kernel } = this.#parts;
      Atomics.store(kernel.words, kernel.constant('CONTROL_SLEEPS') >> 2, 1);
      // Noted between the look and the word: nobody would be woken for it.
      if (!this.#notes.waiting) return;
      Atomics.store(kernel.words, kernel.constant('CONTROL_SLEEPS') >> 2, 0);
      this.#wake();
    }, LOOK_INTERVAL);
    this.#look.unref();
  }

  #eraseSoon(): void {
    if (this.#erase !== undefined || this.#stopped) return;
    this.#erase = setTimeout(() => {
      this.#erase = undefined;
      this.#lookNow();
      if (!this.#parts.tables.eraseCondemned()) this.#eraseSoon();
    }, ERASE_INTERVAL);
    this.#erase.unref();
  }

  /** Content that is no packet: a probe of ours, or nothing. */
  #contents(index: number, source: Uint8Array, at: number, length: number): void {
    const { all } = this.#parts.kernel;
    const kind = probeKind(all, at, length);
    const peer = this.#device.keypairByIndex(index)?.peer;
    if (kind === 0 || peer === undefined) this.#device.counters.badPacket++;
    else peer.probed(kind, probeId(all, at), source, 0);
  }

  #tellCounters(): void {
    const { counters } = this.#device;
    for (const lane of this.#lanes) {
      const told = this.#told.get(lane);
      if (told === undefined) continue;
      for (const name of DEVICE_COUNTERS) {
        const place = LANE_COUNTERS.indexOf(name);
        const now = lane.counter(name);
        counters[name] += now - told[place];
        told[place] = now;
      }
    }
    this.#tellFailures();
  }

  /** Sends of the sending thread that were refused: for the owner, and for the choice of our own address. */
  #tellFailures(): void {
    for (const lane of this.#outward) {
      const failures = lane.word(STATE.sendFailures);
      if (failures === (this.#failuresTold.get(lane) ?? 0)) continue;
      this.#failuresTold.set(lane, failures);
      const { kernel } = this.#parts;
      const record = lane.word(STATE.sendOwner) + kernel.constant('PEER_RECORD');
      const endpoint = Uint8Array.from(kernel.all.subarray(record, record + ENDPOINT_BYTES));
      this.#messages.noteFailure(lane.word(STATE.sendErrno), endpoint, 0);
      for (const peer of this.#device.peers()) {
        if (endpoint.every((byte, i) => byte === peer.endpoint[i])) peer.forgetLocalAddress();
      }
    }
  }

  #publishMtu(): void {
    const { mtu } = this.#device;
    if (mtu === this.#mtuTold) return;
    this.#mtuTold = mtu;
    const { kernel } = this.#parts;
    Atomics.store(kernel.words, kernel.constant('MTU') >> 2, mtu);
  }

  /** The mark of the first sockets is another: those beside them follow. */
  followMark(): void {
    const [first, ...more] = this.#descriptors;
    for (const { udp4, udp6 } of more) {
      followMark(first.udp4, udp4, this.#system);
      followMark(first.udp6, udp6, this.#system);
    }
  }

  get #system(): MoreSockets {
    const { kernel, linux } = this.#parts;
    const argument = this.#argument;
    const at = this.#base + argument;
    return {
      open: (family) => linux.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
      bind: (fd, name) => {
        kernel.all.set(name, argument);
        return linux.bind(fd, at, name.length) === 0;
      },
      mark: (fd) => {
        kernel.words[argument >> 2] = 0;
        kernel.words[(argument >> 2) + 1] = 4;
        linux.getsockopt(fd, SOL_SOCKET, SO_MARK, at, at + 4);
        return kernel.words[argument >> 2];
      },
      close: (fd) => void linux.close(fd),
      setOption: (fd, level, option, value) => {
        kernel.words[argument >> 2] = value;
        return linux.setsockopt(fd, level, option, at, 4) === 0;
      },
    };
  }

  /** Takes the sockets over and opens as many beside them as there are queues. */
  #take(sockets: UdpSockets): readonly SocketDescriptors[] {
    const system = this.#system;
    const first = takeSockets(sockets, system.setOption);
    const all = [first];
    while (all.length < this.#queues.length) {
      const next = openBeside(sockets, first, system);
      if (next === undefined) {
        this.#log.write('warn', 'queue-without-socket', { reason: 'the system refuses another on the port' });
        break;
      }
      all.push(next);
    }
    this.#messages.port = sockets.port;
    this.#messages.udp4 = first.udp4;
    this.#messages.udp6 = first.udp6;
    if (!first.gro) this.#log.write('info', 'udp-offload-refused', { reason: 'no coalescing' });
    return all;
  }

  #close(descriptors: readonly SocketDescriptors[]): void {
    for (const { udp4, udp6 } of descriptors) {
      for (const fd of [udp4, udp6]) if (fd >= 0) this.#parts.linux.close(fd);
    }
  }

  /** A queue without sockets of its own sends by the first ones, and receives nothing. */
  async #useDescriptors(): Promise<void> {
    const [first] = this.#descriptors;
    await Promise.all(
      this.#queues.flatMap((tun, i) => {
        const own = this.#descriptors[i];
        const out = own ?? first;
        return [
          this.#outward[i].setDescriptors(tun, out.udp4, out.udp6),
          this.#inward[i].setDescriptors(tun, own?.udp4 ?? -1, own?.udp6 ?? -1),
        ];
      }),
    );
  }
}
