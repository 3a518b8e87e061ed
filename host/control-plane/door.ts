/** Lets gateways in, whichever link they come by: a valid token of a gateway that is not withdrawn, and not too many at once. */

import type { Log } from '../../src/ports.js';
import type { Database } from './database.js';
import { GatewaySession, type SessionTransport } from './gateway-session.js';
import { findGateway } from './gateways.js';
import type { Hub } from './hub.js';
import type { ControlOptions } from './options.js';
import { RateLimit } from './rate-limit.js';
import type { TokenClaims, Tokens } from './tokens.js';

/** Seconds over which those who are turned away are spread. */
const COME_BACK_WITHIN = 30;

export type Admission =
  | { readonly admitted: true; readonly claims: TokenClaims }
  /** HTTP status; `retryAfter` in seconds with a 503. */
  | { readonly admitted: false; readonly status: 401 | 403 | 503; readonly retryAfter: number };

export class Door {
  readonly #database: Database;
  readonly #tokens: Tokens;
  readonly #hub: Hub;
  readonly #options: ControlOptions;
  readonly #log: Log;
  readonly #pace: RateLimit;

  constructor(database: Database, tokens: Tokens, hub: Hub, options: ControlOptions, log: Log) {
    this.#database = database;
    this.#tokens = tokens;
    this.#hub = hub;
    this.#options = options;
    this.#log = log;
    this.#pace = new RateLimit(options.acceptedPerSecond, options.acceptedPerSecond, 1);
  }

  async admit(token: string): Promise<Admission> {
    if (!this.#pace.take('', Date.now())) {
      return { admitted: false, status: 503, retryAfter: 1 + Math.floor(Math.random() * COME_BACK_WITHIN) };
    }
    const claims = await this.#tokens.verify(token);
    const row = claims && (await findGateway(this.#database, claims.gateway).catch(() => undefined));
    if (!claims || !row || row.tenant !== claims.tenant)
      return { admitted: false, status: 401, retryAfter: 0 };
    if (row.state === 'revoked' || row.state === 'left')
      return { admitted: false, status: 403, retryAfter: 0 };
    return { admitted: true, claims };
  }

  /** `remoteAddress`: where the gateway is seen, empty when the link does not show it. */
  open(transport: SessionTransport, claims: TokenClaims, remoteAddress: string): GatewaySession {
    const session = new GatewaySession(transport, claims, remoteAddress, this.#options, this.#hub, this.#log);
    this.#hub.add(session);
    return session;
  }
}
