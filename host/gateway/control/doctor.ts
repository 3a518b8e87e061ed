/** What stands between this gateway and its control plane and peers: each finding with a verdict and a remedy. */

import { lookup } from 'node:dns/promises';
import type { Enrolment } from '../../../src/identity/enrolment.js';
import { Login } from '../../../src/identity/login.js';
import type { HttpAnswer, HttpClient } from '../../../src/ports.js';
import { NodeClock } from '../clock.js';
import { NodePrimitives } from '../crypto.js';
import { messageOf } from '../errors.js';
import { measureMtu } from '../platform/mtu.js';
import type { GatewayStatus } from '../status.js';
import type { GatewayIdentity } from './identity.js';

export interface Finding {
  readonly check: 'enrolment' | 'dns' | 'control' | 'time' | 'login' | 'udp' | 'mtu';
  readonly verdict: 'good' | 'bad' | 'unknown';
  readonly finding: string;
  readonly remedy?: string;
}

/** Certificates and tokens tolerate no more, ms. */
const MOST_SKEW = 60_000;

/** `status` is the running gateway's, when it runs. */
export async function diagnose(
  identity: GatewayIdentity,
  status: GatewayStatus | undefined,
): Promise<Finding[]> {
  const { enrolment } = identity;
  if (!enrolment) {
    const remedy = 'run "cloudbridge-gateway enrol <claim>"';
    return [{ check: 'enrolment', verdict: 'bad', finding: 'this gateway is not enrolled', remedy }];
  }
  const { gateway, tenant } = enrolment;
  return [
    { check: 'enrolment', verdict: 'good', finding: `${gateway} of tenant ${tenant}` },
    await dns(enrolment),
    ...(await control(identity, enrolment)),
    udp(status),
    await mtu(status),
  ];
}

async function dns({ control: url }: Enrolment): Promise<Finding> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  try {
    const addresses = await lookup(host, { all: true });
    const finding = `${host} is ${addresses.map(({ address }) => address).join(', ')}`;
    return { check: 'dns', verdict: 'good', finding };
  } catch (error) {
    const remedy = 'check the name servers of this host (/etc/resolv.conf) and the name itself';
    return { check: 'dns', verdict: 'bad', finding: `${host} has no address: ${messageOf(error)}`, remedy };
  }
}

/** The control plane's answer, the clocks' difference, and whether it knows us. */
async function control(identity: GatewayIdentity, enrolment: Enrolment): Promise<Finding[]> {
  const { http, keys } = identity;
  const url = `${enrolment.control}/api/v1/login/challenge`;
  const answer = await post(http, url, JSON.stringify({ gateway: enrolment.gateway }));
  if (answer.status !== 200) {
    const finding = `${enrolment.control} does not answer: ${answer.error ?? `status ${answer.status}`}`;
    return [{ check: 'control', verdict: 'bad', finding, remedy: controlRemedy(answer.error ?? '') }];
  }
  const login = new Login(new NodePrimitives(), new NodeClock(), http, enrolment, keys.identity);
  const error = await new Promise<string | undefined>((done) => login.renew(done));
  return [
    { check: 'control', verdict: 'good', finding: `${enrolment.control} answers` },
    time(answer.body),
    error === undefined
      ? { check: 'login', verdict: 'good', finding: 'the control plane knows this gateway’s key' }
      : {
          check: 'login',
          verdict: 'bad',
          finding: `the login was refused: ${error}`,
          remedy: 'ask the operator whether the gateway was revoked; if so, "leave" and "enrol" again',
        },
  ];
}

function controlRemedy(error: string): string {
  if (/certificate|altname|self.signed|CERT/i.test(error)) {
    return 'check this host’s clock and trusted certificates (NODE_EXTRA_CA_CERTS for a private one)';
  }
  if (error.includes('pinned')) return 'the server’s key changed: enrol again with its new pin';
  return 'check that the firewall lets TCP to it pass, and that it runs';
}

function time(body: string): Finding {
  const server = (JSON.parse(body) as { time?: unknown }).time;
  if (typeof server !== 'number') {
    return { check: 'time', verdict: 'unknown', finding: 'the control plane does not tell its time' };
  }
  const skew = Math.round((Date.now() - server) / 1000);
  if (Math.abs(skew) * 1000 <= MOST_SKEW) {
    return { check: 'time', verdict: 'good', finding: `within ${Math.abs(skew)} s of the control plane` };
  }
  const finding = `this host’s clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} the control plane’s`;
  return {
    check: 'time',
    verdict: 'bad',
    finding,
    remedy: 'let NTP set the clock (timedatectl set-ntp true)',
  };
}

function udp(status: GatewayStatus | undefined): Finding {
  if (!status) {
    const remedy = 'start it with "run" and ask again';
    return { check: 'udp', verdict: 'unknown', finding: 'the gateway is not running', remedy };
  }
  const { peers } = status;
  const reached = peers.filter(({ state }) => state === 'established').length;
  const finding = `${reached} of ${peers.length} peers reached`;
  if (peers.length === 0) return { check: 'udp', verdict: 'unknown', finding: 'there are no peers yet' };
  if (reached > 0) return { check: 'udp', verdict: 'good', finding };
  const remedy = `let UDP port ${status.listenPort} in and UDP out pass the firewall, or forward it and name --endpoint`;
  return { check: 'udp', verdict: 'bad', finding: `${finding}: ${peers[0].explanation}`, remedy };
}

async function mtu(status: GatewayStatus | undefined): Promise<Finding> {
  const addresses = (status?.peers ?? []).flatMap(({ endpoint }) => {
    const address = endpoint?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    return address === undefined ? [] : [address];
  });
  const fits = await measureMtu(addresses);
  if (!status)
    return { check: 'mtu', verdict: 'unknown', finding: `the routes take tunnel packets of ${fits} bytes` };
  const finding = `tunnel ${status.mtu} bytes, the routes take ${fits}`;
  if (status.mtu <= fits) return { check: 'mtu', verdict: 'good', finding };
  return { check: 'mtu', verdict: 'bad', finding, remedy: `set an MTU of ${fits} or less` };
}

function post(http: HttpClient, url: string, body: string): Promise<HttpAnswer> {
  return new Promise((done) => http.post(url, body, undefined, done));
}

/** For people. */
export function doctorText(findings: readonly Finding[]): string {
  const marks = { good: 'ok ', bad: 'BAD', unknown: ' ? ' } as const;
  return findings
    .map(({ check, verdict, finding, remedy }) => {
      const line = `${marks[verdict]}  ${check.padEnd(9)}  ${finding}`;
      return remedy === undefined ? line : `${line}\n${' '.repeat(16)}→ ${remedy}`;
    })
    .join('\n');
}
