/** Entry of the Linux program: `cloudbridge-gateway up FILE.conf`. */

import { NativePrimitives } from '../native/primitives.js';
import { failedPrimitives } from '../native/self-test.js';
import { Edge, messageOf } from '../xs/edge.js';
import { LineLog } from '../xs/log.js';
import { VERSION } from '../xs/version.js';
import { SystemClock } from './drivers/clock.js';
import { exitWith, print, programArguments, report } from './drivers/process.js';
import { SIGHUP, Signals } from './drivers/signals.js';
import { HELP, readUp } from './gateway/command-line.js';
import { EXIT, exitCodeOf, GatewayError } from './gateway/gateway-error.js';
import { measure, WORKS } from './gateway/measure.js';
import { RunningGateway } from './gateway/running-gateway.js';

export default function main(): void {
  try {
    const [command, ...words] = programArguments();
    if (command === 'up') up(words);
    else exitWith(once(command, words));
  } catch (error) {
    report(`cloudbridge-gateway: ${messageOf(error)}\n`);
    exitWith(exitCodeOf(error));
  }
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

function up(words: readonly string[]): void {
  const command = readUp(words);
  const clock = new SystemClock();
  const log = new LineLog(report, clock, command.logLevel);
  const edge = new Edge(log, clock);
  const primitives = new NativePrimitives();
  requirePrimitives(primitives);
  const signals = new Signals(edge);
  const gateway = new RunningGateway({ ...command, primitives, clock, edge, log, onEnded: exitWith });
  gateway.start();
  signals.onSignal = (signal) => {
    if (signal === SIGHUP) {
      gateway.reload();
      return;
    }
    gateway.stop();
    log.write('info', 'down', { interface: command.name });
    exitWith(EXIT.ok);
  };
}

function requirePrimitives(primitives: NativePrimitives): void {
  const failed = failedPrimitives(primitives);
  if (failed.length === 0) return;
  const sentence = `the built-in primitives give wrong answers (${failed.join(', ')}); build the program anew`;
  throw new GatewayError(EXIT.failure, sentence);
}
