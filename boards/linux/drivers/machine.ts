/** What this host is, and what it spends on us. */

import { readText } from './files.js';

/** Bytes; the file has some 60 short lines. */
const STATUS_LIMIT = 16_384;

export function hostName(this: void): string {
  return native('xs_machine_host_name').call(this);
}

/** As `uname -m` says it. */
export function architecture(this: void): string {
  return native('xs_machine_architecture').call(this);
}

/** Resident memory of this process in bytes, if it can be told. */
export function residentMemory(this: void): number | undefined {
  const text = readText('/proc/self/status', STATUS_LIMIT);
  const kilobytes = typeof text === 'string' ? /\nVmRSS:\s*([0-9]+) kB/.exec(text)?.[1] : undefined;
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
