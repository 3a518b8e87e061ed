import { execFile } from 'node:child_process';
import { MESSAGE_OVERHEAD, RUN_BYTES } from '../wasm/kernel.js';

/** IPv4 and TCP headers without options: what at least stands before each piece of payload. */
const LEAST_HEADERS = 40;
/** Packets that the kernel keeps for us while this process does not get its turn; TUN's default is 500. */
const QUEUE_PACKETS = 1000;

/**
 * Asks the kernel for a queue that outlasts a busy moment of the machine, and to hand over super-packets of no more
 * segments than one send can carry, so that none takes a second send for its last few. Only wishes: where `ip` cannot
 * fulfil them, everything works all the same.
 */
export function tuneInterface(interfaceName: string, mtu: number): void {
  const segments = Math.max(Math.floor(RUN_BYTES / (mtu + MESSAGE_OVERHEAD)), 1);
  const bytes = segments * (mtu - LEAST_HEADERS);
  const set = (...words: string[]) =>
    execFile('ip', ['link', 'set', 'dev', interfaceName, ...words], () => {});
  set('txqueuelen', String(QUEUE_PACKETS));
  set('gso_max_size', String(bytes));
}
