/**
 * Tokens for an enrolled gateway: a challenge is fetched and answered with a proof of the identity key. The token
 * is opaque here; only the server needs to read it. It is replaced at four fifths of its life.
 */

import { keyFromBase64, keyToBase64 } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Clock, HttpAnswer, HttpClient } from '../ports.js';
import type { Enrolment } from './enrolment.js';
import type { KeyPair } from './keys.js';
import { CHALLENGE_BYTES, prove } from './proof.js';

/** Share of a token's life after which a new one is asked for. */
const REFRESH_AFTER = 0.8;

/** `retryAfter` in ms. */
type LoginDone = (error: string | undefined, retryAfter?: number) => void;

export class Login {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #enrolment: Enrolment;
  readonly #identity: KeyPair;
  #token: string | undefined;
  /** Monotonic ms; wall time may still be wrong on a board without a clock. */
  #expiresAt = 0;
  #refreshAt = Number.POSITIVE_INFINITY;

  constructor(
    primitives: Primitives,
    clock: Clock,
    http: HttpClient,
    enrolment: Enrolment,
    identity: KeyPair,
  ) {
    this.#primitives = primitives;
    this.#clock = clock;
    this.#http = http;
    this.#enrolment = enrolment;
    this.#identity = identity;
  }

  token(): string | undefined {
    return this.#clock.monotonic() < this.#expiresAt ? this.#token : undefined;
  }

  /** Monotonic ms. */
  refreshAt(): number {
    return this.#refreshAt;
  }

  /** `life` is ms from now. */
  accept(token: string, life: number): void {
    const now = this.#clock.monotonic();
    this.#token = token;
    this.#expiresAt = now + life;
    this.#refreshAt = now + life * REFRESH_AFTER;
  }

  /** The server would not have this token. */
  reject(): void {
    this.#token = undefined;
  }

  /**
   * `origin`: where to log in, when not where the gateway enrolled: the control plane's address inside the tunnel. The
   * proof is for the same server in any case.
   */
  renew(done: LoginDone, origin?: string): void {
    const { gateway } = this.#enrolment;
    this.#ask('/api/v1/login/challenge', { gateway }, origin, done, (body) => {
      const challenge = typeof body.challenge === 'string' ? keyFromBase64(body.challenge) : undefined;
      const serverKey = typeof body.server_key === 'string' ? keyFromBase64(body.server_key) : undefined;
      if (challenge?.length !== CHALLENGE_BYTES || !serverKey || typeof body.ticket !== 'string') {
        done('the challenge makes no sense');
        return;
      }
      this.#answer(challenge, serverKey, body.ticket, origin, done);
    });
  }

  #ask(
    path: string,
    body: object,
    origin: string | undefined,
    done: LoginDone,
    good: (body: Record<string, unknown>) => void,
  ): void {
    const url = `${origin ?? this.#enrolment.control}${path}`;
    const answered = (answer: HttpAnswer): void => {
      const read = readAnswer(answer, done);
      if (read) good(read);
    };
    this.#http.post(url, JSON.stringify(body), undefined, answered, origin !== undefined);
  }

  #answer(
    challenge: Uint8Array,
    serverKey: Uint8Array,
    ticket: string,
    origin: string | undefined,
    done: LoginDone,
  ): void {
    const { control, gateway } = this.#enrolment;
    const proof = prove(this.#primitives, this.#identity.privateKey, serverKey, {
      challenge,
      serverKey,
      identityKey: this.#identity.publicKey,
      audience: audienceOf(control),
      gateway,
    });
    if (!proof) {
      done('the challenge’s key is no real one');
      return;
    }
    const answer = { gateway, ticket, proof: keyToBase64(proof) };
    this.#ask('/api/v1/login', answer, origin, done, (reply) => {
      if (
        typeof reply.token !== 'string' ||
        typeof reply.expires_in !== 'number' ||
        !(reply.expires_in > 0)
      ) {
        done('the login’s answer makes no sense');
        return;
      }
      this.accept(reply.token, reply.expires_in * 1000);
      done(undefined);
    });
  }
}

/** `host[:port]` of an origin, lower case. */
export function audienceOf(origin: string): string {
  return origin.replace(/^https?:\/\//, '').toLowerCase();
}

function readAnswer(answer: HttpAnswer, done: LoginDone): Record<string, unknown> | undefined {
  if (answer.status !== 200) {
    done(answer.error ?? `the control plane answered ${answer.status}`, answer.retryAfter);
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(answer.body);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {}
  done('the answer is not JSON');
  return undefined;
}
