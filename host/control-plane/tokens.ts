/**
 * Tokens of gateways: JWT signed with Ed25519. The algorithm and the key are ours to choose, never the token's:
 * what its header says decides nothing.
 */

import { createHash } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import type { Database } from './database.js';
import { ensureSecret } from './secrets.js';

export interface TokenClaims {
  readonly gateway: string;
  readonly tenant: string;
  /** Seconds since 1970. */
  readonly expires: number;
}

const ALGORITHM = 'EdDSA';
const AUDIENCE = 'cloudbridge-gateway';

export class Tokens {
  /** Seconds. */
  readonly life: number;
  readonly #issuer: string;
  readonly #privateKey: CryptoKey;
  readonly #publicKey: CryptoKey;
  readonly #publicJwk: JWK;

  static async open(database: Database, issuer: string, life: number): Promise<Tokens> {
    const jwk = await ensureSecret<JWK>(database, 'token-key', async () => {
      const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
      return exportJWK(privateKey);
    });
    const { d: _, ...open } = jwk;
    const kid = createHash('sha256').update(String(jwk.x)).digest('base64url').slice(0, 16);
    const publicJwk = { ...open, kid, alg: ALGORITHM, use: 'sig' };
    const privateKey = (await importJWK(jwk, ALGORITHM)) as CryptoKey;
    const publicKey = (await importJWK(publicJwk, ALGORITHM)) as CryptoKey;
    return new Tokens(issuer, life, privateKey, publicKey, publicJwk);
  }

  private constructor(
    issuer: string,
    life: number,
    privateKey: CryptoKey,
    publicKey: CryptoKey,
    publicJwk: JWK,
  ) {
    this.#issuer = issuer;
    this.life = life;
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#publicJwk = publicJwk;
  }

  /** The key set that others verify with. */
  get jwks(): { readonly keys: readonly JWK[] } {
    return { keys: [this.#publicJwk] };
  }

  issue(gateway: string, tenant: string): Promise<string> {
    return new SignJWT({ tenant_id: tenant })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#publicJwk.kid, typ: 'JWT' })
      .setSubject(gateway)
      .setIssuer(this.#issuer)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime(`${this.life}s`)
      .sign(this.#privateKey);
  }

  /** Undefined for anything but a token of ours that is valid now. */
  async verify(token: string): Promise<TokenClaims | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [ALGORITHM],
        issuer: this.#issuer,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'exp', 'tenant_id'],
      });
      return { gateway: payload.sub!, tenant: payload.tenant_id as string, expires: payload.exp! };
    } catch {
      return undefined;
    }
  }
}
