/** The commands of a gateway that a control plane configures, but for `run`. */

import type { Primitives } from '../../../src/crypto/primitives.js';
import type { GatewayStatus } from '../../../src/gateway/status.js';
import { statusTable } from '../../../src/gateway/status-table.js';
import { Edge, messageOf } from '../../xs/edge.js';
import { LineLog } from '../../xs/log.js';
import { SystemClock } from '../drivers/clock.js';
import { exitWith, print, report } from '../drivers/process.js';
import { EXIT, exitCodeOf } from '../gateway/gateway-error.js';
import { askStatus } from './ask.js';
import type { ControlCommand } from './command-line.js';
import { Doctor, doctorText } from './doctor.js';
import { type Done, enrol, leave } from './enrol.js';
import { identityOf, type Services } from './services.js';

/** Ends the process with the command's exit code, some time later. Throws what keeps it from beginning. */
export function answer(name: string, command: ControlCommand, primitives: Primitives): void {
  const clock = new SystemClock();
  const log = new LineLog(report, clock, 'error');
  const services: Services = { primitives, clock, log, edge: new Edge(log, clock) };
  const done: Done = (result) => {
    if (result instanceof Error) report(`cloudbridge-gateway: ${messageOf(result)}\n`);
    exitWith(result instanceof Error ? exitCodeOf(result) : result);
  };
  switch (name) {
    case 'enrol':
      enrol(command, services, done);
      return;
    case 'leave':
      leave(command, services, done);
      return;
    case 'doctor':
      doctor(command, services, done);
      return;
    default:
      status(command, services, done);
  }
}

function status({ name, json }: ControlCommand, services: Services, done: Done): void {
  askStatus(name, services, (seen) => {
    if (seen instanceof Error) {
      done(seen);
      return;
    }
    print(`${json ? JSON.stringify(seen, undefined, 2) : statusTable(seen)}\n`);
    done(EXIT.ok);
  });
}

/** Code 1 when something is bad. */
function doctor({ name, stateDirectory, json }: ControlCommand, services: Services, done: Done): void {
  const identity = identityOf(services, stateDirectory, name);
  const look = (seen: GatewayStatus | undefined): void => {
    new Doctor(identity, services).diagnose(seen, (findings) => {
      print(`${json ? JSON.stringify(findings, undefined, 2) : doctorText(findings)}\n`);
      done(findings.some(({ verdict }) => verdict === 'bad') ? EXIT.failure : EXIT.ok);
    });
  };
  askStatus(name, services, (seen) => look(seen instanceof Error ? undefined : seen));
}
