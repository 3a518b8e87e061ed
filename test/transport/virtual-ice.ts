/** A gateway on the simulated network of `test/ice`: a real device, its path, and ICE on the same socket. */

import { PortableDigests } from '../../src/crypto/portable-digests.js';
import { Batch } from '../../src/packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES, endpointFamily, FAMILY_VIRTUAL } from '../../src/packet/endpoint.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import { type IceLink, IceLinks } from '../../src/transport/ice-links.js';
import { PATH_OPTIONS } from '../../src/transport/path-options.js';
import { Paths } from '../../src/transport/paths.js';
import { UdpTransport } from '../../src/transport/udp-transport.js';
import { Device } from '../../src/wireguard/device.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import { record } from '../ice/virtual/gateway.js';
import type { VirtualNetwork } from '../ice/virtual/network.js';
import { MemoryStore, nodePrimitives, privateKeyOf, Seed } from '../wireguard/virtual/world.js';

export interface TunnelEndOptions {
  readonly name: string;
  readonly socket: string;
  readonly server: string;
  readonly username: string;
  readonly password: string;
}

export class TunnelEnd {
  readonly device: Device;
  readonly paths: Paths;
  readonly links: IceLinks;
  /** Packets that came out of the tunnel, with their time. */
  readonly packets: { at: number; bytes: Uint8Array }[] = [];
  link!: IceLink;
  peer!: Peer;
  /** Signaling messages sent. */
  signals = 0;
  /** Whether the control plane can be reached. */
  online = true;
  readonly socket: string;
  readonly #network: VirtualNetwork;
  readonly #batch = new Batch(2048, 8);

  constructor(network: VirtualNetwork, options: TunnelEndOptions) {
    this.#network = network;
    this.socket = options.socket;
    const clock = { monotonic: () => network.now, wall: () => Date.UTC(2026, 0, 1) + network.now };
    const primitives = nodePrimitives(new Seed(network.random.next()));
    this.device = new Device({
      primitives,
      timestamps: new TimestampSource(clock, new MemoryStore()),
      clock,
    });
    this.device.setPrivateKey(privateKeyOf(options.name));
    this.device.onOutbox = () => this.#send(this.device.outbox);
    this.paths = new Paths({ clock, options: PATH_OPTIONS });
    this.paths.sendUdp = (bytes, offset, length, endpoints, at) =>
      this.#sendUdp(bytes.subarray(offset, offset + length), endpoints, at);
    this.paths.deliver = (bytes, offset, length, from) => this.#open(bytes, offset, length, from, 0);
    this.links = new IceLinks({
      digests: new PortableDigests(),
      random: (out) => primitives.random(out),
      clock,
      sendUdp: (to, at, bytes, offset, length) =>
        this.#sendUdp(bytes.subarray(offset, offset + length), to, at),
    });
    const server = record(options.server);
    const { username, password } = options;
    this.links.host.gatherer.setServers(
      [server],
      [{ transport: 'udp', endpoint: server, name: '', username, password }],
      network.now,
    );
    this.links.host.gatherer.setAddresses([record(this.socket)], network.now);
    network.attach(this.socket.split(':')[0], (from, to, bytes) => {
      if (to !== this.socket) return;
      const source = record(from);
      if (!this.links.receive(source, 0, bytes, 0, bytes.length))
        this.#open(bytes, 0, bytes.length, source, 0);
    });
  }

  /** Makes the other one a peer whose endpoint nobody knows. */
  meet(other: TunnelEnd, delay = 40): void {
    this.peer = this.device.addPeer(other.device.publicKey!)!;
    this.device.allowedIps.insert(new Uint8Array(4), 0, this.peer);
    this.link = this.links.add(this.peer.id, {
      signal: (type, data) => {
        this.signals++;
        // As the control plane carries it: text.
        const text = JSON.stringify(data);
        if (this.online && other.online) {
          this.#network.after(delay, () =>
            other.link?.signaling.take(type, JSON.parse(text), this.#network.now),
          );
        }
        return this.online;
      },
      sentBytes: () => this.peer.txBytes,
    });
    this.paths.add(
      this.peer,
      [
        { transport: new UdpTransport(), place: 0 },
        { transport: this.link.direct, place: 1 },
        { transport: this.link.relayed, place: 2 },
      ],
      other.socket,
    );
  }

  get way(): string {
    return this.paths.of(this.peer)?.active?.transport.kind ?? 'none';
  }

  get deadline(): number {
    return Math.min(this.device.nextDeadline(), this.paths.nextDeadline(), this.links.nextDeadline());
  }

  advance(now: number): void {
    this.links.advance();
    if (this.device.nextDeadline() <= now) this.device.advance();
    this.#send(this.device.outbox);
    this.paths.advance();
    this.#send(this.device.outbox);
  }

  sendPacket(packet: Uint8Array): void {
    this.#batch.clear();
    this.#batch.push(packet, 0, packet.length);
    this.device.seal(this.#batch);
    this.#send(this.#batch);
    this.#send(this.device.outbox);
  }

  #open(bytes: Uint8Array, offset: number, length: number, from: Uint8Array, fromAt: number): void {
    this.#batch.clear();
    if (this.#batch.push(bytes, offset, length) < 0) return;
    copyEndpoint(this.#batch.endpoints, 0, from.slice(fromAt, fromAt + ENDPOINT_BYTES), 0);
    this.device.open(this.#batch);
    const size = this.#batch.length[0];
    const at = this.#batch.offset[0];
    if (size > 0) this.packets.push({ at: this.#network.now, bytes: this.#batch.bytes.slice(at, at + size) });
    this.#send(this.device.outbox);
  }

  #send(batch: Batch): void {
    const all: [Uint8Array, Uint8Array][] = [];
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] === 0) continue;
      const bytes = batch.bytes.slice(batch.offset[i], batch.offset[i] + batch.length[i]);
      all.push([bytes, batch.endpoints.slice(i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES)]);
    }
    batch.clear();
    for (const [bytes, to] of all) {
      if (endpointFamily(to, 0) === FAMILY_VIRTUAL) this.paths.send(bytes, 0, bytes.length, to, 0);
      else this.#sendUdp(bytes, to, 0);
    }
    this.paths.flush();
  }

  #sendUdp(bytes: Uint8Array, to: Uint8Array, at: number): void {
    if (endpointFamily(to, at) === 0) return;
    this.#network.send(this.socket, formatEndpoint(to, at), bytes);
  }
}
