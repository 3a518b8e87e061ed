/** The handshakes of one peer, as initiator and as responder (paper, sections 5.4.2, 5.4.3 and 6.4). */

import { endpointFamily, FAMILY_NONE } from '../packet/endpoint.js';
import type { DeviceContext } from './context.js';
import type { CookieGenerator } from './cookie.js';
import { Keypair } from './keypair.js';
import { INITIATION_BYTES, RESPONSE_BYTES } from './messages.js';
import { Handshake, type Noise } from './noise.js';
import type { Peer } from './peer.js';
import type { RemoteStatic, RemoteStatics } from './statics.js';
import { TIMESTAMP_BYTES, timestampAfter } from './tai64n.js';
import type { PeerTimers } from './timers.js';

/** What the handshakes tell their peer. */
export interface HandshakeOwner {
  handshakeMessageSent(bytes: number): void;
  /** An authenticated message, not a replay, of so many bytes from an endpoint record. */
  handshakeMessageReceived(endpoint: Uint8Array, bytes: number): void;
  /** New transport keys: complete for the initiator, for the responder with the first message under them. */
  keypairDerived(keypair: Keypair): void;
}

export class PeerHandshakes {
  /** ms between our last answered initiation and its response. */
  roundTrip: number | undefined;
  /** Initiations sent in vain since the last session was established. */
  unanswered = 0;
  /** Rekey-Attempt-Time went by without an answer. */
  gaveUp = false;
  /** The peer asked for proof of our address. */
  cookieReceived = false;
  readonly #context: DeviceContext;
  readonly #peer: Peer;
  readonly #statics: RemoteStatics;
  readonly #timers: PeerTimers;
  readonly #lastTimestamp = new Uint8Array(TIMESTAMP_BYTES);
  #lastReceived = -Infinity;
  #lastSent = -Infinity;
  #handshake: Handshake | undefined;

  constructor(context: DeviceContext, peer: Peer, statics: RemoteStatics, timers: PeerTimers) {
    this.#context = context;
    this.#peer = peer;
    this.#statics = statics;
    this.#timers = timers;
  }

  /** Sends an initiation unless the last one is too young (Rekey-Timeout). True when it did. */
  initiate(retry: boolean): boolean {
    const context = this.#context;
    const peer = this.#peer;
    const now = context.now();
    const { noise } = context;
    if (!noise) return false;
    // Section 6.4: whoever wants to send again gets the whole attempt time again.
    if (!retry) this.#timers.attempts = 0;
    if (now - this.#lastSent < context.timing.rekeyTimeout) return false;
    if (!peer.hasEndpoint) {
      if (peer.endpointName) context.resolve(peer);
      return false;
    }
    // Under steady traffic it is mostly a packet, not the timer, that finds the last initiation unanswered.
    if (retry || this.#timers.handshakePending) this.#noteUnanswered();
    this.forget();
    const handshake = new Handshake(noise, this.#statics.active);
    this.#handshake = handshake;
    handshake.localIndex = context.indices.fresh();
    context.indices.set(handshake.localIndex, handshake);
    const message = context.claimMessage(INITIATION_BYTES, peer.endpoint);
    if (!message) return false;
    if (!noise.writeInitiation(message, handshake)) {
      this.forget();
      context.abandonMessage();
      return false;
    }
    this.#cookies(handshake.remote).addMacs(message, now);
    this.cookieReceived = false;
    this.gaveUp = false;
    handshake.sentAt = now;
    this.#lastSent = now;
    context.counters.initiationsSent++;
    peer.handshakeMessageSent(INITIATION_BYTES);
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
    if (now - this.#lastReceived < limits.initiationInterval) {
      counters.floodedInitiations++;
      return false;
    }
    this.#lastTimestamp.set(timestamp);
    this.#lastReceived = now;
    return true;
  }

  /** Answers the accepted initiation in `noise.received`, made with `remote`, which came from `endpoint`. */
  respond(noise: Noise, remote: RemoteStatic, endpoint: Uint8Array, bytesReceived: number): void {
    const context = this.#context;
    const peer = this.#peer;
    const now = context.now();
    peer.handshakeMessageReceived(endpoint, bytesReceived);
    this.#statics.active = remote;
    const keypair = context.newKeypair(peer, noise.received.remoteIndex, false);
    // Back to where the initiation came from, whatever a path may think of that way.
    const known = endpointFamily(endpoint, 0) !== FAMILY_NONE;
    const message = context.claimMessage(RESPONSE_BYTES, known ? endpoint : peer.endpoint);
    const written = message !== undefined && noise.writeResponse(message, remote, keypair);
    if (!written) {
      if (message) context.abandonMessage();
      context.dropKeypair(keypair);
      return;
    }
    this.#cookies(remote).addMacs(message, now);
    this.#lastSent = now;
    context.counters.responsesSent++;
    peer.keypairDerived(keypair);
    peer.handshakeMessageSent(RESPONSE_BYTES);
  }

  /** Reads a response to our handshake. */
  consumeResponse(message: Uint8Array, remoteIndex: number, endpoint: Uint8Array): boolean {
    const context = this.#context;
    const handshake = this.#handshake;
    if (!handshake) return false;
    const { localIndex } = handshake;
    const keypair = new Keypair(this.#peer, localIndex, remoteIndex, true, context.now(), context.limits);
    if (!handshake.noise.readResponse(message, handshake, keypair)) return false;
    this.roundTrip = context.now() - handshake.sentAt;
    handshake.erase();
    this.#handshake = undefined;
    context.indices.set(localIndex, keypair);
    this.#peer.handshakeMessageReceived(endpoint, message.length);
    this.#peer.keypairDerived(keypair);
    return true;
  }

  consumeCookie(reply: Uint8Array): boolean {
    if (!this.#statics.consumeCookie(reply, this.#context.now())) return false;
    this.cookieReceived = true;
    return true;
  }

  /** A session is complete, by whichever side it was begun. */
  completed(): void {
    this.gaveUp = false;
    this.cookieReceived = false;
    this.unanswered = 0;
    const now = this.#context.now();
    // An initiation of ours that crossed the peer's may still be answered; an old one will not be.
    if (this.#handshake && now - this.#handshake.sentAt > this.#context.timing.rekeyTimeout) this.forget();
  }

  /** Erases the handshake under way. */
  forget(): void {
    if (!this.#handshake) return;
    this.#context.indices.delete(this.#handshake.localIndex, this.#handshake);
    this.#handshake.erase();
    this.#handshake = undefined;
  }

  /** The next initiation need not keep its distance from the last: that was another identity's. */
  forgetPace(): void {
    this.#lastSent = -Infinity;
  }

  #cookies(remote: RemoteStatic): CookieGenerator {
    return remote.cookies(this.#context.primitives, this.#context.timing);
  }

  #noteUnanswered(): void {
    const peer = this.#peer;
    this.unanswered++;
    peer.forgetLocalAddress();
    this.#context.log?.write('debug', 'handshake-unanswered', {
      peer: this.#context.nameOf(peer),
      times: this.unanswered,
    });
    // The name's address may have changed; ask again before giving up, also while traffic keeps the attempts at 0.
    const { resolveAfterAttempts } = this.#context.limits;
    if (peer.endpointName && this.unanswered % resolveAfterAttempts === 0) this.#context.resolve(peer);
  }
}
