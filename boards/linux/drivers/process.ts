/** The process: its words, its surroundings, its end. */

/** The words behind the program's name. */
export function programArguments(this: void): string[] {
  return native('xs_host_arguments').call(this);
}

/** Leaves the main loop, and then the process, with this exit code. */
export function exitWith(this: void, code: number): void {
  native('xs_host_exit').call(this, code);
}

/** Text on standard error, written at once. */
export function report(this: void, text: string): void {
  native('xs_process_report').call(this, text);
}

/** Text on standard output. */
export function print(this: void, text: string): void {
  native('xs_process_print').call(this, text);
}

export function processId(this: void): number {
  return native('xs_process_id').call(this);
}

/** The real user's number; 0 is root. */
export function userId(this: void): number {
  return native('xs_process_user').call(this);
}

export function environment(this: void, name: string): string | undefined {
  return native('xs_process_environment').call(this, name);
}
