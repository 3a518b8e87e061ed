/** What stands between this gateway and its control plane and peers: each finding with a verdict and a remedy. */

import { parseWebAddress } from '../../../src/control/stream/web-address.js';
import type { GatewayStatus } from '../../../src/gateway/status.js';
import type { GatewayIdentity } from '../../../src/identity/gateway-identity.js';
import { Login } from '../../../src/identity/login.js';
import { parseAddress } from '../../../src/packet/address.js';
import type { HttpAnswer } from '../../../src/ports.js';
import { SystemResolver } from '../drivers/resolver.js';
import type { Services } from './services.js';

export interface Finding {
  readonly check: 'enrolment' | 'dns' | 'control' | 'time' | 'login' | 'udp';
  readonly verdict: 'good' | 'bad' | 'unknown';
  readonly finding: string;
  readonly remedy?: string;
}

/** Certificates and tokens tolerate no more, ms. */
const MOST_SKEW = 60_000;
const MARKS = Object.freeze({ good: 'ok ', bad: 'BAD', unknown: ' ? ' });

export class Doctor {
  readonly #identity: GatewayIdentity;
  readonly #services: Services;
  readonly #findings: Finding[] = [];

  constructor(identity: GatewayIdentity, services: Services) {
    this.#identity = identity;
    this.#services = services;
  }

  /** `status` is the running gateway's, when it runs. Calls back once. */
  diagnose(status: GatewayStatus | undefined, done: (findings: readonly Finding[]) => void): void {
    const { enrolment } = this.#identity;
    if (!enrolment) {
      this.#bad('enrolment', 'this gateway is not enrolled', 'run "cloudbridge-gateway enrol <claim>"');
      done(this.#findings);
      return;
    }
    this.#good('enrolment', `${enrolment.gateway} of tenant ${enrolment.tenant}`);
    this.#names(enrolment.control, () =>
      this.#control(() => {
        this.#udp(status);
        done(this.#findings);
      }),
    );
  }

  #names(control: string, next: () => void): void {
    const host = parseWebAddress(control)?.host ?? control;
    if (parseAddress(host)) {
      this.#good('dns', `${host} is an address`);
      next();
      return;
    }
    new SystemResolver(this.#services.edge).resolve(host, (addresses, error) => {
      if (addresses.length > 0) this.#good('dns', `${host} is ${addresses.join(', ')}`);
      else {
        const remedy = 'check the name servers of this host (/etc/resolv.conf) and the name itself';
        this.#bad('dns', `${host} has no address: ${error ?? 'none was found'}`, remedy);
      }
      next();
    });
  }

  /** The control plane's answer, the clocks' difference, and whether it knows us. */
  #control(next: () => void): void {
    const { http, enrolment, keys } = this.#identity;
    const { control, gateway } = enrolment!;
    http.post(`${control}/api/v1/login/challenge`, JSON.stringify({ gateway }), undefined, (answer) => {
      if (answer.status !== 200) {
        const reason = answer.error ?? `status ${answer.status}`;
        this.#bad('control', `${control} does not answer: ${reason}`, controlRemedy(reason));
        next();
        return;
      }
      this.#good('control', `${control} answers`);
      this.#time(answer);
      const { primitives, clock } = this.#services;
      new Login(primitives, clock, http, enrolment!, keys.identity).renew((error) => {
        if (error === undefined) this.#good('login', 'the control plane knows this gateway’s key');
        else {
          const remedy = 'ask the operator whether the gateway was revoked; if so, "leave" and "enrol" again';
          this.#bad('login', `the login was refused: ${error}`, remedy);
        }
        next();
      });
    });
  }

  #time({ body }: HttpAnswer): void {
    const server = (JSON.parse(body) as { time?: unknown }).time;
    if (typeof server !== 'number') {
      this.#unknown('time', 'the control plane does not tell its time');
      return;
    }
    const skew = Math.round((this.#services.clock.wall() - server) / 1000);
    const seconds = Math.abs(skew);
    if (seconds * 1000 <= MOST_SKEW) {
      this.#good('time', `within ${seconds} s of the control plane`);
      return;
    }
    const finding = `this host’s clock is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} the control plane’s`;
    this.#bad('time', finding, 'let NTP set the clock (timedatectl set-ntp true)');
  }

  #udp(status: GatewayStatus | undefined): void {
    if (!status) {
      this.#unknown('udp', 'the gateway is not running', 'start it with "run" and ask again');
      return;
    }
    const { peers, listenPort } = status;
    const reached = peers.filter(({ state }) => state === 'established').length;
    const finding = `${reached} of ${peers.length} peers reached`;
    if (peers.length === 0) this.#unknown('udp', 'there are no peers yet');
    else if (reached > 0) this.#good('udp', finding);
    else {
      const remedy = `let UDP port ${listenPort} in and UDP out pass the firewall, or forward it and name --endpoint`;
      this.#bad('udp', `${finding}: ${peers[0].explanation}`, remedy);
    }
  }

  #good(check: Finding['check'], finding: string): void {
    this.#findings.push({ check, verdict: 'good', finding });
  }

  #bad(check: Finding['check'], finding: string, remedy: string): void {
    this.#findings.push({ check, verdict: 'bad', finding, remedy });
  }

  #unknown(check: Finding['check'], finding: string, remedy?: string): void {
    this.#findings.push({ check, verdict: 'unknown', finding, ...(remedy === undefined ? {} : { remedy }) });
  }
}

function controlRemedy(error: string): string {
  if (error.includes('pinned')) return 'the server’s key changed: enrol again with its new pin';
  if (error.includes('certificate')) {
    return 'check this host’s clock and trusted certificates (SSL_CERT_FILE for a private one)';
  }
  return 'check that the firewall lets TCP to it pass, and that it runs';
}

/** For people. */
export function doctorText(findings: readonly Finding[]): string {
  return findings
    .map(({ check, verdict, finding, remedy }) => {
      const line = `${MARKS[verdict]}  ${check.padEnd(9)}  ${finding}`;
      return remedy === undefined ? line : `${line}\n${' '.repeat(16)}→ ${remedy}`;
    })
    .join('\n');
}
