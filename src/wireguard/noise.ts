/**
 * Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as the paper uses it (section 5.4.1 to 5.4.5; Noise specification,
 * revision 34, for the names). The initiator keeps a `Handshake` until the answer arrives; the responder needs
 * none, because it answers and derives its keys in one step. So two ends that initiate at the same moment do not
 * overwrite each other's state, and both handshakes complete.
 */

import { Kdf } from '../crypto/kdf.js';
import { HASH_BYTES, KEY_BYTES, type Primitives, TAG_BYTES } from '../crypto/primitives.js';
import type { Keypair } from './keypair.js';
import { CONSTRUCTION, IDENTIFIER } from './labels.js';
import {
  INITIATION_EPHEMERAL,
  INITIATION_SENDER,
  INITIATION_STATIC,
  INITIATION_TIMESTAMP,
  RESPONSE_EMPTY,
  RESPONSE_EPHEMERAL,
  RESPONSE_RECEIVER,
  RESPONSE_SENDER,
  readU32,
  TYPE_INITIATION,
  TYPE_RESPONSE,
  writeU32,
} from './messages.js';
import type { Peer } from './peer.js';
import type { RemoteStatic } from './statics.js';
import { TIMESTAMP_BYTES, type TimestampSource } from './tai64n.js';

const NOTHING = new Uint8Array(0);
const SEALED_STATIC_BYTES = KEY_BYTES + TAG_BYTES;
const SEALED_TIMESTAMP_BYTES = TIMESTAMP_BYTES + TAG_BYTES;

/** Chaining key and transcript hash of a handshake on its way. */
export class SymmetricState {
  readonly chainingKey = new Uint8Array(HASH_BYTES);
  readonly hash = new Uint8Array(HASH_BYTES);

  copyFrom(other: SymmetricState): void {
    this.chainingKey.set(other.chainingKey);
    this.hash.set(other.hash);
  }

  erase(): void {
    this.chainingKey.fill(0);
    this.hash.fill(0);
  }
}

/** What an initiator remembers until the response comes. */
export class Handshake {
  readonly peer: Peer;
  /** Our static key and the peer's that this handshake is made with. */
  readonly noise: Noise;
  readonly remote: RemoteStatic;
  readonly state = new SymmetricState();
  readonly ephemeralPrivate = new Uint8Array(KEY_BYTES);
  localIndex = 0;
  /** Monotonic ms; for the round-trip time. */
  sentAt = 0;

  constructor(noise: Noise, remote: RemoteStatic) {
    this.noise = noise;
    this.remote = remote;
    this.peer = remote.peer;
  }

  erase(): void {
    this.state.erase();
    this.ephemeralPrivate.fill(0);
  }
}

/** An initiation that was read and belongs to a known peer, until it is answered or refused. */
export class ReceivedInitiation {
  remote: RemoteStatic | undefined;
  remoteIndex = 0;
  readonly remoteEphemeral = new Uint8Array(KEY_BYTES);
  readonly timestamp = new Uint8Array(TIMESTAMP_BYTES);
}

/** Reads and writes handshake messages for one static key pair. All scratch is its own and is erased after use. */
export class Noise {
  readonly #primitives: Primitives;
  readonly #kdf: Kdf;
  readonly #timestamps: TimestampSource;
  readonly #initialChainingKey = new Uint8Array(HASH_BYTES);
  readonly #initialHash = new Uint8Array(HASH_BYTES);
  readonly #state = new SymmetricState();
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #shared = new Uint8Array(KEY_BYTES);
  readonly #tau = new Uint8Array(HASH_BYTES);
  readonly #ephemeralPrivate = new Uint8Array(KEY_BYTES);
  readonly #ephemeralPublic = new Uint8Array(KEY_BYTES);
  readonly #static = new Uint8Array(SEALED_STATIC_BYTES);
  readonly #timestamp = new Uint8Array(SEALED_TIMESTAMP_BYTES);
  readonly #tag = new Uint8Array(TAG_BYTES);
  readonly #noPresharedKey = new Uint8Array(KEY_BYTES);
  // HASH takes one array, so a transcript hash and what follows it are laid side by side.
  readonly #mixInput = new Uint8Array(HASH_BYTES + SEALED_STATIC_BYTES);
  #privateKey = new Uint8Array(KEY_BYTES);
  #publicKey = new Uint8Array(KEY_BYTES);
  readonly received = new ReceivedInitiation();

  constructor(primitives: Primitives, timestamps: TimestampSource) {
    this.#primitives = primitives;
    this.#kdf = new Kdf(primitives);
    this.#timestamps = timestamps;
    primitives.hash(this.#initialChainingKey, CONSTRUCTION);
    const input = new Uint8Array(HASH_BYTES + IDENTIFIER.length);
    input.set(this.#initialChainingKey);
    input.set(IDENTIFIER, HASH_BYTES);
    primitives.hash(this.#initialHash, input);
  }

  setIdentity(privateKey: Uint8Array, publicKey: Uint8Array): void {
    this.#privateKey.set(privateKey);
    this.#publicKey.set(publicKey);
  }

  eraseIdentity(): void {
    this.#privateKey.fill(0);
    this.#publicKey.fill(0);
  }

  /** DH of the two static keys; cached by the peer, since it is the same in every handshake. */
  staticShared(out: Uint8Array, peerPublicKey: Uint8Array): boolean {
    return this.#primitives.x25519(out, this.#privateKey, peerPublicKey);
  }

  /** Writes an initiation without its macs (116 bytes). False when a DH result is zero: no such peer can exist. */
  writeInitiation(message: Uint8Array, handshake: Handshake): boolean {
    const { remote, state } = handshake;
    const staticShared = remote.shared(this);
    if (!staticShared) return false;
    writeU32(message, 0, TYPE_INITIATION);
    writeU32(message, INITIATION_SENDER, handshake.localIndex);
    this.#begin(state, remote.publicKey);
    this.#newEphemeral(handshake.ephemeralPrivate, message, INITIATION_EPHEMERAL);
    this.#mixHash(state, this.#ephemeralPublic);
    this.#kdf.derive1(state.chainingKey, state.chainingKey, this.#ephemeralPublic);

    if (!this.#primitives.x25519(this.#shared, handshake.ephemeralPrivate, remote.publicKey)) return false;
    this.#mixKey(state, this.#shared);
    this.#static.set(this.#publicKey);
    this.#seal(state, this.#static, KEY_BYTES);
    message.set(this.#static, INITIATION_STATIC);

    this.#mixKey(state, staticShared);
    this.#timestamps.next(this.#timestamp, 0);
    this.#seal(state, this.#timestamp, TIMESTAMP_BYTES);
    message.set(this.#timestamp, INITIATION_TIMESTAMP);
    this.#eraseScratch();
    return true;
  }

  /**
   * Reads an initiation into `received`. True only when it was made with the private key to the one found by
   * `find`. Whether its timestamp is new is the caller's question. Nothing is remembered of a refused one.
   */
  readInitiation(message: Uint8Array, find: (publicKey: Uint8Array) => RemoteStatic | undefined): boolean {
    this.received.remote = undefined;
    const valid = this.#readInitiation(message, find);
    if (!valid) this.#eraseScratch();
    return valid;
  }

  #readInitiation(message: Uint8Array, find: (publicKey: Uint8Array) => RemoteStatic | undefined): boolean {
    const state = this.#state;
    const { received } = this;
    received.remoteIndex = readU32(message, INITIATION_SENDER);
    copy(received.remoteEphemeral, message, INITIATION_EPHEMERAL);
    this.#begin(state, this.#publicKey);
    this.#mixHash(state, received.remoteEphemeral);
    this.#kdf.derive1(state.chainingKey, state.chainingKey, received.remoteEphemeral);

    if (!this.#primitives.x25519(this.#shared, this.#privateKey, received.remoteEphemeral)) return false;
    this.#mixKey(state, this.#shared);
    copy(this.#static, message, INITIATION_STATIC);
    if (!this.#open(state, this.#static)) return false;
    const remote = find(this.#static.subarray(0, KEY_BYTES));
    const staticShared = remote?.shared(this);
    if (!remote || !staticShared) return false;

    this.#mixKey(state, staticShared);
    copy(this.#timestamp, message, INITIATION_TIMESTAMP);
    if (!this.#open(state, this.#timestamp)) return false;
    received.timestamp.set(this.#timestamp.subarray(0, TIMESTAMP_BYTES));
    received.remote = remote;
    return true;
  }

  /** Answers the initiation in `received`: writes a response without its macs (60 bytes) and fills the pair's keys. */
  writeResponse(message: Uint8Array, remote: RemoteStatic, keypair: Keypair): boolean {
    const state = this.#state;
    const { received } = this;
    writeU32(message, 0, TYPE_RESPONSE);
    writeU32(message, RESPONSE_SENDER, keypair.localIndex);
    writeU32(message, RESPONSE_RECEIVER, received.remoteIndex);
    this.#newEphemeral(this.#ephemeralPrivate, message, RESPONSE_EPHEMERAL);
    this.#mixHash(state, this.#ephemeralPublic);
    this.#kdf.derive1(state.chainingKey, state.chainingKey, this.#ephemeralPublic);
    const answered =
      this.#mixDh(state, this.#ephemeralPrivate, received.remoteEphemeral) &&
      this.#mixDh(state, this.#ephemeralPrivate, remote.publicKey);
    if (answered) {
      this.#mixPresharedKey(state, remote.peer.presharedKey);
      this.#seal(state, this.#tag, 0);
      message.set(this.#tag, RESPONSE_EMPTY);
      this.#kdf.derive2(keypair.receiveKey, keypair.sendKey, state.chainingKey, NOTHING);
    }
    this.#eraseScratch();
    return answered;
  }

  /**
   * Reads the response to `handshake` and fills the pair's keys. False leaves the handshake as it was, so that a
   * forged response cannot end it.
   */
  readResponse(message: Uint8Array, handshake: Handshake, keypair: Keypair): boolean {
    const state = this.#state;
    state.copyFrom(handshake.state);
    const remoteEphemeral = this.received.remoteEphemeral;
    copy(remoteEphemeral, message, RESPONSE_EPHEMERAL);
    this.#mixHash(state, remoteEphemeral);
    this.#kdf.derive1(state.chainingKey, state.chainingKey, remoteEphemeral);
    let valid =
      this.#mixDh(state, handshake.ephemeralPrivate, remoteEphemeral) &&
      this.#mixDh(state, this.#privateKey, remoteEphemeral);
    if (valid) {
      this.#mixPresharedKey(state, handshake.peer.presharedKey);
      copy(this.#tag, message, RESPONSE_EMPTY);
      valid = this.#open(state, this.#tag);
    }
    if (valid) this.#kdf.derive2(keypair.sendKey, keypair.receiveKey, state.chainingKey, NOTHING);
    this.#eraseScratch();
    return valid;
  }

  #begin(state: SymmetricState, responderPublicKey: Uint8Array): void {
    state.chainingKey.set(this.#initialChainingKey);
    state.hash.set(this.#initialHash);
    this.#mixHash(state, responderPublicKey);
  }

  #newEphemeral(privateKey: Uint8Array, message: Uint8Array, at: number): void {
    this.#primitives.random(privateKey);
    this.#primitives.x25519PublicKey(this.#ephemeralPublic, privateKey);
    message.set(this.#ephemeralPublic, at);
  }

  /** H := HASH(H || data). */
  #mixHash(state: SymmetricState, data: Uint8Array): void {
    this.#mixInput.set(state.hash);
    this.#mixInput.set(data, HASH_BYTES);
    this.#primitives.hash(state.hash, this.#mixInput.subarray(0, HASH_BYTES + data.length));
  }

  /** (C, k) := KDF2(C, input). */
  #mixKey(state: SymmetricState, input: Uint8Array): void {
    this.#kdf.derive2(state.chainingKey, this.#key, state.chainingKey, input);
  }

  /** C := KDF1(C, DH(private, public)); false on a zero result. */
  #mixDh(state: SymmetricState, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    if (!this.#primitives.x25519(this.#shared, privateKey, publicKey)) return false;
    this.#kdf.derive1(state.chainingKey, state.chainingKey, this.#shared);
    return true;
  }

  /** (C, tau, k) := KDF3(C, Q); H := HASH(H || tau). Q is zero when no key is shared beforehand. */
  #mixPresharedKey(state: SymmetricState, presharedKey: Uint8Array | undefined): void {
    const q = presharedKey ?? this.#noPresharedKey;
    this.#kdf.derive3(state.chainingKey, this.#tau, this.#key, state.chainingKey, q);
    this.#mixHash(state, this.#tau);
  }

  /** Seals the first `length` bytes of a field in place and mixes the ciphertext; the field is `length` + 16 long. */
  #seal(state: SymmetricState, field: Uint8Array, length: number): void {
    this.#primitives.aeadSeal(this.#key, 0, 0, field, 0, length, state.hash);
    this.#mixHash(state, field);
  }

  #open(state: SymmetricState, field: Uint8Array): boolean {
    // The ciphertext is mixed, so it must be in the hash's input before it is opened in place.
    this.#mixInput.set(field, HASH_BYTES);
    if (!this.#primitives.aeadOpen(this.#key, 0, 0, field, 0, field.length, state.hash)) return false;
    this.#mixInput.set(state.hash);
    this.#primitives.hash(state.hash, this.#mixInput.subarray(0, HASH_BYTES + field.length));
    return true;
  }

  #eraseScratch(): void {
    this.#state.erase();
    this.#key.fill(0);
    this.#shared.fill(0);
    this.#tau.fill(0);
    this.#ephemeralPrivate.fill(0);
  }
}

function copy(to: Uint8Array, from: Uint8Array, at: number): void {
  for (let i = 0; i < to.length; i++) to[i] = from[at + i];
}
