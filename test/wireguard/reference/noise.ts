/**
 * The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s, both roles: the paper's sections 5.4.2, 5.4.3 and 5.4.5.
 * Written for reading next to the paper; every value has the paper's name.
 */
import { randomBytes } from 'node:crypto';
import { mac1IsValid, withMacs } from './cookie.js';
import { type KeyPair, keyPair } from './identity.js';
import { readU32, Session, u32 } from './session.js';
import { aeadOpen, aeadSeal, ascii, type Bytes, concat, hash, kdf } from './symmetric.js';
import { x25519 } from './x25519.js';

export const INITIATION_BYTES = 148;
export const RESPONSE_BYTES = 92;

const NO_BYTES = new Uint8Array(0);
const ZEROS = new Uint8Array(32);

/** `C` and `H` of the paper, never changed in place. */
interface Transcript {
  readonly C: Bytes;
  readonly H: Bytes;
}

function start(responderPublicKey: Bytes): Transcript {
  const C = hash(ascii('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'));
  const H = hash(C, ascii('WireGuard v1 zx2c4 Jason@zx2c4.com'));
  return { C, H: hash(H, responderPublicKey) };
}

function isZero(secret: Bytes): boolean {
  return secret.every((byte) => byte === 0);
}

export function randomIndex(): number {
  return readU32(randomBytes(4), 0);
}

export interface InitiationOptions {
  readonly static: KeyPair;
  readonly responderPublicKey: Bytes;
  /** 12 bytes of TAI64N. */
  readonly timestamp: Bytes;
  readonly presharedKey?: Bytes;
  readonly cookie?: Bytes;
  readonly ephemeral?: KeyPair;
  readonly senderIndex?: number;
  /** Stands for DH(ephemeral, responder): a prober that sends a point of low order knows it to be zero. */
  readonly ephemeralSecret?: Bytes;
}

/** One handshake as its initiator sees it. */
export class Initiation {
  readonly message: Bytes;
  readonly senderIndex: number;
  readonly #options: InitiationOptions;
  readonly #ephemeral: KeyPair;
  readonly #transcript: Transcript;

  constructor(options: InitiationOptions) {
    this.#options = options;
    this.#ephemeral = options.ephemeral ?? keyPair();
    this.senderIndex = options.senderIndex ?? randomIndex();
    const S_i = options.static;
    const S_r = options.responderPublicKey;
    const E_i = this.#ephemeral;
    let { C, H } = start(S_r);
    let key: Bytes;
    [C] = kdf(1, C, E_i.publicKey);
    H = hash(H, E_i.publicKey);
    [C, key] = kdf(2, C, options.ephemeralSecret ?? x25519(E_i.privateKey, S_r));
    const sealedStatic = aeadSeal(key, 0n, S_i.publicKey, H);
    H = hash(H, sealedStatic);
    [C, key] = kdf(2, C, x25519(S_i.privateKey, S_r));
    const sealedTimestamp = aeadSeal(key, 0n, options.timestamp, H);
    H = hash(H, sealedTimestamp);
    this.#transcript = { C, H };
    const header = concat(new Uint8Array([1, 0, 0, 0]), u32(this.senderIndex));
    this.message = withMacs(
      concat(header, E_i.publicKey, sealedStatic, sealedTimestamp),
      S_r,
      options.cookie,
    );
  }

  /** The session that a response opens, or `undefined` when it is not a good one. */
  complete(response: Bytes): Session | undefined {
    if (response.length !== RESPONSE_BYTES || readU32(response, 0) !== 2) return undefined;
    if (readU32(response, 8) !== this.senderIndex) return undefined;
    const S_i = this.#options.static;
    if (!mac1IsValid(response, S_i.publicKey)) return undefined;
    const E_r = response.slice(12, 44);
    let { C, H } = this.#transcript;
    [C] = kdf(1, C, E_r);
    H = hash(H, E_r);
    const ee = x25519(this.#ephemeral.privateKey, E_r);
    const se = x25519(S_i.privateKey, E_r);
    if (isZero(ee) || isZero(se)) return undefined;
    [C] = kdf(1, C, ee);
    [C] = kdf(1, C, se);
    const [chain, tau, key] = kdf(3, C, this.#options.presharedKey ?? ZEROS);
    H = hash(H, tau);
    const nothing = aeadOpen(key, 0n, response.slice(44, 60), H);
    if (nothing?.length !== 0) return undefined;
    const [sendKey, receiveKey] = kdf(2, chain, NO_BYTES);
    return new Session({
      sendKey,
      receiveKey,
      localIndex: this.senderIndex,
      remoteIndex: readU32(response, 4),
    });
  }
}

export interface ResponseOptions {
  readonly presharedKey?: Bytes;
  readonly cookie?: Bytes;
  readonly ephemeral?: KeyPair;
  readonly senderIndex?: number;
  /** Stands for both DH results with the ephemeral key, as `InitiationOptions.ephemeralSecret`. */
  readonly ephemeralSecret?: Bytes;
}

/** One handshake as its responder sees it. */
export class ReceivedInitiation {
  readonly initiatorPublicKey: Bytes;
  readonly timestamp: Bytes;
  readonly senderIndex: number;
  readonly #ephemeral: Bytes;
  readonly #transcript: Transcript;

  private constructor(message: Bytes, initiator: Bytes, timestamp: Bytes, transcript: Transcript) {
    this.initiatorPublicKey = initiator;
    this.timestamp = timestamp;
    this.senderIndex = readU32(message, 4);
    this.#ephemeral = message.slice(8, 40);
    this.#transcript = transcript;
  }

  /** Reads an initiation meant for `responder`; `undefined` when it is not a good one. */
  static read(message: Bytes, responder: KeyPair): ReceivedInitiation | undefined {
    if (message.length !== INITIATION_BYTES || readU32(message, 0) !== 1) return undefined;
    if (!mac1IsValid(message, responder.publicKey)) return undefined;
    const E_i = message.slice(8, 40);
    const sealedStatic = message.slice(40, 88);
    const sealedTimestamp = message.slice(88, 116);
    let { C, H } = start(responder.publicKey);
    let key: Bytes;
    [C] = kdf(1, C, E_i);
    H = hash(H, E_i);
    const es = x25519(responder.privateKey, E_i);
    if (isZero(es)) return undefined;
    [C, key] = kdf(2, C, es);
    const S_i = aeadOpen(key, 0n, sealedStatic, H);
    if (!S_i) return undefined;
    H = hash(H, sealedStatic);
    const ss = x25519(responder.privateKey, S_i);
    if (isZero(ss)) return undefined;
    [C, key] = kdf(2, C, ss);
    const timestamp = aeadOpen(key, 0n, sealedTimestamp, H);
    if (!timestamp) return undefined;
    H = hash(H, sealedTimestamp);
    return new ReceivedInitiation(message, S_i, timestamp, { C, H });
  }

  /** The response and the session it opens; the responder may not send before the initiator has. */
  respond(options: ResponseOptions = {}): { message: Bytes; session: Session } {
    const E_r = options.ephemeral ?? keyPair();
    const senderIndex = options.senderIndex ?? randomIndex();
    let { C, H } = this.#transcript;
    [C] = kdf(1, C, E_r.publicKey);
    H = hash(H, E_r.publicKey);
    [C] = kdf(1, C, options.ephemeralSecret ?? x25519(E_r.privateKey, this.#ephemeral));
    [C] = kdf(1, C, options.ephemeralSecret ?? x25519(E_r.privateKey, this.initiatorPublicKey));
    const [chain, tau, key] = kdf(3, C, options.presharedKey ?? ZEROS);
    H = hash(H, tau);
    const sealedNothing = aeadSeal(key, 0n, NO_BYTES, H);
    const body = concat(
      new Uint8Array([2, 0, 0, 0]),
      u32(senderIndex),
      u32(this.senderIndex),
      E_r.publicKey,
      sealedNothing,
    );
    const [receiveKey, sendKey] = kdf(2, chain, NO_BYTES);
    const session = new Session({
      sendKey,
      receiveKey,
      localIndex: senderIndex,
      remoteIndex: this.senderIndex,
    });
    return { message: withMacs(body, this.initiatorPublicKey, options.cookie), session };
  }
}
