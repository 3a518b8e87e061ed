/** One peer: its keys, endpoint, sessions, timers and waiting packets. Made by `Device.addPeer`. */

import {
  copyEndpoint,
  ENDPOINT_BYTES,
  endpointFamily,
  endpointLocal,
  FAMILY_NONE,
  sameEndpoint,
  setEndpointLocal,
} from '../packet/endpoint.js';
import type { DeviceContext } from './context.js';
import { type Keypair, KeypairRing } from './keypair.js';
import { LossMeter } from './loss-meter.js';
import { DATA_OVERHEAD_BYTES } from './messages.js';
import { type HandshakeOwner, PeerHandshakes } from './peer-handshakes.js';
import type { PeerReason, PeerState } from './peer-status.js';
import { PROBE_ANSWERS, PROBE_ASKS, PROBE_BYTES, writeProbe } from './probe.js';
import type { Roaming } from './roaming.js';
import { StagingQueue } from './staging-queue.js';
import { RemoteStatics } from './statics.js';
import { PeerTimers, type TimerActions } from './timers.js';

const NO_PACKET = new Uint8Array(0);

export class Peer implements TimerActions, HandshakeOwner {
  /** Small integer, unique among the device's peers. */
  readonly id: number;
  /** Endpoint record; family 0 while none is known. Changed by `setEndpoint` only. */
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  /** Host name and port when the endpoint was configured by name; looked up again when handshakes fail. */
  endpointName: { readonly host: string; readonly port: number } | undefined;
  /** Bytes of WireGuard messages, both ways. */
  rxBytes = 0;
  txBytes = 0;
  /** Those of probes among them. */
  probeBytesReceived = 0;
  probeBytesSent = 0;
  /** Messages with a packet inside, both ways. */
  dataMessages = 0;
  /** Wall time (ms since 1970) and monotonic ms of the last completed handshake; 0 and -Infinity before. */
  lastHandshakeWall = 0;
  lastHandshake = -Infinity;
  /** Monotonic ms of the last authenticated message. */
  lastReceived = -Infinity;
  /** Decides where datagrams go in the place of roaming; undefined: they go to where the last message came from. */
  roaming: Roaming | undefined;
  /** Key pairs of this peer; for data planes. */
  readonly keypairs: KeypairRing;
  /** The peer's public keys; the device's table files them. */
  readonly statics: RemoteStatics;
  /** Inside `wireguard/` only. */
  readonly handshakes: PeerHandshakes;
  readonly #loss = new LossMeter();
  readonly #context: DeviceContext;
  readonly #timers: PeerTimers;
  readonly #staged: StagingQueue;
  #presharedKey: Uint8Array | undefined;
  #sentLastMinuteHandshake = false;
  #suspect = false;
  #removed = false;

  constructor(context: DeviceContext, id: number, publicKey: Uint8Array) {
    this.#context = context;
    this.id = id;
    this.statics = new RemoteStatics(this, publicKey);
    this.keypairs = new KeypairRing((keypair) => context.dropKeypair(keypair));
    this.#timers = new PeerTimers(context, this);
    this.#staged = new StagingQueue(context.limits.stagedPackets);
    this.handshakes = new PeerHandshakes(context, this, this.statics, this.#timers);
  }

  get publicKey(): Uint8Array {
    return this.statics.current.publicKey;
  }

  /** A second public key of this peer while it changes its key; see `Device.setNextPublicKey`. */
  get nextPublicKey(): Uint8Array | undefined {
    return this.statics.next?.publicKey;
  }

  /** True once the peer has made a handshake under its next key. */
  get usesNextKey(): boolean {
    return this.statics.active === this.statics.next;
  }

  /** ms between our last answered initiation and its response. */
  get roundTrip(): number | undefined {
    return this.handshakes.roundTrip;
  }

  /** Share of its messages that did not arrive lately, 0 to 1; undefined while too few came to tell. */
  get loss(): number | undefined {
    return this.#loss.measure(this.keypairs);
  }

  /** 32 bytes, or undefined. Takes effect with the next handshake. The setter copies. */
  get presharedKey(): Uint8Array | undefined {
    return this.#presharedKey;
  }

  set presharedKey(key: Uint8Array | undefined) {
    this.#presharedKey?.fill(0);
    this.#presharedKey = key?.some((byte) => byte !== 0) ? key.slice() : undefined;
  }

  /** Seconds, 0 is off. Turning it on sends one keepalive at once. */
  get persistentKeepalive(): number {
    return this.#timers.persistentKeepalive;
  }

  set persistentKeepalive(seconds: number) {
    if (this.#timers.setPersistentKeepalive(seconds)) this.sendKeepalive();
  }

  get hasEndpoint(): boolean {
    return endpointFamily(this.endpoint, 0) !== FAMILY_NONE;
  }

  /** Initiations sent in vain since the last session was established. */
  get unansweredHandshakes(): number {
    return this.handshakes.unanswered;
  }

  /** Packets waiting for a session. */
  get stagedPackets(): number {
    return this.#staged.count;
  }

  get state(): PeerState {
    if (this.#usable(this.keypairs.current)) return 'established';
    if (this.#timers.handshakePending || this.keypairs.next) return 'handshaking';
    return this.handshakes.gaveUp || this.statics.active.invalid ? 'failed' : 'idle';
  }

  get reason(): PeerReason {
    if (!this.#context.hasPrivateKey) return 'no-private-key';
    if (this.statics.active.invalid) return 'invalid-public-key';
    const pending = this.#timers.handshakePending;
    if (this.#usable(this.keypairs.current)) {
      if (this.#suspect) return 'peer-silent';
      return pending ? 'rekeying' : 'confirmed';
    }
    if (this.keypairs.next) return 'awaiting-first-packet';
    if (pending) return this.handshakes.cookieReceived ? 'cookie-received' : 'awaiting-response';
    if (!this.hasEndpoint) return this.endpointName ? 'endpoint-unresolved' : 'no-endpoint';
    if (this.handshakes.gaveUp) return 'no-response';
    return this.lastHandshake === -Infinity ? 'no-traffic-yet' : 'session-expired';
  }

  /** Sets the endpoint as configuration and look-ups know it. A peer with a path leaves it to the path. */
  setEndpoint(records: Uint8Array, at: number): void {
    if (this.roaming) this.roaming.configured(records, at);
    else this.pointTo(records, at);
  }

  /** Sends everything to this endpoint from now on; packets that waited for one set off. */
  pointTo(records: Uint8Array, at: number): void {
    const first = !this.hasEndpoint;
    copyEndpoint(this.endpoint, 0, records, at);
    this.#context.endpointChanged(this);
    if (first && this.#staged.count > 0) this.flushStaged();
    else if (first && this.persistentKeepalive > 0) this.sendKeepalive();
  }

  // ---- data planes ----

  /** From now on routing chooses which of our addresses we send from: the one the peer used may be gone. */
  forgetLocalAddress(): void {
    if (endpointLocal(this.endpoint, 0) === 0) return;
    setEndpointLocal(this.endpoint, 0, 0);
    this.#context.endpointChanged(this);
  }

  /**
   * The pair to seal with now. Undefined: there is none, a handshake has been started if one was due, and the
   * caller should `stage` the packet.
   */
  keypairForSending(): Keypair | undefined {
    const { current } = this.keypairs;
    if (this.#usable(current) && !current.sendExhausted) return current;
    this.initiate(false);
    return undefined;
  }

  /** Keeps a packet (no bytes: a keepalive) until there is a session. */
  stage(packet: Uint8Array, offset: number, length: number): void {
    if (!this.#staged.push(packet, offset, length)) this.#context.counters.stagedDropped++;
  }

  /** After `datagrams` messages of `bytes` in all were sent under a pair, `dataPackets` of them with a packet inside. */
  noteSent(keypair: Keypair, datagrams: number, bytes: number, dataPackets: number): void {
    if (datagrams === 0) return;
    this.txBytes += bytes;
    this.#timers.authenticatedSent();
    this.dataMessages += dataPackets;
    if (dataPackets > 0) this.#timers.dataSent();
    if (keypair.wantsRekeyOnSend(this.#context.now(), this.#context.timing)) this.initiate(false);
  }

  /**
   * After messages from one source were authenticated and found new: confirms the pair, follows the peer to its
   * endpoint, keeps the timers and the count.
   */
  noteReceived(
    keypair: Keypair,
    endpoints: Uint8Array,
    endpointAt: number,
    datagrams: number,
    bytes: number,
    dataPackets: number,
  ): void {
    if (datagrams === 0) return;
    const now = this.#context.now();
    this.lastReceived = now;
    this.rxBytes += bytes;
    this.dataMessages += dataPackets;
    this.#suspect = false;
    this.#roam(endpoints, endpointAt);
    this.#timers.authenticatedReceived();
    if (dataPackets > 0) this.#timers.dataReceived();
    if (keypair === this.keypairs.next && this.keypairs.confirm(keypair)) {
      this.#context.currentChanged(this);
      this.#sessionComplete();
      this.flushStaged();
    }
    if (!this.#sentLastMinuteHandshake && this.#needsLastMinuteHandshake(now)) {
      this.#sentLastMinuteHandshake = true;
      this.initiate(false);
    }
  }

  /**
   * Seals a probe to the record at `at`, which need not be the endpoint. False without a session, for which it asks
   * nobody: probes are about ways, not about keys.
   */
  sendProbe(kind: number, id: number, endpoints: Uint8Array, at: number): boolean {
    const { current } = this.keypairs;
    if (this.#removed || !this.#usable(current) || current.sendExhausted) return false;
    const probe = new Uint8Array(PROBE_BYTES);
    writeProbe(probe, kind, id);
    this.probeBytesSent += PROBE_BYTES + DATA_OVERHEAD_BYTES;
    this.#context.sealToOutbox(this, current, probe, endpoints.subarray(at, at + ENDPOINT_BYTES));
    this.#context.flushMessages();
    return true;
  }

  /** A probe came, authenticated and new, from the record at `at`. */
  probed(kind: number, id: number, endpoints: Uint8Array, at: number): void {
    this.probeBytesReceived += PROBE_BYTES + DATA_OVERHEAD_BYTES;
    if (kind === PROBE_ASKS) this.sendProbe(PROBE_ANSWERS, id, endpoints, at);
    else this.roaming?.answered(id, endpoints, at);
  }

  // ---- handshakes ----

  /** Sends an initiation unless the last one is too young (Rekey-Timeout). True when it did. */
  initiate(retry: boolean): boolean {
    return !this.#removed && this.handshakes.initiate(retry);
  }

  handshakeMessageSent(bytes: number): void {
    this.txBytes += bytes;
    this.#timers.authenticatedSent();
  }

  handshakeMessageReceived(endpoint: Uint8Array, bytes: number): void {
    this.lastReceived = this.#context.now();
    this.rxBytes += bytes;
    this.#roam(endpoint, 0);
    this.#timers.authenticatedReceived();
  }

  keypairDerived(keypair: Keypair): void {
    this.keypairs.install(keypair);
    this.#context.keypairInstalled(keypair);
    this.#context.currentChanged(this);
    this.#timers.sessionDerived();
    if (!keypair.isInitiator) return;
    this.#sessionComplete();
    // The responder may not send until it hears from us under the new keys (section 5.4.3).
    if (this.#staged.count === 0) this.stage(NO_PACKET, 0, 0);
    this.flushStaged();
  }

  /** Seals what waits, if there is a session; otherwise asks for one. */
  flushStaged(): void {
    while (this.#staged.count > 0) {
      const keypair = this.keypairForSending();
      if (!keypair || !this.hasEndpoint) return;
      const packet = this.#staged.shift();
      if (packet) this.#context.sealToOutbox(this, keypair, packet);
    }
    this.#context.flushMessages();
  }

  // ---- timer actions ----

  sendKeepalive(): void {
    if (this.#removed) return;
    if (this.#staged.count === 0) this.stage(NO_PACKET, 0, 0);
    this.flushStaged();
  }

  retransmitHandshake(): void {
    // Held back, as when we answered the peer's own initiation a moment ago: the timer must not die of it.
    if (!this.initiate(true)) this.#timers.handshakeInitiated();
  }

  giveUpHandshake(): void {
    this.handshakes.gaveUp = true;
    this.#context.counters.stagedDropped += this.#staged.clear();
    this.#context.log?.write('warn', 'handshake-given-up', {
      peer: this.#context.nameOf(this),
      reason: 'no answer; new traffic starts anew',
    });
    if (this.endpointName) this.#context.resolve(this);
  }

  suspectSession(): void {
    this.#suspect = true;
    this.initiate(false);
  }

  eraseKeys(): void {
    this.keypairs.clear();
    this.#context.currentChanged(this);
    this.handshakes.forget();
  }

  // ---- configuration ----

  /** The device's private key changed: all that was derived from the old one goes. */
  identityChanged(): void {
    this.statics.forgetShared();
    this.eraseKeys();
    this.handshakes.forgetPace();
    this.#timers.handshakeComplete();
  }

  /** Erases everything; the peer is of no further use. */
  close(): void {
    this.#removed = true;
    this.#timers.stop();
    this.#context.unschedule(this.#timers);
    this.eraseKeys();
    this.#staged.clear();
    this.statics.forgetShared();
    this.#presharedKey?.fill(0);
  }

  #usable(keypair: Keypair | undefined): keypair is Keypair {
    return keypair !== undefined && !keypair.expired(this.#context.now(), this.#context.timing);
  }

  #needsLastMinuteHandshake(now: number): boolean {
    return this.keypairs.current?.wantsRekeyOnReceive(now, this.#context.timing) ?? false;
  }

  /** Only ever called for messages that were authenticated and are not replays. */
  #roam(endpoints: Uint8Array, at: number): void {
    if (endpointFamily(endpoints, at) === FAMILY_NONE) return;
    if (this.roaming) {
      this.roaming.received(endpoints, at);
      return;
    }
    if (sameEndpoint(this.endpoint, 0, endpoints, at)) return;
    copyEndpoint(this.endpoint, 0, endpoints, at);
    this.#context.endpointChanged(this);
    this.#context.log?.write('debug', 'endpoint-changed', { peer: this.#context.nameOf(this) });
  }

  #sessionComplete(): void {
    this.#timers.handshakeComplete();
    this.handshakes.completed();
    this.#sentLastMinuteHandshake = false;
    this.#suspect = false;
    this.lastHandshake = this.#context.now();
    this.lastHandshakeWall = this.#context.wall();
    this.#context.counters.handshakesCompleted++;
    this.#context.log?.write('info', 'session-established', { peer: this.#context.nameOf(this) });
  }
}
