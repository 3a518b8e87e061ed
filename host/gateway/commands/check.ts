import { formatProblem, hasErrors } from '../../../src/config/problem.js';
import { checkConfiguration, interfaceNameOf, readConfiguration } from '../configuration.js';
import { EXIT, type ExitCode } from '../errors.js';
import { isInterfaceName } from '../uapi-path.js';

/** Prints every mistake in the file at once. */
export function check(path: string, options: { json?: boolean }): ExitCode {
  const { config, problems } = checkConfiguration(readConfiguration(path));
  const broken = hasErrors(problems);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ file: path, ok: !broken, problems }, undefined, 2)}\n`);
    return broken ? EXIT.failure : EXIT.ok;
  }
  for (const problem of problems) process.stdout.write(`${formatProblem(problem, path)}\n`);
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  if (broken) {
    process.stdout.write(`${counted(errors, 'error')}, ${counted(warnings, 'warning')}\n`);
    return EXIT.failure;
  }
  const name = interfaceNameOf(path);
  const peers = counted(config?.peers.length ?? 0, 'peer');
  const note = isInterfaceName(name)
    ? ''
    : `; "up" needs --name, for "${name}" cannot be an interface's name`;
  process.stdout.write(`${path} is right: ${peers}, ${counted(warnings, 'warning')}${note}\n`);
  return EXIT.ok;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
