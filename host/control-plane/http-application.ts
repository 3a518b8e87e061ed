/** The HTTP side: every route of the table with its access, its limits and its errors. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Log } from '../../src/ports.js';
import type { Door } from './door.js';
import type { ControlOptions } from './options.js';
import { RateLimit } from './rate-limit.js';
import { Refusal } from './refusal.js';
import type { ControlRoute, Request } from './routes.js';
import type { Tokens } from './tokens.js';

/** Bodies are claims and proofs: small. */
const MOST_BODY_BYTES = 16_384;

/** How many addresses the tunnel counts for. */
const IN_TUNNEL_SHARE = 25;

export interface ApplicationParts {
  readonly routes: readonly ControlRoute[];
  readonly adminToken: string;
  readonly tokens: Tokens;
  readonly door: Door;
  readonly options: ControlOptions;
  readonly log: Log;
  /** Requests come out of the tunnel: only what gateways need, and nobody is seen where it is. */
  readonly inTunnel: boolean;
}

type App = Hono<{ Bindings: HttpBindings }>;

export function application(parts: ApplicationParts): App {
  const app: App = new Hono();
  // Out of the tunnel everybody has one address, and WireGuard has let in nobody but gateways.
  const share = parts.inTunnel ? IN_TUNNEL_SHARE : 1;
  const { requestsPerSecond, requestBurst } = parts.options;
  const pace = new RateLimit(share * requestsPerSecond, share * requestBurst);
  const gate = new Gate(parts);
  for (const route of parts.routes) {
    if (parts.inTunnel && route.access === 'admin') continue;
    const most = bodyLimit({
      maxSize: route.mostBytes ?? MOST_BODY_BYTES,
      onError: (context) => answer(context, 413, 'too_large', 'too large'),
    });
    app.on(route.method, route.path, most, async (context) => {
      const remoteAddress = parts.inTunnel ? '' : (context.env.incoming.socket.remoteAddress ?? '');
      if (route.access === 'open' && route.method === 'POST' && !pace.take(remoteAddress, Date.now())) {
        context.header('Retry-After', '5');
        return answer(context, 429, 'rate_limit_exceeded', 'too many requests from this address');
      }
      const pass = await gate.pass(route, context);
      if (pass instanceof Response) return pass;
      const body = route.method === 'POST' ? await readBody(context) : {};
      const result = await route.handle({ params: context.req.param(), body, remoteAddress, ...pass });
      if (!(result instanceof ReadableStream)) return context.json(result as object);
      return new Response(result, {
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        },
      });
    });
  }
  app.notFound((context) => answer(context, 404, 'not_found', 'there is nothing here'));
  app.onError((error, context) => {
    if (error instanceof Refusal) return answer(context, error.status, error.code, error.message);
    parts.log.write('error', 'request-failed', { path: context.req.path, reason: error.message });
    return answer(context, 500, 'internal', 'something went wrong here');
  });
  return app;
}

/** Whose request it is, by the route's access. */
class Gate {
  readonly #parts: ApplicationParts;
  readonly #isAdmin: (header: string | undefined) => boolean;

  constructor(parts: ApplicationParts) {
    this.#parts = parts;
    this.#isAdmin = adminCheck(parts.adminToken);
  }

  async pass({ access }: ControlRoute, context: Context): Promise<Response | Pick<Request, 'gateway'>> {
    const header = context.req.header('authorization');
    const bearer = /^Bearer ([\w.-]+)$/.exec(header ?? '')?.[1] ?? '';
    switch (access) {
      case 'admin':
        if (this.#isAdmin(header)) return {};
        return answer(context, 401, 'unauthorized', 'the administrator’s token is missing or wrong');
      case 'gateway': {
        const gateway = await this.#parts.tokens.verify(bearer);
        return gateway ? { gateway } : unauthorized(context);
      }
      case 'session-start': {
        const admission = await this.#parts.door.admit(bearer);
        if (admission.admitted) return { gateway: admission.claims };
        const { status, retryAfter } = admission;
        if (status === 401) return unauthorized(context);
        if (status === 403) return answer(context, 403, 'gateway_withdrawn', 'this gateway was withdrawn');
        context.header('Retry-After', String(retryAfter));
        return answer(context, 503, 'busy', 'too many at once; come back');
      }
      default:
        return {};
    }
  }
}

function unauthorized(context: Context): Response {
  return answer(context, 401, 'unauthorized', 'the gateway’s token is missing or wrong');
}

function answer(context: Context, status: number, code: string, message: string): Response {
  return context.json({ error: code, code, message }, status as 400);
}

async function readBody(context: Context): Promise<Record<string, unknown>> {
  const text = await context.req.text();
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {}
  throw new Refusal(400, 'bad_request', 'the body is not a JSON object');
}

/** In the same time whatever was given. */
function adminCheck(adminToken: string): (header: string | undefined) => boolean {
  const salt = randomBytes(16);
  const digest = (value: string): Buffer => createHash('sha256').update(salt).update(value).digest();
  const expected = digest(`Bearer ${adminToken}`);
  return (header) => timingSafeEqual(digest(header ?? ''), expected);
}
