import { StoreError } from '../drivers/file-store.js';
import { EACCES, EADDRINUSE, EBUSY, EEXIST, EPERM, SystemError } from '../drivers/system-error.js';

/** Exit codes, the same as the Node host's, so that a service manager need not know which one runs. */
export const EXIT = Object.freeze({
  ok: 0,
  failure: 1,
  usage: 2,
  configuration: 3,
  permission: 4,
  portTaken: 5,
  alreadyRunning: 6,
  state: 7,
  endpoint: 8,
  notRunning: 9,
  system: 10,
});

/** An error for the person at the terminal: one sentence that names the way out, and the exit code. */
export class GatewayError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, sentence: string) {
    super(sentence);
    this.exitCode = exitCode;
  }
}

/** The exit code that tells what was thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof GatewayError) return error.exitCode;
  if (error instanceof StoreError) return EXIT.state;
  if (!(error instanceof SystemError)) return EXIT.failure;
  switch (error.errno) {
    case EPERM:
    case EACCES:
      return EXIT.permission;
    case EADDRINUSE:
      return EXIT.portTaken;
    case EBUSY:
    case EEXIST:
      return EXIT.alreadyRunning;
    default:
      return EXIT.system;
  }
}
