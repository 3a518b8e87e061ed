/** Some devices that are all each other's peers, on a bad network, over virtual days. */

import type { Clock } from '../../../src/ports.js';
import { endpointOf, ipv4Packet, MemoryStore, Seed, type VirtualNode, World } from '../virtual/world.js';
import { Network } from './network.js';
import { Witness } from './witness.js';

export interface SimulationOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Seconds; 0 for none. */
  readonly keepalive?: number;
  /** Nodes behind a NAT, whose address nobody is told: they must call first. At most one. */
  readonly hidden?: readonly number[];
  /** Nodes whose wall clock starts in 1970 at every boot. */
  readonly clockless?: readonly number[];
}

interface Member {
  node: VirtualNode;
  /** The last byte of its inner address. */
  readonly inner: number;
  readonly store: MemoryStore;
  port: number;
}

export class Simulation {
  readonly seed: Seed;
  readonly world: World;
  readonly network: Network;
  readonly witness = new Witness();
  readonly #options: SimulationOptions;
  readonly #members: Member[] = [];
  /** Mean ms between two packets of one node to one other; Infinity for silence. */
  #pace = Infinity;
  #nextPacket = Infinity;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.world = new World(options.seed);
    this.seed = new Seed(options.seed + 1_000_003);
    this.network = new Network(this.seed);
    for (let i = 0; i < options.nodes; i++) {
      const member = { inner: i + 1, store: new MemoryStore(), port: 51820, node: undefined as never };
      this.#members.push(member);
      (member as Member).node = this.#boot(member);
    }
    for (const member of this.#members) this.#configure(member);
  }

  get now(): number {
    return this.world.clock.monotonic();
  }

  get size(): number {
    return this.#members.length;
  }

  node(i: number): VirtualNode {
    return this.#members[i % this.#members.length].node;
  }

  /** Every node sends to every other, this far apart on the mean (ms); Infinity stops it. */
  traffic(pace: number): void {
    this.#pace = pace;
    this.#nextPacket = pace === Infinity ? Infinity : this.now + this.#pause();
  }

  /** The node's address as others see it changes; what was under way to the old one is lost. */
  rebind(i: number): void {
    const member = this.#members[i % this.#members.length];
    member.port++;
    member.node.address = this.#address(member);
  }

  /** The node forgets everything but what its store kept. */
  reboot(i: number): void {
    const member = this.#members[i % this.#members.length];
    this.world.nodes.splice(this.world.nodes.indexOf(member.node), 1);
    member.node.device.close();
    member.node = this.#boot(member);
    this.#configure(member);
  }

  send(from: number, to: number): void {
    const [source, target] = [this.#members[from], this.#members[to]];
    const packet = ipv4Packet([10, 0, 0, source.inner], [10, 0, 0, target.inner], 4 + this.seed.below(60));
    source.node.send(this.witness.sending(packet, target.node.name, this.now));
    this.#pump(source);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      for (const member of this.#members) {
        member.node.settle();
        this.#pump(member);
      }
      const deadline = Math.min(...this.#members.map((member) => member.node.device.nextDeadline()));
      const next = Math.min(deadline, this.network.next, this.#nextPacket);
      if (next > end) break;
      this.world.clock.set(Math.max(next, this.now));
      for (let one = this.network.arrived(this.now); one; one = this.network.arrived(this.now)) {
        const { to } = one;
        const member = this.#members.find((m) => Buffer.compare(m.node.address, to) === 0);
        member?.node.receive(one);
        if (member) this.#pump(member);
      }
      if (this.#nextPacket <= this.now) this.#sendSome();
    }
    this.world.clock.set(end);
  }

  /** Fails unless every node heard every other within the last `ms`. */
  requireTraffic(ms: number): void {
    for (const from of this.#members) {
      for (const to of this.#members) {
        const last = this.witness.lastDelivery.get(`${from.inner}>${to.inner}`) ?? -Infinity;
        if (from !== to && this.now - last > ms) {
          throw new Error(`${from.node.name} has not reached ${to.node.name} for ${this.now - last} ms`);
        }
      }
    }
  }

  #sendSome(): void {
    const from = this.seed.below(this.size);
    const to = (from + 1 + this.seed.below(this.size - 1)) % this.size;
    this.#nextPacket = this.now + this.#pause();
    this.send(from, to);
  }

  #pause(): number {
    const pairs = this.size * (this.size - 1);
    return Math.min((-Math.log(1 - this.seed.next()) * this.#pace) / pairs, this.#pace);
  }

  #address(member: Member): Uint8Array {
    return endpointOf(192, 0, 2, member.inner, member.port);
  }

  #boot(member: Member): VirtualNode {
    const name = `node ${member.inner}`;
    const bootedAt = this.now;
    const clock: Clock = {
      monotonic: () => this.now,
      wall: () => this.now - bootedAt,
    };
    const clockless = this.#options.clockless?.includes(member.inner - 1) ?? false;
    return this.world.add({
      name,
      address: this.#address(member),
      store: member.store,
      keypairs: this.witness.observer(name),
      ...(clockless ? { clock } : {}),
    });
  }

  /** Peers by name: when handshakes fail, the name is looked up and gives the address of that moment. */
  #configure(member: Member): void {
    const { device } = member.node;
    device.onResolve = (peer) => {
      const found = this.#members.find((m) => Buffer.compare(m.node.publicKey, peer.publicKey) === 0);
      if (found) peer.setEndpoint(found.node.address, 0);
    };
    for (const other of this.#members) {
      if (other === member) continue;
      const peer = device.addPeer(other.node.publicKey);
      device.allowedIps.insert(new Uint8Array([10, 0, 0, other.inner]), 32, peer);
      if (!this.#options.hidden?.includes(other.inner - 1)) {
        peer.endpointName = { host: other.node.name, port: 51820 };
        peer.setEndpoint(other.node.address, 0);
      }
      peer.persistentKeepalive = this.#options.keepalive ?? 0;
    }
  }

  #pump(member: Member): void {
    const { node } = member;
    for (const datagram of node.take()) {
      this.witness.onWire(node, datagram);
      this.network.send(datagram);
    }
    for (const packet of node.delivered.splice(0)) this.witness.onDelivery(node, packet, this.now);
    this.witness.onRest(node);
  }
}
