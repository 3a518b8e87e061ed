/** A relay on loopback with a certificate, a key that signs tokens, and the real transports of the gateway. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { NodeStreamConnector } from '../../host/gateway/transport/stream-connector.js';
import type { RelayOptions } from '../../host/relay/options.js';
import { RelayServer } from '../../host/relay/server.js';
import { parseTargetRule } from '../../host/relay/targets.js';
import { TokenGate } from '../../host/relay/token-gate.js';
import { parseWebAddress } from '../../src/control/stream/web-address.js';
import type { Log, LogFields } from '../../src/ports.js';
import { MasqueTransport } from '../../src/transport/masque-transport.js';
import { type HttpProxy, meetingTarget, type RelayAccess } from '../../src/transport/relay-access.js';
import type { Transport } from '../../src/transport/transport.js';
import { WebSocketTransport } from '../../src/transport/websocket-transport.js';
import { until } from '../lab/wait.js';

const ISSUER = 'https://control.test';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export function makeCertificate(names: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'cb-relay-'));
  try {
    const made = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-nodes',
          '-days',
          '2',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
        ],
        ...['-subj', '/CN=relay', '-addext', `subjectAltName=${names}`, ...made],
      ],
      { stdio: 'ignore' },
    );
    return {
      cert: readFileSync(join(folder, 'cert.pem'), 'utf8'),
      key: readFileSync(join(folder, 'key.pem'), 'utf8'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A key of a control plane, with the tokens that it signs. */
export class Issuer {
  readonly #privateKey: CryptoKey;
  readonly jwks: { keys: object[] };
  readonly name = ISSUER;

  private constructor(privateKey: CryptoKey, jwks: { keys: object[] }) {
    this.#privateKey = privateKey;
    this.jwks = jwks;
  }

  static async make(): Promise<Issuer> {
    const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'EdDSA', use: 'sig' };
    return new Issuer(privateKey, { keys: [jwk] });
  }

  sign(gateway: string, tenant: string, seconds = 3600, audience = 'cloudbridge-gateway'): Promise<string> {
    return new SignJWT({ tenant_id: tenant })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
      .setSubject(gateway)
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
      .sign(this.#privateKey);
  }
}

export class RelayWorld {
  readonly relay: RelayServer;
  readonly issuer: Issuer;
  readonly certificate: Certificate;
  readonly events: { event: string; fields: LogFields | undefined }[];

  private constructor(
    relay: RelayServer,
    issuer: Issuer,
    certificate: Certificate,
    events: { event: string; fields: LogFields | undefined }[],
  ) {
    this.relay = relay;
    this.issuer = issuer;
    this.certificate = certificate;
    this.events = events;
  }

  static async start(
    options: Partial<RelayOptions> = {},
    allow: readonly string[] = ['203.0.113.0/24:51820'],
  ): Promise<RelayWorld> {
    const issuer = await Issuer.make();
    const certificate = makeCertificate('DNS:localhost');
    const events: { event: string; fields: LogFields | undefined }[] = [];
    const log: Log = { write: (_, event, fields) => void events.push({ event, fields }) };
    const relay = await RelayServer.start({
      host: '127.0.0.1',
      port: 0,
      tls: certificate,
      gate: new TokenGate(createLocalJWKSet(issuer.jwks), ISSUER),
      allow: allow.map((text) => parseTargetRule(text)!),
      options: { requestsPerSecond: 1000, requestBurst: 1000, ...options },
      metrics: { host: '127.0.0.1', port: 0 },
      log,
    });
    return new RelayWorld(relay, issuer, certificate, events);
  }

  access(token: string | undefined, proxy?: HttpProxy, ca = this.certificate.cert): RelayAccess {
    return {
      relay: parseWebAddress(`https://localhost:${this.relay.port}`)!,
      connector: new NodeStreamConnector({ ca, minVersion: 'TLSv1.3' }),
      proxy,
      token: () => token,
      primitives: new NodePrimitives(),
    };
  }

  async client(
    kind: 'masque' | 'websocket',
    gateway: string,
    other: string,
    tenant = 'acme',
    proxy?: HttpProxy,
  ): Promise<Client> {
    const access = this.access(await this.issuer.sign(gateway, tenant), proxy);
    const Kind = kind === 'masque' ? MasqueTransport : WebSocketTransport;
    return new Client(new Kind(access, () => meetingTarget(other)));
  }
}

/** A transport with what came through it. */
export class Client {
  readonly transport: Transport;
  readonly received: Buffer[] = [];
  readonly states: string[] = [];

  constructor(transport: Transport) {
    this.transport = transport;
    transport.events = {
      changed: () => this.states.push(transport.reason),
      received: (bytes, offset, length) =>
        this.received.push(Buffer.from(bytes.subarray(offset, offset + length))),
      delivered: () => {},
    };
    transport.open(performance.now());
  }

  send(...datagrams: readonly Uint8Array[]): boolean {
    const all = datagrams.map((datagram) => this.transport.send(datagram, 0, datagram.length));
    this.transport.flush();
    return all.every(Boolean);
  }

  async is(state: string): Promise<void> {
    await until(
      `${this.transport.name} is ${state}: ${this.states.join(', ')} ${this.transport.detail}`,
      5_000,
      () => {
        return this.transport.state === state;
      },
    );
  }

  async has(count: number): Promise<void> {
    await until(
      `${count} datagrams, not ${this.received.length}`,
      5_000,
      () => this.received.length >= count,
      5,
    );
  }
}
