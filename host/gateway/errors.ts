/**
 * What can go wrong at the program's edge, each with an exit code of its own, so that a script or a service
 * manager can tell a broken file from a taken port without reading the sentence.
 */
export const EXIT = {
  ok: 0,
  /** Something nobody foresaw; the message carries what is known. */
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
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The table shown by `--help` and by the manual. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.failure, 'unexpected failure; also: `check` found mistakes'],
  [EXIT.usage, 'the command line is wrong'],
  [EXIT.configuration, 'the configuration file is missing or has mistakes'],
  [EXIT.permission, 'a right is missing'],
  [EXIT.portTaken, 'the UDP port is taken'],
  [EXIT.alreadyRunning, 'a gateway or an interface of this name exists already'],
  [EXIT.state, 'state cannot be kept (disk full, read-only or not writable)'],
  [EXIT.endpoint, "a peer's endpoint cannot be used, or no peer answered in time (--fail-after)"],
  [EXIT.notRunning, 'no running gateway of this name'],
  [EXIT.system, 'the system refused something else that the gateway needs; the message says what'],
];

/** An error for the person at the terminal: one sentence that names the way out, and the exit code. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.exitCode = exitCode;
  }
}

/** The `errno` name (`ENOENT`) of a Node system error, or `undefined`. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** An error's own words, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
