import { Batch } from '../../../src/packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES, sameEndpoint } from '../../../src/packet/endpoint.js';
import { LABEL_MAC1 } from '../../../src/wireguard/labels.js';
import {
  COOKIE_REPLY_BYTES,
  INITIATION_BYTES,
  INITIATION_MAC1,
  messageType,
  RESPONSE_BYTES,
  RESPONSE_MAC1,
  RESPONSE_RECEIVER,
  RESPONSE_SENDER,
  TYPE_COOKIE_REPLY,
  TYPE_INITIATION,
  TYPE_RESPONSE,
} from '../../../src/wireguard/messages.js';
import { A_TO_B, endpointOf, ipv4Packet, type VirtualNode, World } from '../../wireguard/virtual/world.js';
import type { Random } from '../random.js';
import { demand, type Target } from '../target.js';

const ATTACKER = endpointOf(203, 0, 113, 66, 6666);
const MAC_BYTES = 16;

/**
 * WireGuard messages of types 1 to 4, mutated from a real exchange, for three devices at rest on a stopped clock: one
 * with a session, one that waits for a response, one under load. None of them may throw, deliver, send (but for
 * cookies under load), or let the attacker's address in; and in between, real traffic must go on.
 */
export class WireGuard implements Target {
  readonly name = 'wireguard';
  readonly weight = 14;
  readonly samples: readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  readonly #world = new World(7);
  readonly #sender: VirtualNode;
  readonly #victims: readonly VirtualNode[];
  /** What the waiting device waits for. */
  readonly #response: Uint8Array;
  readonly #mac1Keys = new Map<VirtualNode, Uint8Array>();
  readonly #batch = new Batch(2048, 2);
  readonly #scratch = new Uint8Array(2048);
  #remade = 0;
  #cookies = 0;
  #genuine = 0;

  constructor() {
    const world = this.#world;
    const a = world.add({ name: 'a', address: endpointOf(192, 0, 2, 1, 51820) });
    const session = world.add({ name: 'session', address: endpointOf(192, 0, 2, 2, 51820) });
    const waiting = world.add({ name: 'waiting', address: endpointOf(192, 0, 2, 3, 51820) });
    const loaded = world.add({
      name: 'loaded',
      address: endpointOf(192, 0, 2, 4, 51820),
      limits: { underLoadQueue: 1 },
    });
    this.#sender = a;
    this.#victims = [session, waiting, loaded];
    befriend(a, 1, session, 2);
    befriend(a, 1, waiting, 3);
    befriend(waiting, 3, loaded, 4);

    // A session between a and the first victim: whatever travelled is used up and a replay from now on.
    a.send(A_TO_B(0));
    const travelled = world.exchange();
    for (let size = 1; size < 200; size += 40) {
      a.send(A_TO_B(size));
      travelled.push(...world.exchange());
    }
    // Initiations of the second to both others; what answers them is kept from it.
    waiting.send(ipv4Packet([10, 0, 0, 3], [10, 0, 0, 1], 8));
    waiting.send(ipv4Packet([10, 0, 0, 3], [10, 0, 0, 4], 8));
    const initiations = waiting.take();
    const [initiation, toLoaded] = initiations;
    a.receive(initiation);
    loaded.receive(toLoaded);
    const [response] = a.take();
    const [cookie] = loaded.take();
    demand(messageType(response.bytes, 0, response.bytes.length) === TYPE_RESPONSE, 'no response to mutate');
    demand(messageType(cookie.bytes, 0, cookie.bytes.length) === TYPE_COOKIE_REPLY, 'no cookie to mutate');
    this.#response = response.bytes;
    this.samples = [...travelled, ...initiations, response, cookie].map(({ bytes }) => bytes);
    // The indices and headers by which a message finds its handshake or session.
    this.words = [...new Set(this.samples.map((bytes) => bytes.length))].flatMap((length) => {
      const sample = this.samples.find((bytes) => bytes.length === length)!;
      return [sample.slice(0, 4), sample.slice(4, 8), sample.slice(8, 12), sample.slice(0, 16)];
    });
    for (const victim of this.#victims) {
      const key = new Uint8Array(32);
      const input = new Uint8Array(40);
      input.set(LABEL_MAC1);
      input.set(victim.publicKey, 8);
      world.primitives.hash(key, input);
      this.#mac1Keys.set(victim, key);
      demand(victim.delivered.length === (victim === session ? 6 : 0), 'the exchange did not go as planned');
    }
  }

  run(message: Uint8Array, random: Random): void {
    const victim = this.#victims[random.below(3)];
    // Behind mac1 are the curve operations, where only a message with a right mac1 gets.
    if (random.once(4)) this.#remakeMac1(message, victim);
    if (victim === this.#victims[1] && this.#isTheResponse(message)) return;

    const [session] = this.#victims;
    const isSession = victim === session;
    const before = isSession ? session.peer.rxBytes : 0;
    const batch = this.#batch;
    batch.clear();
    const genuine = isSession && random.once(8) ? random.below(2) : -1;
    if (genuine === 0) this.#pushGenuine();
    const hostile = batch.push(message, 0, message.length);
    copyEndpoint(batch.endpoints, hostile * ENDPOINT_BYTES, ATTACKER, 0);
    if (genuine === 1) this.#pushGenuine();

    victim.device.open(batch);
    if (victim.device.nextDeadline() === -Infinity) victim.device.advance();

    demand(batch.length[hostile] === 0, 'a forged message was delivered');
    if (genuine >= 0) {
      this.#genuine++;
      const at = batch.offset[genuine];
      const packet = A_TO_B(this.#genuine % 64);
      demand(batch.length[genuine] === packet.length, 'a real message beside it was not delivered');
      for (let i = 0; i < packet.length; i++)
        demand(batch.bytes[at + i] === packet[i], 'a real message was damaged');
    } else if (isSession) demand(session.peer.rxBytes === before, 'a forged message was counted as received');
    for (const peer of victim.device.peers()) {
      demand(!sameEndpoint(peer.endpoint, 0, ATTACKER, 0), 'the endpoint followed a forged message');
    }
    this.#checkSent(victim, message);
  }

  finish(): Readonly<Record<string, number>> {
    const [session, waiting] = this.#victims;
    const { counters } = session.device;
    // The handshake under fire comes to its end as if nothing had been.
    this.#batch.clear();
    this.#batch.push(this.#response, 0, this.#response.length);
    copyEndpoint(this.#batch.endpoints, 0, this.#sender.address, 0);
    waiting.device.open(this.#batch);
    waiting.device.advance();
    demand(waiting.device.counters.handshakesCompleted === 1, 'the real response was not accepted any more');
    return {
      malformed: counters.malformed,
      unknownIndex: counters.unknownIndex,
      badTag: counters.badTag,
      replayed: counters.replayed,
      badMac: counters.badMac,
      remade: this.#remade,
      refusedInitiations: counters.refusedInitiations,
      replayedInitiations: counters.replayedInitiations,
      refusedResponses: waiting.device.counters.refusedResponses,
      cookies: this.#cookies,
      genuine: this.#genuine,
    };
  }

  #pushGenuine(): void {
    this.#sender.send(A_TO_B((this.#genuine + 1) % 64));
    const [datagram] = this.#sender.take();
    const i = this.#batch.push(datagram.bytes, 0, datagram.bytes.length);
    copyEndpoint(this.#batch.endpoints, i * ENDPOINT_BYTES, this.#sender.address, 0);
  }

  #checkSent(victim: VirtualNode, message: Uint8Array): void {
    const { outbox } = victim.device;
    if (outbox.count === 0) return;
    demand(victim === this.#victims[2] && outbox.count === 1, 'something was sent to the attacker');
    const type = messageType(outbox.bytes, outbox.offset[0], outbox.length[0]);
    demand(type === TYPE_COOKIE_REPLY, 'something other than a cookie was sent under load');
    demand(COOKIE_REPLY_BYTES < message.length, 'the answer is longer than the question');
    demand(sameEndpoint(outbox.endpoints, 0, ATTACKER, 0), 'a cookie was sent to a third party');
    demand(this.#hasMac1(message, victim), 'a cookie was sent without a right mac1');
    this.#cookies++;
    outbox.clear();
  }

  #remakeMac1(message: Uint8Array, victim: VirtualNode): void {
    const at = mac1Offset(message);
    if (at < 0) return;
    this.#remade++;
    this.#mac1(message, at, victim);
    message.set(this.#scratch.subarray(0, MAC_BYTES), at);
  }

  #hasMac1(message: Uint8Array, victim: VirtualNode): boolean {
    const at = mac1Offset(message);
    if (at < 0) return false;
    this.#mac1(message, at, victim);
    for (let i = 0; i < MAC_BYTES; i++) if (message[at + i] !== this.#scratch[i]) return false;
    return true;
  }

  #mac1(message: Uint8Array, at: number, victim: VirtualNode): void {
    const key = this.#mac1Keys.get(victim)!;
    this.#world.primitives.mac(this.#scratch.subarray(0, MAC_BYTES), key, message.subarray(0, at));
  }

  /**
   * A mutation that leaves all that counts is the real response, which has to be accepted. The sender index does not
   * count: it is outside of the handshake's hash (section 5.4.3), so whoever holds back the real response can change it.
   */
  #isTheResponse(message: Uint8Array): boolean {
    if (message.length !== RESPONSE_BYTES) return false;
    for (let i = 0; i < RESPONSE_MAC1; i++) {
      const isSender = i >= RESPONSE_SENDER && i < RESPONSE_RECEIVER;
      if (!isSender && message[i] !== this.#response[i]) return false;
    }
    return true;
  }
}

function mac1Offset(message: Uint8Array): number {
  switch (messageType(message, 0, message.length)) {
    case TYPE_INITIATION:
      return INITIATION_BYTES === message.length ? INITIATION_MAC1 : -1;
    case TYPE_RESPONSE:
      return RESPONSE_BYTES === message.length ? RESPONSE_MAC1 : -1;
    default:
      return -1;
  }
}

/** Makes two nodes each other's peers, `10.0.0.x` inside. */
function befriend(one: VirtualNode, oneHost: number, other: VirtualNode, otherHost: number): void {
  const toOther = one.device.addPeer(other.publicKey);
  const toOne = other.device.addPeer(one.publicKey);
  one.device.allowedIps.insert(Uint8Array.of(10, 0, 0, otherHost), 32, toOther);
  other.device.allowedIps.insert(Uint8Array.of(10, 0, 0, oneHost), 32, toOne);
  toOther.setEndpoint(other.address, 0);
  toOne.setEndpoint(one.address, 0);
}
