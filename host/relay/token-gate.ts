/**
 * Who may use the relay: gateways with a token of the control plane (JWT, Ed25519), verified with its published keys.
 * The algorithm is ours to choose, never the token's.
 */

import { readFileSync } from 'node:fs';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';

export interface Identity {
  readonly gateway: string;
  readonly tenant: string;
  /** ms since 1970. */
  readonly expires: number;
}

const ALGORITHM = 'EdDSA';
const AUDIENCE = 'cloudbridge-gateway';
/** Seconds that clocks may differ. */
const LEEWAY = 5;
/** Longer ones are refused unread. */
const MOST_CHARACTERS = 4096;

export class TokenGate {
  readonly #keys: JWTVerifyGetKey;
  readonly #issuer: string;

  constructor(keys: JWTVerifyGetKey, issuer: string) {
    this.#keys = keys;
    this.#issuer = issuer;
  }

  /** `jwks`: the address of the key set (`https://…/.well-known/jwks.json`), or a file with it. */
  static open(jwks: string, issuer: string): TokenGate {
    if (/^https?:\/\//.test(jwks)) {
      const url = new URL(jwks);
      if (url.protocol === 'http:' && !/^(localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname)) {
        throw new Error('the key set must come over https://, or from this machine');
      }
      return new TokenGate(createRemoteJWKSet(url, { timeoutDuration: 5_000 }), issuer);
    }
    const set = JSON.parse(readFileSync(jwks, 'utf8')) as JSONWebKeySet;
    return new TokenGate(createLocalJWKSet(set), issuer);
  }

  /** The bearer of an `authorization` header (RFC 6750 section 2.1), or undefined. */
  async admit(authorization: string | undefined): Promise<Identity | undefined> {
    const token = /^Bearer ([A-Za-z0-9._-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || token.length > MOST_CHARACTERS) return undefined;
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: [ALGORITHM],
        issuer: this.#issuer,
        audience: AUDIENCE,
        clockTolerance: LEEWAY,
        requiredClaims: ['sub', 'exp', 'tenant_id'],
      });
      const { sub, tenant_id: tenant, exp } = payload;
      if (typeof sub !== 'string' || typeof tenant !== 'string' || sub === '' || tenant === '')
        return undefined;
      return { gateway: sub, tenant, expires: exp! * 1000 };
    } catch {
      return undefined;
    }
  }
}
