/**
 * Every route with who may call it, in one table; what is not in it does not exist. A test walks the table, so that
 * no route is ever open by accident.
 */

import type { LinkKind } from '../../src/control/link.js';
import { LARGEST_MESSAGE_BYTES } from '../../src/control/messages.js';
import { audit } from './audit.js';
import { createClaim, redeemClaim, validateClaim } from './claims.js';
import { addClient } from './clients.js';
import type { Database } from './database.js';
import { findGateway, type GatewayRow, listGateways, recordChange } from './gateways.js';
import type { HttpSessions } from './http-sessions.js';
import type { Hub } from './hub.js';
import type { LoginDesk } from './login.js';
import { Refusal } from './refusal.js';
import { deviceInfo, record, tagList, text } from './request-body.js';
import type { TokenClaims, Tokens } from './tokens.js';

export interface Request {
  readonly params: Readonly<Record<string, string>>;
  /** The JSON object of the body; empty when there is none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Whose token it came with; set where `access` is `gateway` or `session-start`. */
  readonly gateway?: TokenClaims;
  /** Empty when it came out of the tunnel. */
  readonly remoteAddress?: string;
}

export interface ControlRoute {
  readonly method: 'GET' | 'POST';
  /** In Hono's words. */
  readonly path: string;
  /**
   * `open`: anybody, within the rate limit. `gateway`: a gateway, about itself. `session-start`: a gateway that may have
   * a session. `session`: whoever knows the name of a living one. `admin`: the administrator.
   */
  readonly access: 'open' | 'gateway' | 'session-start' | 'session' | 'admin';
  /** Most bytes of the body, where it is more than the usual. */
  readonly mostBytes?: number;
  /** JSON, or an event stream. */
  readonly handle: (request: Request) => Promise<unknown>;
}

export interface RouteParts {
  readonly database: Database;
  readonly tokens: Tokens;
  readonly login: LoginDesk;
  readonly hub: Hub;
  readonly http: HttpSessions;
  /** Where gateways connect to, for the answer to a claim. */
  readonly endpoints: readonly { readonly kind: string; readonly url: string }[];
  readonly publicUrl: string;
}

const EVENTS = '/api/v1/control/events';
const POLLING = '/api/v1/control/polling';

/** Where gateways connect to, best first. */
export function endpointsOf(
  publicUrl: string,
  mqttUrl?: string,
): { readonly kind: LinkKind; readonly url: string }[] {
  return [
    { kind: 'websocket', url: `${publicUrl.replace(/^http/, 'ws')}/ws` },
    ...(mqttUrl === undefined ? [] : [{ kind: 'mqtt' as const, url: mqttUrl }]),
    { kind: 'event-stream', url: `${publicUrl}${EVENTS}` },
    { kind: 'polling', url: `${publicUrl}${POLLING}` },
  ];
}

export function controlRoutes(parts: RouteParts): ControlRoute[] {
  const { database, tokens, login, hub, http, endpoints, publicUrl } = parts;

  const gatewayOf = async ({ params }: Request): Promise<GatewayRow> => {
    const row = await findGateway(database, params.gateway);
    // A gateway of another tenant is not there at all.
    if (!row || row.tenant !== params.tenant) throw new Refusal(404, 'no_gateway', 'no such gateway');
    return row;
  };

  const setState = async (row: GatewayRow, state: GatewayRow['state'], keep: boolean): Promise<void> => {
    await database.transaction(async (sql) => {
      await sql.query(
        `UPDATE gateways SET state = $2, reason = NULL, next_public_key = NULL, rotation = NULL,
           boots = '{}', identity_key = CASE WHEN $3 THEN identity_key ELSE NULL END WHERE id = $1`,
        [row.id, state, keep],
      );
      await recordChange(sql, row.tenant, row.id);
      await audit(sql, 'admin', `gateway-${state}`, row.tenant, row.id);
    });
    await hub.changed(row.tenant);
    if (state !== 'active')
      for (const session of hub.sessionsOf(row.id)) session.close(1008, `gateway ${state}`);
  };

  const open = (method: 'GET' | 'POST', path: string, handle: ControlRoute['handle']): ControlRoute => ({
    method,
    path,
    access: 'open',
    handle,
  });
  const admin = (method: 'GET' | 'POST', path: string, handle: ControlRoute['handle']): ControlRoute => ({
    method,
    path,
    access: 'admin',
    handle,
  });
  const tenant = '/api/v1/tenants/:tenant';
  const gateway = `${tenant}/gateways/:gateway`;

  return [
    open('GET', '/health', async () => ({ status: 'ok' })),
    open('GET', '/ready', async () => {
      await database.query('SELECT 1');
      return { status: 'ready' };
    }),
    open('GET', '/.well-known/jwks.json', async () => tokens.jwks),
    open('POST', '/api/v1/invites/validate', ({ body }) => validateClaim(database, text(body, 'token'))),
    open('POST', '/api/v1/invites/redeem', async ({ body }) => {
      const redeemed = await redeemClaim(database, {
        token: text(body, 'token'),
        request: text(body, 'request'),
        identityKey: text(body, 'identity_key'),
        publicKey: text(body, 'public_key'),
        device: deviceInfo(body.device_info),
      });
      if (redeemed.fresh) await hub.changed(redeemed.tenant);
      return {
        device_id: redeemed.gateway,
        tenant_id: redeemed.tenant,
        endpoints,
        peer_ip: [redeemed.address],
        tenant_cidr: [redeemed.prefix],
        time: Date.now(),
        ...(hub.tunnel ? { tunnel: hub.tunnel.record(redeemed.gateway) } : {}),
      };
    }),
    open('POST', '/api/v1/login/challenge', ({ body }) => login.challenge(text(body, 'gateway', 64))),
    open('POST', '/api/v1/login', async ({ body, remoteAddress = '' }) => {
      const [gateway, ticket, proof] = [
        text(body, 'gateway', 64),
        text(body, 'ticket', 4096),
        text(body, 'proof', 64),
      ];
      const answer = await login.login(gateway, ticket, proof);
      if (hub.broker)
        await hub.broker.admit((await tokens.verify(answer.token))!, answer.token, remoteAddress);
      return answer;
    }),
    {
      method: 'POST',
      path: '/api/v1/leave',
      access: 'gateway',
      handle: async ({ gateway: claims }) => {
        const row = claims && (await findGateway(database, claims.gateway));
        if (!row) throw new Refusal(404, 'no_gateway', 'no such gateway');
        await setState(row, 'left', false);
        return { state: 'left' };
      },
    },

    {
      method: 'GET',
      path: EVENTS,
      access: 'session-start',
      handle: async ({ gateway: claims, remoteAddress = '' }) => http.events(claims!, remoteAddress),
    },
    {
      method: 'POST',
      path: POLLING,
      access: 'session-start',
      handle: async ({ gateway: claims, remoteAddress = '' }) => http.polling(claims!, remoteAddress),
    },
    {
      method: 'POST',
      path: '/api/v1/control/poll',
      access: 'session',
      handle: ({ body }) => http.poll(body),
    },
    {
      method: 'POST',
      path: '/api/v1/control/messages',
      access: 'session',
      mostBytes: 4 * LARGEST_MESSAGE_BYTES,
      handle: async ({ body }) => http.messages(body),
    },

    admin('POST', `${tenant}/claims`, async ({ params, body }) => {
      const claim = await createClaim(database, {
        tenant: params.tenant,
        prefix: body.prefix === undefined ? undefined : text(body, 'prefix', 49),
        uses: body.uses === undefined ? 1 : Number(body.uses),
        expires: Number(body.expires ?? 86_400),
        tags: tagList(body.tags),
      });
      return { ...claim, url: `${publicUrl}/join?tenant_id=${claim.tenant}&token=${claim.token}` };
    }),
    admin('POST', `${tenant}/clients`, async ({ params, body }) => {
      const client = await addClient(
        database,
        params.tenant,
        text(body, 'name', 64),
        text(body, 'public_key', 44),
      );
      await hub.changed(params.tenant);
      return client;
    }),
    admin('GET', `${tenant}/gateways`, async ({ params }) => {
      const rows = await listGateways(database, params.tenant);
      return { gateways: rows.map((row) => gatewayView(row, hub)) };
    }),
    admin('GET', gateway, async (request) => gatewayView(await gatewayOf(request), hub)),
    admin('POST', `${gateway}/rotate`, async (request) => {
      await hub.rotations.begin(await gatewayOf(request));
      return { rotating: true };
    }),
    admin('POST', `${gateway}/configuration`, async (request) => ({
      revision: await hub.settings.propose(await gatewayOf(request), record(request.body, 'settings')),
    })),
    admin('POST', `${gateway}/address`, async (request) => {
      const asked = request.body.address === undefined ? undefined : text(request.body, 'address', 15);
      return { address: await hub.addresses.move(await gatewayOf(request), asked) };
    }),
    admin('POST', `${gateway}/shutdown`, async (request) => {
      await hub.holds.shutdown(await gatewayOf(request), text(request.body, 'reason', 96));
      return { shutdown: true };
    }),
    admin('POST', `${gateway}/resume`, async (request) => {
      await hub.holds.shutdown(await gatewayOf(request), null);
      return { shutdown: false };
    }),
    admin('POST', `${gateway}/quarantine`, async (request) => {
      const row = await gatewayOf(request);
      await hub.holds.quarantine(row.tenant, row.id, 'admin', text(request.body, 'reason', 96));
      return { state: 'quarantined' };
    }),
    admin('POST', `${gateway}/release`, async (request) => {
      const row = await gatewayOf(request);
      if (row.state !== 'quarantined') throw new Refusal(409, 'not_quarantined', `it is ${row.state}`);
      await setState(row, 'active', true);
      await hub.holds.shutdown(row, null);
      return { state: 'active' };
    }),
    admin('POST', `${gateway}/revoke`, async (request) => {
      await setState(await gatewayOf(request), 'revoked', true);
      return { state: 'revoked' };
    }),
    // The device may enrol again, with a new claim.
    admin('POST', `${gateway}/forget`, async (request) => {
      await setState(await gatewayOf(request), 'left', false);
      return { state: 'left' };
    }),
  ];
}

function gatewayView(row: GatewayRow, hub: Hub): Record<string, unknown> {
  const [session] = hub.sessionsOf(row.id);
  return {
    id: row.id,
    tenant: row.tenant,
    name: row.name,
    state: row.state,
    reason: row.reason,
    address: row.address,
    previous_address: row.previous_address,
    shutdown: row.shutdown,
    public_key: row.public_key,
    next_public_key: row.next_public_key,
    key_since: row.key_since,
    rotation: row.rotation?.phase ?? null,
    endpoint: row.endpoint,
    online: session !== undefined && session.lastHeartbeat > 0,
    link: session?.transport.kind ?? null,
    last_seen: session?.lastHeartbeat ? new Date(session.lastHeartbeat) : row.last_seen,
    version: session?.acknowledgedVersion ?? null,
    settings: row.settings,
    facts: session?.facts ?? null,
  };
}
