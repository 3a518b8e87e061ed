/** One peer: its keys, endpoint, sessions, timers and waiting packets. Made by `Device.addPeer`. */

import {
  copyEndpoint,
  ENDPOINT_BYTES,
  endpointFamily,
  FAMILY_NONE,
  sameEndpoint,
} from '../packet/endpoint.js';
import type { DeviceContext } from './context.js';
import type { CookieGenerator } from './cookie.js';
import { Keypair, KeypairRing } from './keypair.js';
import { INITIATION_BYTES, RESPONSE_BYTES } from './messages.js';
import { Handshake, type Noise } from './noise.js';
import type { PeerReason, PeerState } from './peer-status.js';
import { StagingQueue } from './staging-queue.js';
import { RemoteStatic } from './statics.js';
import { TIMESTAMP_BYTES, timestampAfter } from './tai64n.js';
import { PeerTimers, type TimerActions } from './timers.js';

const NO_PACKET = new Uint8Array(0);

export class Peer implements TimerActions {
  /** Small integer, unique among the device's peers. */
  readonly id: number;
  /** Endpoint record; family 0 while none is known. Changed by `setEndpoint` only. */
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  /** Host name and port when the endpoint was configured by name; looked up again when handshakes fail. */
  endpointName: { readonly host: string; readonly port: number } | undefined;
  /** Bytes of WireGuard messages, both ways. */
  rxBytes = 0;
  txBytes = 0;
  /** Wall time (ms since 1970) and monotonic ms of the last completed handshake; 0 and -Infinity before. */
  lastHandshakeWall = 0;
  lastHandshake = -Infinity;
  /** Monotonic ms of the last authenticated message. */
  lastReceived = -Infinity;
  /** ms between our last answered initiation and its response. */
  roundTrip: number | undefined;
  /** Key pairs of this peer; for data planes. */
  readonly keypairs: KeypairRing;
  readonly #context: DeviceContext;
  readonly #timers: PeerTimers;
  readonly #staged: StagingQueue;
  readonly #lastTimestamp = new Uint8Array(TIMESTAMP_BYTES);
  #lastInitiationReceived = -Infinity;
  #lastHandshakeSent = -Infinity;
  #handshake: Handshake | undefined;
  #presharedKey: Uint8Array | undefined;
  #remote: RemoteStatic;
  /** The key the peer is moving to, from when we are told until it alone is left. */
  #nextRemote: RemoteStatic | undefined;
  /** The one of the two that the peer used last: initiations go to it. */
  #activeRemote: RemoteStatic;
  #unanswered = 0;
  #sentLastMinuteHandshake = false;
  #gaveUp = false;
  #suspect = false;
  #cookieReceived = false;
  #removed = false;

  constructor(context: DeviceContext, id: number, publicKey: Uint8Array) {
    this.#context = context;
    this.id = id;
    this.#remote = this.#activeRemote = new RemoteStatic(this, publicKey);
    this.keypairs = new KeypairRing((keypair) => context.dropKeypair(keypair));
    this.#timers = new PeerTimers(context, this);
    this.#staged = new StagingQueue(context.limits.stagedPackets);
  }

  get publicKey(): Uint8Array {
    return this.#remote.publicKey;
  }

  /** A second public key of this peer while it changes its key; see `Device.setNextPublicKey`. */
  get nextPublicKey(): Uint8Array | undefined {
    return this.#nextRemote?.publicKey;
  }

  /** True once the peer has made a handshake under its next key. */
  get usesNextKey(): boolean {
    return this.#activeRemote === this.#nextRemote;
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
    return this.#unanswered;
  }

  /** Packets waiting for a session. */
  get stagedPackets(): number {
    return this.#staged.count;
  }

  get state(): PeerState {
    if (this.#usable(this.keypairs.current)) return 'established';
    if (this.#timers.handshakePending || this.keypairs.next) return 'handshaking';
    return this.#gaveUp || this.#activeRemote.invalid ? 'failed' : 'idle';
  }

  get reason(): PeerReason {
    if (!this.#context.hasPrivateKey) return 'no-private-key';
    if (this.#activeRemote.invalid) return 'invalid-public-key';
    const pending = this.#timers.handshakePending;
    if (this.#usable(this.keypairs.current)) {
      if (this.#suspect) return 'peer-silent';
      return pending ? 'rekeying' : 'confirmed';
    }
    if (this.keypairs.next) return 'awaiting-first-packet';
    if (pending) return this.#cookieReceived ? 'cookie-received' : 'awaiting-response';
    if (!this.hasEndpoint) return this.endpointName ? 'endpoint-unresolved' : 'no-endpoint';
    if (this.#gaveUp) return 'no-response';
    return this.lastHandshake === -Infinity ? 'no-traffic-yet' : 'session-expired';
  }

  /** Sets the endpoint (configuration or roaming); packets that waited for one set off. */
  setEndpoint(records: Uint8Array, at: number): void {
    const first = !this.hasEndpoint;
    copyEndpoint(this.endpoint, 0, records, at);
    if (first && this.#staged.count > 0) this.flushStaged();
    else if (first && this.persistentKeepalive > 0) this.sendKeepalive();
  }

  // ---- data planes ----

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
    this.#suspect = false;
    this.#roam(endpoints, endpointAt);
    this.#timers.authenticatedReceived();
    if (dataPackets > 0) this.#timers.dataReceived();
    if (keypair === this.keypairs.next && this.keypairs.confirm(keypair)) {
      this.#sessionComplete();
      this.flushStaged();
    }
    if (!this.#sentLastMinuteHandshake && this.#needsLastMinuteHandshake(now)) {
      this.#sentLastMinuteHandshake = true;
      this.initiate(false);
    }
  }

  // ---- handshakes ----

  /** Sends an initiation unless the last one is too young (Rekey-Timeout). True when it did. */
  initiate(retry: boolean): boolean {
    const context = this.#context;
    const now = context.now();
    const { noise } = context;
    if (this.#removed || !noise) return false;
    // Section 6.4: whoever wants to send again gets the whole attempt time again.
    if (!retry) this.#timers.attempts = 0;
    if (now - this.#lastHandshakeSent < context.timing.rekeyTimeout) return false;
    if (!this.hasEndpoint) {
      if (this.endpointName) context.resolve(this);
      return false;
    }
    // Under steady traffic it is mostly a packet, not the timer, that finds the last initiation unanswered.
    if (retry || this.#timers.handshakePending) this.#noteUnanswered();
    this.#forgetHandshake();
    const handshake = new Handshake(noise, this.#activeRemote);
    this.#handshake = handshake;
    handshake.localIndex = context.indices.fresh();
    context.indices.set(handshake.localIndex, handshake);
    const message = context.claimMessage(INITIATION_BYTES, this.endpoint);
    if (!message) return false;
    if (!noise.writeInitiation(message, handshake)) {
      this.#forgetHandshake();
      context.abandonMessage();
      return false;
    }
    this.#cookies(handshake.remote).addMacs(message, now);
    this.#cookieReceived = false;
    this.#gaveUp = false;
    handshake.sentAt = now;
    this.#lastHandshakeSent = now;
    context.counters.initiationsSent++;
    this.#handshakeMessageSent(INITIATION_BYTES);
    this.#timers.handshakeInitiated();
    context.flushMessages();
    return true;
  }

  /**
   * Judges an initiation that `noise.received` holds: its timestamp must be new, and initiations must not come
   * faster than the limit. Records both.
   */
  acceptInitiation(timestamp: Uint8Array): boolean {
    const { counters, limits } = this.#context;
    const now = this.#context.now();
    if (!timestampAfter(timestamp, 0, this.#lastTimestamp)) {
      counters.replayedInitiations++;
      return false;
    }
    if (now - this.#lastInitiationReceived < limits.initiationInterval) {
      counters.floodedInitiations++;
      return false;
    }
    this.#lastTimestamp.set(timestamp);
    this.#lastInitiationReceived = now;
    return true;
  }

  /** Answers the accepted initiation in `noise.received`, made with `remote`, which came from `endpoint`. */
  respond(noise: Noise, remote: RemoteStatic, endpoint: Uint8Array, bytesReceived: number): void {
    const context = this.#context;
    const now = context.now();
    this.#handshakeMessageReceived(endpoint, bytesReceived);
    this.#activeRemote = remote;
    const keypair = context.newKeypair(this, noise.received.remoteIndex, false);
    const message = context.claimMessage(RESPONSE_BYTES, this.endpoint);
    const written = message !== undefined && noise.writeResponse(message, remote, keypair);
    if (!written) {
      if (message) context.abandonMessage();
      context.dropKeypair(keypair);
      return;
    }
    this.#cookies(remote).addMacs(message, now);
    this.#lastHandshakeSent = now;
    context.counters.responsesSent++;
    this.#installKeypair(keypair);
    this.#handshakeMessageSent(RESPONSE_BYTES);
  }

  /** Reads a response to our handshake. */
  consumeResponse(message: Uint8Array, remoteIndex: number, endpoint: Uint8Array): boolean {
    const context = this.#context;
    const handshake = this.#handshake;
    if (!handshake) return false;
    const { localIndex } = handshake;
    const keypair = new Keypair(this, localIndex, remoteIndex, true, context.now(), context.limits);
    if (!handshake.noise.readResponse(message, handshake, keypair)) return false;
    this.roundTrip = context.now() - handshake.sentAt;
    handshake.erase();
    this.#handshake = undefined;
    context.indices.set(localIndex, keypair);
    this.#handshakeMessageReceived(endpoint, message.length);
    this.#installKeypair(keypair);
    this.#sessionComplete();
    // The responder may not send until it hears from us under the new keys (section 5.4.3).
    if (this.#staged.count === 0) this.stage(NO_PACKET, 0, 0);
    this.flushStaged();
    return true;
  }

  consumeCookie(reply: Uint8Array): boolean {
    const now = this.#context.now();
    if (!this.#remote.consumeCookie(reply, now) && !this.#nextRemote?.consumeCookie(reply, now)) return false;
    this.#cookieReceived = true;
    return true;
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
    this.#gaveUp = true;
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
    this.#forgetHandshake();
  }

  // ---- configuration ----

  /** The peer's key as the device's table files it. */
  get remote(): RemoteStatic {
    return this.#remote;
  }

  /** Sets or removes the second key and returns it; the device keeps the table of keys. */
  setNextRemote(publicKey: Uint8Array | undefined): RemoteStatic | undefined {
    if (this.usesNextKey) this.#activeRemote = this.#remote;
    this.#nextRemote?.forgetShared();
    this.#nextRemote = publicKey && new RemoteStatic(this, publicKey);
    return this.#nextRemote;
  }

  /** The second key becomes the only one. Sessions live on. */
  promoteNextRemote(): void {
    if (!this.#nextRemote) return;
    this.#remote.forgetShared();
    this.#remote = this.#activeRemote = this.#nextRemote;
    this.#nextRemote = undefined;
  }

  /** The device's private key changed: all that was derived from the old one goes. */
  identityChanged(): void {
    this.#forgetShared();
    this.eraseKeys();
    this.#lastHandshakeSent = -Infinity;
    this.#timers.handshakeComplete();
  }

  /** Erases everything; the peer is of no further use. */
  close(): void {
    this.#removed = true;
    this.#timers.stop();
    this.#context.unschedule(this.#timers);
    this.eraseKeys();
    this.#staged.clear();
    this.#forgetShared();
    this.#presharedKey?.fill(0);
  }

  #forgetShared(): void {
    this.#remote.forgetShared();
    this.#nextRemote?.forgetShared();
  }

  #usable(keypair: Keypair | undefined): keypair is Keypair {
    return keypair !== undefined && !keypair.expired(this.#context.now(), this.#context.timing);
  }

  #needsLastMinuteHandshake(now: number): boolean {
    return this.keypairs.current?.wantsRekeyOnReceive(now, this.#context.timing) ?? false;
  }

  #cookies(remote: RemoteStatic): CookieGenerator {
    return remote.cookies(this.#context.primitives, this.#context.timing);
  }

  #noteUnanswered(): void {
    this.#unanswered++;
    this.#context.log?.write('debug', 'handshake-unanswered', {
      peer: this.#context.nameOf(this),
      times: this.#unanswered,
    });
    // The name's address may have changed; ask again before giving up, also while traffic keeps the attempts at 0.
    const { resolveAfterAttempts } = this.#context.limits;
    if (this.endpointName && this.#unanswered % resolveAfterAttempts === 0) this.#context.resolve(this);
  }

  #handshakeMessageSent(bytes: number): void {
    this.txBytes += bytes;
    this.#timers.authenticatedSent();
  }

  #handshakeMessageReceived(endpoint: Uint8Array, bytes: number): void {
    this.lastReceived = this.#context.now();
    this.rxBytes += bytes;
    this.#roam(endpoint, 0);
    this.#timers.authenticatedReceived();
  }

  /** Only ever called for messages that were authenticated and are not replays. */
  #roam(endpoints: Uint8Array, at: number): void {
    if (sameEndpoint(this.endpoint, 0, endpoints, at) || endpointFamily(endpoints, at) === FAMILY_NONE)
      return;
    copyEndpoint(this.endpoint, 0, endpoints, at);
    this.#context.log?.write('debug', 'endpoint-changed', { peer: this.#context.nameOf(this) });
  }

  #installKeypair(keypair: Keypair): void {
    this.keypairs.install(keypair);
    this.#context.keypairInstalled(keypair);
    this.#timers.sessionDerived();
  }

  #sessionComplete(): void {
    this.#timers.handshakeComplete();
    this.#sentLastMinuteHandshake = false;
    this.#gaveUp = false;
    this.#suspect = false;
    this.#cookieReceived = false;
    this.#unanswered = 0;
    const now = this.#context.now();
    // An initiation of ours that crossed the peer's may still be answered; an old one will not be.
    if (this.#handshake && now - this.#handshake.sentAt > this.#context.timing.rekeyTimeout) {
      this.#forgetHandshake();
    }
    this.lastHandshake = now;
    this.lastHandshakeWall = this.#context.wall();
    this.#context.counters.handshakesCompleted++;
    this.#context.log?.write('info', 'session-established', { peer: this.#context.nameOf(this) });
  }

  #forgetHandshake(): void {
    if (!this.#handshake) return;
    this.#context.indices.delete(this.#handshake.localIndex, this.#handshake);
    this.#handshake.erase();
    this.#handshake = undefined;
  }
}
