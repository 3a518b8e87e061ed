import { execFile } from 'node:child_process';
import { EXIT, GatewayError } from '../errors.js';
import { requireProgram } from './command.js';

/**
 * One ICMP echo by the system's `ping`, in the network namespace of this process. Milliseconds until the answer;
 * `undefined` when none came within `timeout` ms (`ping` counts whole seconds, so it may wait a little longer) or
 * before `signal`, which ends the program.
 */
export async function systemPing(
  address: string,
  timeout: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const ping = requireProgram('ping', 'iputils-ping');
  const seconds = Math.max(1, Math.ceil(timeout / 1000));
  return new Promise((resolve, reject) => {
    execFile(
      ping,
      ['-n', '-c', '1', '-W', String(seconds), address],
      { timeout: timeout + 2000, signal },
      (error, stdout) => {
        const time = / time[=<]([0-9.]+) ms/.exec(stdout);
        if (time !== null) resolve(Number(time[1]));
        // ping(8): status 1 means no answer, 2 any other error; a network unreachable just now is no answer either.
        else if (error === null || error.code === 1 || error.code === 2) resolve(undefined);
        else if (error.killed || signal.aborted) resolve(undefined);
        else reject(new GatewayError(EXIT.system, `ping failed: ${error.message}`));
      },
    );
  });
}
