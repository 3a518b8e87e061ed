/**
 * Enrolment: a claim (an invite's token, with the control plane's address) is redeemed for an identity. The request
 * is stored with its random name before it is sent, and the server answers the same name with the same answer; so
 * a claim is used once, however often the power fails between.
 */

import { bytesToHex, keyToBase64 } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import type { HttpAnswer, HttpClient, Log } from '../ports.js';
import type { DeviceKeys } from './keys.js';
import type { SealedStore } from './sealed-store.js';

const PENDING = 'enrolment.pending';
const ENROLLED = 'enrolment';

export interface Claim {
  /** `https://host[:port]` of the control plane. */
  readonly control: string;
  readonly token: string;
}

/** What the device is, for the operator's list. */
export interface DeviceInfo {
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly version: string;
}

export interface ControlEndpoint {
  readonly kind: 'websocket' | 'mqtt' | 'event-stream' | 'polling';
  readonly url: string;
}

export interface Enrolment {
  readonly gateway: string;
  readonly tenant: string;
  readonly control: string;
  readonly endpoints: readonly ControlEndpoint[];
  readonly address: readonly string[];
  readonly tenantCidr: readonly string[];
  /** The control plane as a peer of the tunnel, as the server wrote it: `ControlPeer` judges it. */
  readonly tunnel?: unknown;
}

export type EnrolmentResult =
  | { readonly ok: true; readonly enrolment: Enrolment; readonly time: number | undefined }
  | { readonly ok: false; readonly reason: string; readonly final: boolean; readonly retryAfter: number };

interface Pending {
  readonly request: string;
  readonly claim: Claim;
}

/**
 * A claim from what an operator pastes: an invite URL (`https://host/join?token=...`), or a bare token with the
 * control plane's address. Undefined when it is neither.
 */
export function parseClaim(text: string, control?: string): Claim | undefined {
  const trimmed = text.trim();
  const url = /^(https?:\/\/[^/?#\s]+)\/[^?#\s]*\?([^#\s]+)$/.exec(trimmed);
  if (url) {
    const token = /(?:^|&)token=([A-Za-z0-9_.~-]+)/.exec(url[2]);
    return token ? { control: url[1], token: token[1] } : undefined;
  }
  const bare = /^[A-Za-z0-9_.~-]{8,512}$/.test(trimmed);
  const origin = control && /^(https?:\/\/[^/?#\s]+)\/?$/.exec(control);
  return bare && origin ? { control: origin[1], token: trimmed } : undefined;
}

export class Enroller {
  readonly #primitives: Primitives;
  readonly #store: SealedStore;
  readonly #keys: DeviceKeys;
  readonly #http: HttpClient;
  readonly #log: Log | undefined;

  constructor(primitives: Primitives, store: SealedStore, keys: DeviceKeys, http: HttpClient, log?: Log) {
    this.#primitives = primitives;
    this.#store = store;
    this.#keys = keys;
    this.#http = http;
    this.#log = log;
  }

  get enrolment(): Enrolment | undefined {
    return this.#store.read(ENROLLED) as Enrolment | undefined;
  }

  /** A claim whose redemption was begun and not finished. */
  get interrupted(): Claim | undefined {
    return (this.#store.read(PENDING) as Pending | undefined)?.claim;
  }

  /** Redeems a claim; calls back once. Throws what the store throws, before anything was sent. */
  redeem(claim: Claim, device: DeviceInfo, done: (result: EnrolmentResult) => void): void {
    const pending = this.#begin(claim);
    const body = JSON.stringify({
      token: claim.token,
      request: pending.request,
      identity_key: keyToBase64(this.#keys.identity.publicKey),
      public_key: this.#keys.tunnelPublic,
      device_info: { ...device },
    });
    this.#http.post(`${claim.control}/api/v1/invites/redeem`, body, undefined, (answer) => {
      done(this.#finish(claim, answer));
    });
  }

  /** Forgets the identity; the keys stay the device's. */
  leave(): void {
    this.#store.delete(ENROLLED);
    this.#store.delete(PENDING);
  }

  #begin(claim: Claim): Pending {
    const known = this.#store.read(PENDING) as Pending | undefined;
    if (known?.claim.token === claim.token && known.claim.control === claim.control) return known;
    const name = new Uint8Array(16);
    this.#primitives.random(name);
    const pending = { request: bytesToHex(name), claim };
    this.#store.write(PENDING, pending);
    return pending;
  }

  #finish(claim: Claim, answer: HttpAnswer): EnrolmentResult {
    if (answer.status === 0 || answer.status >= 500 || answer.status === 429) {
      const reason = answer.error ?? `the control plane answered ${answer.status}`;
      return { ok: false, reason, final: false, retryAfter: answer.retryAfter };
    }
    const body = parse(answer.body);
    if (answer.status !== 200) {
      this.#store.delete(PENDING);
      const said = typeof body?.message === 'string' ? body.message.slice(0, 200) : `status ${answer.status}`;
      return { ok: false, reason: `the claim was refused: ${said}`, final: true, retryAfter: 0 };
    }
    const enrolment = body && readEnrolment(body, claim.control);
    if (!enrolment) {
      return { ok: false, reason: 'the answer to the claim makes no sense', final: false, retryAfter: 0 };
    }
    // The identity is stored before the request is forgotten: a cut between the two repeats a harmless request.
    this.#store.write(ENROLLED, enrolment);
    this.#store.delete(PENDING);
    this.#log?.write('info', 'enrolled', { gateway: enrolment.gateway, tenant: enrolment.tenant });
    return { ok: true, enrolment, time: typeof body.time === 'number' ? body.time : undefined };
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function readEnrolment(body: Record<string, unknown>, control: string): Enrolment | undefined {
  const {
    device_id: gateway,
    tenant_id: tenant,
    endpoints,
    peer_ip: address,
    tenant_cidr: tenantCidr,
    tunnel,
  } = body;
  if (!isName(gateway) || !isName(tenant) || !isTexts(address) || !isTexts(tenantCidr)) return undefined;
  if (!Array.isArray(endpoints) || endpoints.length === 0 || !endpoints.every(isEndpoint)) return undefined;
  return { gateway, tenant, control, endpoints: endpoints.slice(0, 8), address, tenantCidr, tunnel };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64;
}

function isTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= 8 &&
    value.every((entry) => typeof entry === 'string' && entry.length < 64)
  );
}

function isEndpoint(value: unknown): value is ControlEndpoint {
  const { kind, url } = (value ?? {}) as Record<string, unknown>;
  const known = kind === 'websocket' || kind === 'mqtt' || kind === 'event-stream' || kind === 'polling';
  return known && typeof url === 'string' && url.length < 262;
}
