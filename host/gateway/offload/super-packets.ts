import { execFile } from 'node:child_process';
import { MESSAGE_OVERHEAD, RUN_BYTES } from '../wasm/kernel.js';

/** IPv4 and TCP headers without options: what at least stands before each piece of payload. */
const LEAST_HEADERS = 40;

/**
 * Asks the kernel to hand over super-packets of no more segments than one send can carry, so that none takes a second
 * send for its last few. Only a wish: where `ip` cannot do it, everything works all the same.
 */
export function limitSuperPackets(interfaceName: string, mtu: number): void {
  const segments = Math.floor(RUN_BYTES / (mtu + MESSAGE_OVERHEAD));
  const bytes = Math.max(segments, 1) * (mtu - LEAST_HEADERS);
  execFile('ip', ['link', 'set', 'dev', interfaceName, 'gso_max_size', String(bytes)], () => {});
}
