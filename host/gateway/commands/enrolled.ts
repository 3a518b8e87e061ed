/** The commands of a gateway that a control plane configures: `enrol`, `run`, `leave`. */

import { join, resolve } from 'node:path';
import { type Claim, type EnrolmentResult, parseClaim } from '../../../src/identity/enrolment.js';
import { Login } from '../../../src/identity/login.js';
import type { HttpAnswer } from '../../../src/ports.js';
import { NodeClock } from '../clock.js';
import { diagnose, doctorText } from '../control/doctor.js';
import { deviceInfo, GatewayIdentity } from '../control/identity.js';
import { parsePin } from '../control/tls.js';
import { NodePrimitives } from '../crypto.js';
import { EXIT, type ExitCode, GatewayError } from '../errors.js';
import { FileStore } from '../file-store.js';
import type { LogFormat, LogThreshold } from '../log.js';
import { chooseMode } from '../platform/mode.js';
import type { TierChoice } from '../request.js';
import { defaultStateDirectory } from '../state-directory.js';
import { type GatewayStatus, STATUS_OPERATION } from '../status.js';
import { askGateway } from '../uapi-client.js';
import { requireInterfaceName, uapiDirectory } from '../uapi-path.js';
import { run } from './run.js';
import { defaultLogFormat } from './up.js';

export const DEFAULT_NAME = 'cb0';

export interface EnrolOptions {
  name: string;
  stateDir?: string;
  control?: string;
  pin: string[];
}

export interface RunEnrolledOptions {
  name: string;
  stateDir?: string;
  mode?: 'auto' | 'tun' | 'minimal';
  tier?: TierChoice;
  listenPort?: number;
  endpoint?: string;
  listenAddress?: string;
  logFormat?: LogFormat;
  logLevel?: LogThreshold;
}

/** How often a control plane that does not answer is asked before the person is told, and the pause in ms. */
const TRIES = 5;
const PAUSE = 2_000;

export async function enrol(text: string | undefined, options: EnrolOptions): Promise<ExitCode> {
  const identity = identityOf(options);
  const { enrolment, enroller } = identity;
  if (enrolment) {
    const sentence = `this gateway is enrolled already: ${enrolment.gateway} of tenant ${enrolment.tenant}; "leave" first`;
    throw new GatewayError(EXIT.alreadyRunning, sentence);
  }
  const claim = text === undefined ? enroller.interrupted : parseClaim(text, options.control);
  if (!claim) {
    const sentence = 'that is no claim; paste the whole URL, or the token with --control https://host';
    throw new GatewayError(EXIT.usage, sentence);
  }
  const pins = options.pin.map((pin) => {
    const read = parsePin(pin);
    if (read === undefined) throw new GatewayError(EXIT.usage, 'a pin is written sha256/ and 44 characters');
    return read;
  });
  identity.pins = pins;
  const result = await redeem(identity, claim);
  if (!result.ok) throw new GatewayError(EXIT.endpoint, result.reason);
  const { gateway, tenant, address } = result.enrolment;
  process.stdout.write(`enrolled: ${gateway} of tenant ${tenant}, ${address.join(', ')}\n`);
  process.stdout.write(`start it with: cloudbridge-gateway run${nameOption(options.name)}\n`);
  return EXIT.ok;
}

export async function runEnrolled(options: RunEnrolledOptions): Promise<number> {
  const stateDirectory = resolve(options.stateDir ?? defaultStateDirectory());
  const forced = options.mode === 'auto' ? undefined : options.mode;
  const choice = await chooseMode({ forced });
  return run({
    interfaceName: requireInterfaceName(options.name),
    configuration: undefined,
    enrolled: { listenPort: options.listenPort ?? 0, endpoint: options.endpoint },
    uapiDirectory: uapiDirectory(),
    stateDirectory,
    // A namespace of its own would hide the control plane from the gateway.
    mode: choice.mode === 'rootless' ? 'minimal' : choice.mode,
    tier: options.tier ?? 'auto',
    listenAddress: options.listenAddress,
    forwards: [],
    exposes: [],
    limits: {},
    logFormat: options.logFormat ?? defaultLogFormat(),
    logLevel: options.logLevel ?? 'info',
    failAfter: undefined,
  });
}

/** Gives the identity back, at the control plane if it answers, and on this device in any case. */
export async function leave(options: { name: string; stateDir?: string }): Promise<ExitCode> {
  const identity = identityOf(options);
  const { enrolment } = identity;
  if (!enrolment) throw new GatewayError(EXIT.notRunning, 'this gateway is not enrolled');
  const said = await tellLeaving(identity);
  identity.enroller.leave();
  for (const record of ['network', 'rotation', 'configuration', 'hold']) identity.store.delete(record);
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
  const answer = await askGateway(uapiDirectory(), options.name, STATUS_OPERATION).catch(() => undefined);
  const status = answer === undefined ? undefined : (JSON.parse(answer) as GatewayStatus);
  const findings = await diagnose(identityOf(options), status);
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

async function redeem(identity: GatewayIdentity, claim: Claim): Promise<EnrolmentResult> {
  for (let attempt = 1; ; attempt++) {
    const result = await new Promise<EnrolmentResult>((done) => {
      identity.enroller.redeem(claim, deviceInfo(), done);
    });
    if (result.ok || result.final || attempt === TRIES) return result;
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
