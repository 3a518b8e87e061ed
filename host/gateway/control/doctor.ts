/** What stands between this gateway and its control plane and peers: each finding with a verdict and a remedy. */

import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Enrolment } from '../../../src/identity/enrolment.js';
import { Login } from '../../../src/identity/login.js';
import { parseAddress, parsePrefix, prefixContains } from '../../../src/packet/address.js';
import type { HttpAnswer, HttpClient } from '../../../src/ports.js';
import { NodeClock } from '../clock.js';
import { NodePrimitives } from '../crypto.js';
import { messageOf } from '../errors.js';
import { measureMtu } from '../platform/mtu.js';
import { probePathMtu } from '../platform/path-mtu.js';
import type { GatewayStatus } from '../status.js';
import type { GatewayIdentity } from './identity.js';

export interface Finding {
  readonly check: 'enrolment' | 'dns' | 'routes' | 'control' | 'time' | 'login' | 'udp' | 'mtu';
  readonly verdict: 'good' | 'bad' | 'unknown';
  readonly finding: string;
  readonly remedy?: string;
}

/** Certificates and tokens tolerate no more, ms. */
const MOST_SKEW = 60_000;

/** Endpoints to which the way is measured: a probe takes seconds where packets vanish. */
const MOST_PROBED = 3;
/** Peers that are pinged through the tunnel. */
const MOST_PINGED = 8;
/** What WireGuard and UDP add to a packet, and the IP header outside. Bytes. */
const OVERHEAD = 32 + 8;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

/** Of the gateway while it runs. */
export interface Running {
  readonly status: GatewayStatus;
  /** Milliseconds until an address answered an echo through the tunnel; undefined without an answer. */
  readonly ping: (address: string) => Promise<number | undefined>;
}

/** `running` is undefined when the gateway does not run. */
export async function diagnose(identity: GatewayIdentity, running: Running | undefined): Promise<Finding[]> {
  const { enrolment } = identity;
  if (!enrolment) {
    const remedy = 'run "cloudbridge-gateway enrol <claim>"';
    return [{ check: 'enrolment', verdict: 'bad', finding: 'this gateway is not enrolled', remedy }];
  }
  const { gateway, tenant } = enrolment;
  return [
    { check: 'enrolment', verdict: 'good', finding: `${gateway} of tenant ${tenant}` },
    ...(await names(enrolment)),
    ...(await control(identity, enrolment)),
    await udp(running),
    await mtu(running?.status),
  ];
}

/** The control plane's name, and whether its address is where packets to it would go. */
async function names({ control: url, tenantCidr }: Enrolment): Promise<Finding[]> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  let addresses: string[];
  try {
    addresses = (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    const remedy = 'check the name servers of this host (/etc/resolv.conf) and the name itself';
    const finding = `${host} has no address: ${messageOf(error)}`;
    return [{ check: 'dns', verdict: 'bad', finding, remedy }];
  }
  const found: Finding = { check: 'dns', verdict: 'good', finding: `${host} is ${addresses.join(', ')}` };
  const prefixes = tenantCidr.flatMap((text) => parsePrefix(text) ?? []);
  const swallowed = addresses.find((text) => {
    const address = parseAddress(text);
    return address !== undefined && prefixes.some((prefix) => prefixContains(prefix, address));
  });
  if (swallowed === undefined) {
    return [found, { check: 'routes', verdict: 'good', finding: 'the way to it is not the tunnel’s own' }];
  }
  const finding = `${swallowed} lies in ${tenantCidr.join(', ')}: packets to it go into the tunnel`;
  const remedy = 'give the tenant another address block, or the control plane another address';
  return [found, { check: 'routes', verdict: 'bad', finding, remedy }];
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

/** Whether datagrams get to peers and back, by their sessions and by an echo through the tunnel. */
async function udp(running: Running | undefined): Promise<Finding> {
  if (!running) {
    const remedy = 'start it with "run" and ask again';
    return { check: 'udp', verdict: 'unknown', finding: 'the gateway is not running', remedy };
  }
  const { status, ping } = running;
  const { peers } = status;
  if (peers.length === 0) return { check: 'udp', verdict: 'unknown', finding: 'there are no peers yet' };
  const reached = peers.filter(({ state }) => state === 'established').length;
  const echoes = peers.slice(0, MOST_PINGED).map(async ({ allowedIps }) => {
    const address = /^([^/]+)\/(?:32|128)$/.exec(allowedIps[0] ?? '')?.[1];
    const time = address && (await ping(address));
    return address && `${address} ${time ? `answers in ${time.toFixed(1)} ms` : 'answers no ping'}`;
  });
  const told = (await Promise.all(echoes)).filter(Boolean).join(', ');
  const finding = `${reached} of ${peers.length} peers reached${told === '' ? '' : `; ${told}`}`;
  if (reached > 0) return { check: 'udp', verdict: 'good', finding };
  const remedy = `let UDP port ${status.listenPort} in and UDP out pass the firewall, or forward it and name --endpoint`;
  return { check: 'udp', verdict: 'bad', finding: `${finding}: ${peers[0].explanation}`, remedy };
}

/** Whether a full packet of the tunnel's fits the whole way to the peers, by packets that nobody may cut. */
async function mtu(status: GatewayStatus | undefined): Promise<Finding> {
  const addresses = (status?.peers ?? []).flatMap(({ endpoint }) => {
    const address = endpoint?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    return address === undefined ? [] : [address];
  });
  const fits = await measureMtu(addresses);
  if (!status)
    return { check: 'mtu', verdict: 'unknown', finding: `the routes take tunnel packets of ${fits} bytes` };
  const known: string[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const address of [...new Set(addresses)].slice(0, MOST_PROBED)) {
    const around = OVERHEAD + (isIPv6(address) ? IPV6_HEADER : IPV4_HEADER);
    const whole = await probePathMtu(address, status.mtu + around);
    if (whole === undefined) continue;
    known.push(`${address} gets packets of ${whole - around} bytes`);
    least = Math.min(least, whole - around);
  }
  const finding = `tunnel ${status.mtu} bytes, the routes take ${fits}`;
  if (status.mtu > Math.min(fits, least)) {
    const remedy = `set an MTU of ${Math.min(fits, least)} or less`;
    return { check: 'mtu', verdict: 'bad', finding: [finding, ...known].join('; '), remedy };
  }
  if (known.length > 0) {
    return { check: 'mtu', verdict: 'good', finding: `${finding}; whole to ${known.join(', ')}` };
  }
  if (status.peers.length === 0) {
    return { check: 'mtu', verdict: 'unknown', finding: `${finding}; there are no peers yet` };
  }
  const why = 'no peer’s host answers a ping, so the way there was not measured';
  const remedy = 'let ICMP echo pass, and install ping (Debian: apt install iputils-ping)';
  return { check: 'mtu', verdict: 'unknown', finding: `${finding}; ${why}`, remedy };
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
