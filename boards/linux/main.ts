/** Entry of the Linux program: `cloudbridge-gateway up FILE.conf`. */

import type { ManagedGateway } from '../../src/gateway/managed-gateway.js';
import { NativePrimitives } from '../native/primitives.js';
import { failedPrimitives } from '../native/self-test.js';
import { Edge, messageOf } from '../xs/edge.js';
import { LineLog, thresholdOf } from '../xs/log.js';
import { VERSION } from '../xs/version.js';
import { isControlCommand, readControl } from './control/command-line.js';
import { answer } from './control/commands.js';
import { openManaged } from './control/managed.js';
import type { Services } from './control/services.js';
import { enterBackground, reportStart } from './drivers/background.js';
import { SystemClock } from './drivers/clock.js';
import { environment, exitWith, print, programArguments, report } from './drivers/process.js';
import { SIGHUP, Signals } from './drivers/signals.js';
import { SystemError } from './drivers/system-error.js';
import {
  defaultStateDirectory,
  HELP,
  readUp,
  type StartOptions,
  type UserspaceCall,
  userspaceCall,
} from './gateway/command-line.js';
import { EXIT, exitCodeOf, GatewayError } from './gateway/gateway-error.js';
import { measure, WORKS } from './gateway/measure.js';
import { RunningGateway } from './gateway/running-gateway.js';

/** Words that are no interface's name; `down` is wg-quick's. */
const COMMANDS = Object.freeze([
  ...['up', 'down', 'enrol', 'run', 'status', 'doctor', 'leave', 'self-test', 'measure', 'help'],
]);
/** Longest the process in the background may take to be up, ms. */
const START_PATIENCE = 20_000;

export default function main(): void {
  try {
    const all = programArguments();
    const [command, ...words] = all;
    const call = userspaceCall(all, COMMANDS);
    if (call !== undefined) userspace(call);
    else if (command === 'up') run(readUp(words));
    else if (isControlCommand(command)) control(command, words);
    else exitWith(once(command, words));
  } catch (error) {
    const sentence = messageOf(error);
    if (!reportStart(exitCodeOf(error), sentence)) report(`cloudbridge-gateway: ${sentence}\n`);
    exitWith(exitCodeOf(error));
  }
}

/** Commands of a gateway that a control plane configures. */
function control(command: string, words: readonly string[]): void {
  const options = readControl(command, words);
  if (command === 'run') {
    run({ ...options, path: undefined }, (services) => openManaged(options, services));
    return;
  }
  const primitives = new NativePrimitives();
  requirePrimitives(primitives);
  answer(command, options, primitives);
}

/** Commands that answer and end; the exit code. */
function once(command: string | undefined, words: readonly string[]): number {
  switch (command) {
    case '--version':
      print(`${VERSION}\n`);
      return EXIT.ok;
    case '--help':
      print(HELP);
      return EXIT.ok;
    case 'self-test':
      requirePrimitives(new NativePrimitives());
      print('all primitives give the published answers\n');
      return EXIT.ok;
    case 'measure': {
      const [work, count] = words;
      if (!WORKS.includes(work) || !(Number(count) > 0)) {
        throw new GatewayError(EXIT.usage, `measure takes ${WORKS.join(' or ')} and a count`);
      }
      measure(work, Number(count), new NativePrimitives());
      return EXIT.ok;
    }
    default:
      report(HELP);
      return EXIT.usage;
  }
}

/** An interface that others configure; in the background unless asked otherwise. */
function userspace({ name, foreground }: UserspaceCall): void {
  const level = environment('LOG_LEVEL');
  if (!foreground) {
    // As wireguard-go: whoever sets a level wants to see the log.
    const result = enterBackground(START_PATIENCE, level === undefined);
    if (result < 0) throw new SystemError('cannot go into the background', -result);
  }
  run({
    name,
    path: undefined,
    stateDirectory: defaultStateDirectory(),
    tier: 'auto',
    logLevel: thresholdOf(level ?? '') ?? 'error',
  });
  reportStart(EXIT.ok, '');
}

/** `manage`: who configures it, when no file and nobody else does. */
function run(options: StartOptions, manage?: (services: Services) => ManagedGateway): void {
  const clock = new SystemClock();
  const log = new LineLog(report, clock, options.logLevel);
  const edge = new Edge(log, clock);
  const primitives = new NativePrimitives();
  requirePrimitives(primitives);
  const signals = new Signals(edge);
  const services = { primitives, clock, edge, log };
  const managed = manage?.(services);
  const gateway = new RunningGateway({ ...options, ...services, managed, onEnded: exitWith });
  gateway.start();
  signals.onSignal = (signal) => {
    if (signal === SIGHUP) {
      gateway.reload();
      return;
    }
    gateway.stop();
    log.write('info', 'down', { interface: options.name });
    exitWith(EXIT.ok);
  };
}

function requirePrimitives(primitives: NativePrimitives): void {
  const failed = failedPrimitives(primitives);
  if (failed.length === 0) return;
  const sentence = `the built-in primitives give wrong answers (${failed.join(', ')}); build the program anew`;
  throw new GatewayError(EXIT.failure, sentence);
}
