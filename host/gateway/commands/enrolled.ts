/** The commands of a gateway that a control plane configures: `enrol`, `run`, `leave`. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type InterfaceReach, InterfaceReachDraft } from '../../../src/config/reach.js';
import { type Claim, type EnrolmentResult, parseClaim } from '../../../src/identity/enrolment.js';
import { Login } from '../../../src/identity/login.js';
import type { HttpAnswer } from '../../../src/ports.js';
import { NodeClock } from '../clock.js';
import { diagnose, doctorText } from '../control/doctor.js';
import { deviceInfo, GatewayIdentity } from '../control/identity.js';
import { parsePin } from '../control/tls.js';
import { NodePrimitives } from '../crypto.js';
import { EXIT, type ExitCode, GatewayError, messageOf } from '../errors.js';
import { FileStore } from '../file-store.js';
import { defaultStateDirectory } from '../state-directory.js';
import { type GatewayStatus, STATUS_OPERATION } from '../status.js';
import { askGateway } from '../uapi-client.js';
import { requireInterfaceName, uapiDirectory } from '../uapi-path.js';
import { run } from './run.js';
import { type CarryingOptions, carryingRequest } from './up.js';

export const DEFAULT_NAME = 'cb0';

export interface EnrolOptions {
  name: string;
  stateDir?: string;
  control?: string;
  pin: string[];
}

export interface RunEnrolledOptions extends EnrolOptions, CarryingOptions {
  claim?: string;
  listenPort?: number;
  endpoint?: string;
  relay: string[];
  relayPin: string[];
  relayCa?: string;
  proxy?: string;
  proxyCredentials?: string;
}

const STDIN = 0;
/** Characters; an invite URL is far shorter. */
const LONGEST_CLAIM = 4096;
/** How often a control plane that does not answer is asked before the person is told, and the pause in ms. */
const TRIES = 5;
const PAUSE = 2_000;

export async function enrol(text: string | undefined, options: EnrolOptions): Promise<ExitCode> {
  const identity = identityOf(options);
  const { enrolment } = identity;
  if (enrolment) {
    const sentence = `this gateway is enrolled already: ${enrolment.gateway} of tenant ${enrolment.tenant}; "leave" first`;
    throw new GatewayError(EXIT.alreadyRunning, sentence);
  }
  await redeem(identity, claimOf(identity, text === '-' ? readClaim(text) : text, options.control), options);
  process.stdout.write(`start it with: cloudbridge-gateway run${nameOption(options.name)}\n`);
  return EXIT.ok;
}

/** With a claim, a device that was never enrolled enrols first; one that was takes no notice of it. */
export async function runEnrolled(options: RunEnrolledOptions): Promise<number> {
  const request = carryingRequest(options);
  if (options.claim !== undefined) {
    const identity = identityOf(options);
    const { enrolment, enroller } = identity;
    if (!enrolment) {
      const interrupted = enroller.interrupted;
      const claim = interrupted ?? claimOf(identity, readClaim(options.claim), options.control);
      await redeem(identity, claim, options);
    }
  }
  return run({
    ...request,
    interfaceName: requireInterfaceName(options.name),
    configuration: undefined,
    enrolled: { listenPort: options.listenPort ?? 0, endpoint: options.endpoint, reach: reachOf(options) },
    failAfter: undefined,
  });
}

/** The same settings as behind `#@` in a configuration, read and refused alike. */
function reachOf(options: RunEnrolledOptions): InterfaceReach | undefined {
  const draft = new InterfaceReachDraft();
  const path = (file: string | undefined) => (file === undefined ? [] : [resolve(file)]);
  const given: [key: string, option: string, values: readonly string[]][] = [
    ['Relay', '--relay', options.relay],
    ['RelayPin', '--relay-pin', options.relayPin],
    ['RelayCa', '--relay-ca', path(options.relayCa)],
    ['Proxy', '--proxy', options.proxy === undefined ? [] : [options.proxy]],
    ['ProxyCredentials', '--proxy-credentials', path(options.proxyCredentials)],
  ];
  for (const [key, option, values] of given) {
    for (const text of values) {
      draft.read(key, { text, line: 0, column: 0 }, (_, __, { message, remedy }) => {
        throw new GatewayError(EXIT.usage, `${option}: ${message}; ${remedy}`);
      });
    }
  }
  return draft.finish();
}

/** What a control plane has said, of which the next one knows nothing. */
const RECORDS = ['network', 'rotation', 'configuration', 'hold', 'control-peer'];

/** Gives the identity back, at the control plane if it answers, and on this device in any case. */
export async function leave(options: { name: string; stateDir?: string }): Promise<ExitCode> {
  const identity = identityOf(options);
  const { enrolment } = identity;
  if (!enrolment) throw new GatewayError(EXIT.notRunning, 'this gateway is not enrolled');
  const said = await tellLeaving(identity);
  identity.enroller.leave();
  for (const record of RECORDS) identity.store.delete(record);
  process.stdout.write(`left: ${enrolment.gateway} of tenant ${enrolment.tenant}\n`);
  if (said !== undefined) {
    process.stdout.write(
      `the control plane does not know yet (${said}); an operator can forget the gateway there\n`,
    );
  }
  return EXIT.ok;
}

/** Looks at everything between here and the control plane and peers. Code 1 when something is bad. */
export async function doctor(options: {
  name: string;
  stateDir?: string;
  json?: boolean;
}): Promise<ExitCode> {
  const ask = (operation: string) =>
    askGateway(uapiDirectory(), options.name, operation).catch(() => undefined);
  const answer = await ask(STATUS_OPERATION);
  const ping = async (address: string): Promise<number | undefined> => {
    const time = /^round_trip_ms=([0-9.]+)$/m.exec((await ask(`ping=${address}`)) ?? '');
    return time === null ? undefined : Number(time[1]);
  };
  const running = answer === undefined ? undefined : { status: JSON.parse(answer) as GatewayStatus, ping };
  const findings = await diagnose(identityOf(options), running);
  process.stdout.write(`${options.json ? JSON.stringify(findings, undefined, 2) : doctorText(findings)}\n`);
  return findings.some(({ verdict }) => verdict === 'bad') ? EXIT.failure : EXIT.ok;
}

/** Undefined, or why the control plane was not told. */
async function tellLeaving(identity: GatewayIdentity): Promise<string | undefined> {
  const enrolment = identity.enrolment!;
  const { http, keys } = identity;
  const login = new Login(new NodePrimitives(), new NodeClock(), http, enrolment, keys.identity);
  const error = await new Promise<string | undefined>((done) => login.renew(done));
  if (error !== undefined) return error;
  const answer = await new Promise<HttpAnswer>((done) => {
    http.post(`${enrolment.control}/api/v1/leave`, '{}', login.token(), done);
  });
  return answer.status === 200 ? undefined : (answer.error ?? `it answered ${answer.status}`);
}

function claimOf(identity: GatewayIdentity, text: string | undefined, control: string | undefined): Claim {
  const claim = text === undefined ? identity.enroller.interrupted : parseClaim(text, control);
  if (claim) return claim;
  const sentence = 'that is no claim; paste the whole URL, or the token with --control https://host';
  throw new GatewayError(EXIT.usage, sentence);
}

/** A claim is a secret: from a file or a pipe no other user sees it. */
function readClaim(path: string): string {
  try {
    return readFileSync(path === '-' ? STDIN : path, 'utf8').slice(0, LONGEST_CLAIM);
  } catch (error) {
    throw new GatewayError(EXIT.configuration, `cannot read the claim in ${path}: ${messageOf(error)}`);
  }
}

/** Enrols with a claim; a control plane that does not answer at once is asked again. */
async function redeem(identity: GatewayIdentity, claim: Claim, options: EnrolOptions): Promise<void> {
  identity.pins = options.pin.map((pin) => {
    const read = parsePin(pin);
    if (read === undefined) throw new GatewayError(EXIT.usage, 'a pin is written sha256/ and 44 characters');
    return read;
  });
  const { enroller } = identity;
  for (let attempt = 1; ; attempt++) {
    const result = await new Promise<EnrolmentResult>((done) => {
      enroller.redeem(claim, deviceInfo(), done);
    });
    if (result.ok) {
      const { gateway, tenant, address } = result.enrolment;
      process.stdout.write(`enrolled: ${gateway} of tenant ${tenant}, ${address.join(', ')}\n`);
      return;
    }
    if (result.final || attempt === TRIES) throw new GatewayError(EXIT.endpoint, result.reason);
    await new Promise((done) => setTimeout(done, Math.max(PAUSE, result.retryAfter)));
  }
}

function identityOf(options: { name: string; stateDir?: string }): GatewayIdentity {
  const directory = resolve(options.stateDir ?? defaultStateDirectory());
  return new GatewayIdentity(
    new NodePrimitives(),
    new FileStore(join(directory, requireInterfaceName(options.name))),
  );
}

function nameOption(name: string): string {
  return name === DEFAULT_NAME ? '' : ` --name ${name}`;
}
