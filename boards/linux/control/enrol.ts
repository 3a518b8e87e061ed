import { type Claim, type EnrolmentResult, parseClaim } from '../../../src/identity/enrolment.js';
import type { GatewayIdentity } from '../../../src/identity/gateway-identity.js';
import { Login } from '../../../src/identity/login.js';
import { parsePin } from '../../../src/identity/pins.js';
import { print } from '../drivers/process.js';
import { EXIT, GatewayError } from '../gateway/gateway-error.js';
import { type ControlCommand, DEFAULT_NAME } from './command-line.js';
import { deviceInfo, identityOf, type Services, timerOf } from './services.js';

/** How often a control plane that does not answer is asked before the person is told, and the pause in ms. */
const TRIES = 5;
const PAUSE = 2_000;
/** What an identity leaves besides itself. */
const RECORDS: readonly string[] = Object.freeze([
  'network',
  'rotation',
  'configuration',
  'hold',
  'control-peer',
]);

/** Called once with the exit code, or with what went wrong. */
export type Done = (result: number | Error) => void;

/** Redeems a claim. Throws a {@link GatewayError} when that cannot begin. */
export function enrol(command: ControlCommand, services: Services, done: Done): void {
  const identity = identityOf(services, command.stateDirectory, command.name);
  const { enrolment, enroller } = identity;
  if (enrolment) {
    const sentence = `this gateway is enrolled already: ${enrolment.gateway} of tenant ${enrolment.tenant}; "leave" first`;
    throw new GatewayError(EXIT.alreadyRunning, sentence);
  }
  const { interrupted } = enroller;
  const claim = command.claim === undefined ? interrupted : parseClaim(command.claim, command.control);
  if (!claim) {
    const sentence = 'that is no claim; paste the whole URL, or the token with --control https://host';
    throw new GatewayError(EXIT.usage, sentence);
  }
  const pins = command.pins.map(requirePin);
  // What was interrupted goes on with the pins it began with.
  if (pins.length > 0 || command.claim !== undefined) identity.pins = pins;
  redeem(identity, claim, services, 1, (result) => {
    if (!result.ok) {
      done(new GatewayError(EXIT.endpoint, result.reason));
      return;
    }
    const { gateway, tenant, address } = result.enrolment;
    const name = command.name === DEFAULT_NAME ? '' : ` --name ${command.name}`;
    print(`enrolled: ${gateway} of tenant ${tenant}, ${address.join(', ')}\n`);
    print(`start it with: cloudbridge-gateway run${name}\n`);
    done(EXIT.ok);
  });
}

/** Gives the identity back, at the control plane if it answers, and on this device in any case. */
export function leave(command: ControlCommand, services: Services, done: Done): void {
  const identity = identityOf(services, command.stateDirectory, command.name);
  const { enrolment } = identity;
  if (!enrolment) throw new GatewayError(EXIT.notRunning, 'this gateway is not enrolled');
  tellLeaving(identity, services, (said) => {
    identity.enroller.leave();
    for (const record of RECORDS) identity.store.delete(record);
    print(`left: ${enrolment.gateway} of tenant ${enrolment.tenant}\n`);
    if (said !== undefined) {
      print(`the control plane does not know yet (${said}); an operator can forget the gateway there\n`);
    }
    done(EXIT.ok);
  });
}

function redeem(
  identity: GatewayIdentity,
  claim: Claim,
  services: Services,
  attempt: number,
  done: (result: EnrolmentResult) => void,
): void {
  identity.enroller.redeem(claim, deviceInfo(), (result) => {
    if (result.ok || result.final || attempt === TRIES) {
      done(result);
      return;
    }
    const again = () => redeem(identity, claim, services, attempt + 1, done);
    timerOf(services)().schedule(Math.max(PAUSE, result.retryAfter), again);
  });
}

/** Calls back with undefined, or with why the control plane was not told. */
function tellLeaving(
  { enrolment, http, keys }: GatewayIdentity,
  { primitives, clock }: Services,
  done: (said: string | undefined) => void,
): void {
  const login = new Login(primitives, clock, http, enrolment!, keys.identity);
  login.renew((error) => {
    if (error !== undefined) {
      done(error);
      return;
    }
    http.post(`${enrolment!.control}/api/v1/leave`, '{}', login.token(), ({ status, error: why }) => {
      done(status === 200 ? undefined : (why ?? `it answered ${status}`));
    });
  });
}

function requirePin(text: string): string {
  const pin = parsePin(text);
  if (pin === undefined) throw new GatewayError(EXIT.usage, 'a pin is written sha256/ and 44 characters');
  return pin;
}
