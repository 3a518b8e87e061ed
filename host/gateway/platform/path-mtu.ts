/** How large a packet may be on its way to an address, found by sending some that nobody may cut (RFC 1191, RFC 8201). */

import { isIPv6 } from 'node:net';
import { findProgram, run } from './command.js';

/** Every link takes so much (RFC 8200 section 5); nothing of ours works with less. */
const LEAST = 1280;
/** Header of IP and of ICMP Echo, bytes. */
const ECHO_HEADERS_IPV4 = 20 + 8;
const ECHO_HEADERS_IPV6 = 40 + 8;

/** Seconds for one answer. */
const PATIENCE = 1;

/**
 * The largest packet up to `most` bytes, headers included, that came back whole. `undefined` when the address answers
 * no echo at all, or when there is no `ping` here: then nothing is known.
 */
export async function probePathMtu(address: string, most: number): Promise<number | undefined> {
  if (findProgram('ping') === undefined) return undefined;
  const passes = (bytes: number) => echo(address, bytes);
  if (await passes(most)) return most;
  if (!(await passes(Math.min(LEAST, most)))) return undefined;
  // Something between the two; each question halves it.
  let [fits, tooLarge] = [LEAST, most];
  while (tooLarge - fits > 1) {
    const middle = (fits + tooLarge) >> 1;
    if (await passes(middle)) fits = middle;
    else tooLarge = middle;
  }
  return fits;
}

async function echo(address: string, bytes: number): Promise<boolean> {
  const payload = bytes - (isIPv6(address) ? ECHO_HEADERS_IPV6 : ECHO_HEADERS_IPV4);
  try {
    const words = ['-n', '-q', '-c', '1', '-W', String(PATIENCE), '-M', 'do', '-s', String(payload)];
    await run('ping', [...words, address]);
    return true;
  } catch {
    return false;
  }
}
