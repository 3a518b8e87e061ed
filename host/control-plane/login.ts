/**
 * Login by proof of the identity key. The challenge travels to the gateway and back inside a sealed ticket, so that
 * the server keeps nothing for who only asks; a ticket is good once and for a minute.
 */

import { randomBytes } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { equal } from '../../src/crypto/constant-time.js';
import { keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { generate } from '../../src/identity/keys.js';
import { audienceOf } from '../../src/identity/login.js';
import { CHALLENGE_BYTES, prove } from '../../src/identity/proof.js';
import type { Database } from './database.js';
import { findGateway } from './gateways.js';
import { Refusal } from './refusal.js';
import { ensureSecret } from './secrets.js';
import type { Tokens } from './tokens.js';

/** Seconds. */
const TICKET_LIFE = 60;
const ENCRYPTION = { alg: 'dir', enc: 'A256GCM' } as const;

export interface Challenge {
  readonly challenge: string;
  readonly server_key: string;
  readonly ticket: string;
  /** ms since 1970, by which a gateway can tell that its clock is wrong. */
  readonly time: number;
}

export class LoginDesk {
  readonly #database: Database;
  readonly #primitives: Primitives;
  readonly #tokens: Tokens;
  readonly #audience: string;
  readonly #sealKey: Uint8Array;
  /** Tickets that were used, with the ms since 1970 at which they would have expired anyway. */
  readonly #used = new Map<string, number>();

  static async open(
    database: Database,
    primitives: Primitives,
    tokens: Tokens,
    publicUrl: string,
  ): Promise<LoginDesk> {
    const sealKey = await ensureSecret(database, 'ticket-key', async () =>
      randomBytes(32).toString('base64'),
    );
    return new LoginDesk(database, primitives, tokens, publicUrl, Buffer.from(sealKey, 'base64'));
  }

  private constructor(
    database: Database,
    primitives: Primitives,
    tokens: Tokens,
    publicUrl: string,
    sealKey: Uint8Array,
  ) {
    this.#database = database;
    this.#primitives = primitives;
    this.#tokens = tokens;
    this.#audience = audienceOf(publicUrl);
    this.#sealKey = new Uint8Array(sealKey);
  }

  /** The same for names that exist and names that do not. */
  async challenge(gateway: string): Promise<Challenge> {
    const ephemeral = generate(this.#primitives);
    const challenge = keyToBase64(new Uint8Array(randomBytes(CHALLENGE_BYTES)));
    const ticket = await new EncryptJWT({ challenge, key: keyToBase64(ephemeral.privateKey) })
      .setProtectedHeader(ENCRYPTION)
      .setSubject(gateway)
      .setJti(randomBytes(12).toString('base64url'))
      .setExpirationTime(`${TICKET_LIFE}s`)
      .encrypt(this.#sealKey);
    return { challenge, server_key: keyToBase64(ephemeral.publicKey), ticket, time: Date.now() };
  }

  /** A token, or a Refusal. */
  async login(
    gateway: string,
    ticket: string,
    proof: string,
  ): Promise<{ token: string; expires_in: number }> {
    const refused = new Refusal(401, 'login_refused', 'the proof does not fit');
    const opened = await this.#open(ticket);
    if (opened?.gateway !== gateway) throw refused;
    const row = await findGateway(this.#database, gateway);
    const identityKey = row?.identity_key ? keyFromBase64(row.identity_key) : undefined;
    const given = keyFromBase64(proof);
    if (!row || !identityKey || !given) throw refused;
    const serverKey = new Uint8Array(32);
    this.#primitives.x25519PublicKey(serverKey, opened.privateKey);
    const { challenge } = opened;
    const input = { challenge, serverKey, identityKey, audience: this.#audience, gateway };
    const expected = prove(this.#primitives, opened.privateKey, identityKey, input);
    if (!expected || !equal(expected, given)) throw refused;
    if (row.state === 'revoked' || row.state === 'left') {
      throw new Refusal(403, 'gateway_withdrawn', 'this gateway’s identity was withdrawn; enrol it again');
    }
    if (!this.#useUp(opened.ticket)) throw refused;
    return { token: await this.#tokens.issue(gateway, row.tenant), expires_in: this.#tokens.life };
  }

  async #open(text: string) {
    try {
      const { payload } = await jwtDecrypt(text, this.#sealKey, {
        keyManagementAlgorithms: [ENCRYPTION.alg],
        contentEncryptionAlgorithms: [ENCRYPTION.enc],
        requiredClaims: ['exp', 'sub', 'jti'],
      });
      return {
        gateway: payload.sub!,
        ticket: payload.jti!,
        challenge: keyFromBase64(payload.challenge as string)!,
        privateKey: keyFromBase64(payload.key as string)!,
      };
    } catch {
      return undefined;
    }
  }

  #useUp(ticket: string): boolean {
    const now = Date.now();
    for (const [old, expires] of this.#used) {
      if (expires > now) break;
      this.#used.delete(old);
    }
    if (this.#used.has(ticket)) return false;
    this.#used.set(ticket, now + TICKET_LIFE * 1000);
    return true;
  }
}
