/**
 * A mistake in something that a person wrote. No field ever repeats what stood in the place of a value, because it
 * might be a key that slipped a line; `line` and `column` say where to look.
 */
export interface Problem {
  /** An error makes the configuration unusable; with a warning it works, perhaps not as meant. */
  readonly severity: 'error' | 'warning';
  /** Counted from 1. 0 when the mistake is not in a file, but in an option. */
  readonly line: number;
  /** Counted from 1, in UTF-16 units, as editors do. */
  readonly column: number | undefined;
  /** The setting (`AllowedIPs`), the section (`[Peer]`) or the option concerned; empty when there is none. */
  readonly key: string;
  /** What is wrong: a sentence without its full stop. */
  readonly message: string;
  /** What to do about it: a sentence without its full stop. */
  readonly remedy: string;
}

/** Where a problem is, as in `Problem`. */
export interface Place {
  readonly line: number;
  readonly column?: number | undefined;
}

export function error(at: Place, key: string, message: string, remedy: string): Problem {
  return { severity: 'error', line: at.line, column: at.column, key, message, remedy };
}

export function warning(at: Place, key: string, message: string, remedy: string): Problem {
  return { severity: 'warning', line: at.line, column: at.column, key, message, remedy };
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** One line for people: `wg0.conf:12:14: error: AllowedIPs: message; remedy`. */
export function formatProblem(problem: Problem, file: string): string {
  const column = problem.column === undefined ? '' : `:${problem.column}`;
  const place = problem.line === 0 ? file : `${file}:${problem.line}${column}`;
  const key = problem.key === '' ? '' : `${problem.key}: `;
  return `${place}: ${problem.severity}: ${key}${problem.message}; ${problem.remedy}`;
}
