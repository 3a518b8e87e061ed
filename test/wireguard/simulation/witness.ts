/** Watches everything that must never happen, whatever the network does. Throws on the spot. */

import type { Keypair, KeypairObserver } from '../../../src/wireguard/keypair.js';
import { counterOf, DATA, INITIATION, typeOf } from '../virtual/messages.js';
import type { Datagram, VirtualNode } from '../virtual/world.js';

/** Bytes of the packet's payload that number it. */
const NUMBER_AT = 20;
/** Four key pairs and a handshake. */
const INDICES_PER_PEER = 5;

interface Sent {
  readonly packet: Uint8Array;
  readonly to: string;
  readonly at: number;
  delivered: number;
}

export class Witness {
  readonly sent: Sent[] = [];
  delivered = 0;
  initiations = 0;
  dataMessages = 0;
  /** When the last packet between two nodes was delivered, virtual ms, by "from>to". */
  readonly lastDelivery = new Map<string, number>();
  /** Largest number of receiver indices any device had in use, for each of its peers. */
  indicesPerPeer = 0;
  readonly #keyOf = new Map<string, string>();
  readonly #keys = new Map<string, number>();
  readonly #used = new Set<string>();

  /** Numbers a packet and remembers it. */
  sending(packet: Uint8Array, to: string, at: number): Uint8Array {
    new DataView(packet.buffer).setUint32(NUMBER_AT, this.sent.length);
    this.sent.push({ packet: packet.slice(), to, at, delivered: 0 });
    return packet;
  }

  /** Learns the keys of a node, to tell under which one a message was sealed. */
  observer(node: string): KeypairObserver {
    return {
      keypairInstalled: (keypair: Keypair) => {
        const key = Buffer.from(keypair.sendKey).toString('hex');
        if (this.#keys.has(key)) throw new Error(`${node} derived a key a second time`);
        this.#keys.set(key, this.#keys.size);
        this.#keyOf.set(`${node} ${keypair.remoteIndex}`, key);
      },
      keypairErased: () => {},
    };
  }

  onWire(node: VirtualNode, datagram: Datagram): void {
    const type = typeOf(datagram);
    if (type === 0) throw new Error(`${node.name} sent something that is no message`);
    if (type === INITIATION) this.initiations++;
    if (type !== DATA) return;
    this.dataMessages++;
    const receiver = new DataView(datagram.bytes.buffer, datagram.bytes.byteOffset).getUint32(4, true);
    const key = this.#keyOf.get(`${node.name} ${receiver}`);
    if (key === undefined) throw new Error(`${node.name} sealed under a key it never told of`);
    const nonce = `${this.#keys.get(key)} ${counterOf(datagram)}`;
    if (this.#used.has(nonce)) throw new Error(`${node.name} used a nonce twice: ${nonce}`);
    this.#used.add(nonce);
  }

  onDelivery(node: VirtualNode, packet: Uint8Array, at: number): void {
    if (packet.length < NUMBER_AT + 4) throw new Error(`${node.name} was given a packet nobody sent`);
    const number = new DataView(packet.buffer, packet.byteOffset).getUint32(NUMBER_AT);
    const sent = this.sent[number];
    if (!sent || Buffer.compare(sent.packet, packet) !== 0 || sent.to !== node.name) {
      throw new Error(`${node.name} was given a packet nobody sent it: ${number}`);
    }
    if (++sent.delivered > 1) throw new Error(`packet ${number} was delivered twice`);
    this.delivered++;
    this.lastDelivery.set(`${packet[15]}>${packet[19]}`, at);
  }

  onRest(node: VirtualNode): void {
    const used = node.device.indicesInUse / node.device.peerCount;
    this.indicesPerPeer = Math.max(this.indicesPerPeer, used);
    if (used > INDICES_PER_PEER) throw new Error(`${node.name} uses ${used} indices a peer`);
  }
}
