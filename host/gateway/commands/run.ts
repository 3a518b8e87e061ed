import { constants } from 'node:os';
import type { Log } from '../../../src/ports.js';
import { EXIT, type ExitCode, GatewayError, messageOf } from '../errors.js';
import { openLog } from '../log.js';
import { chooseMode } from '../platform/mode.js';
import { joinOutside } from '../platform/rootless-inner.js';
import { startInner } from '../platform/rootless-outer.js';
import type { Outside } from '../platform/tunnel.js';
import type { GatewayRequest } from '../request.js';
import { type RunningGateway, startGateway } from '../runtime.js';
import { uapiPath } from '../uapi-path.js';

export interface RunOptions {
  /** Called once when the gateway is up (the control socket answers). */
  readonly onReady?: () => void;
}

/** Runs a gateway to its end, in this process or, rootless, in one of its own namespace. Resolves to the exit code. */
export async function run(request: GatewayRequest, options: RunOptions = {}): Promise<number> {
  const log = openLog(request.logFormat, request.logLevel);
  const choice = await chooseMode({ forced: request.mode });
  if (choice.mode !== 'rootless') return serve(request, log, choice, undefined, options);
  const script = process.argv[1];
  const inner = await startInner({
    command: [script, 'inner'],
    payload: request,
    choice,
    log,
    listenAddress: request.listenAddress,
    files: [uapiPath(request.uapiDirectory, request.interfaceName)],
  });
  return inner.exited;
}

/** The inner process of rootless mode: everything it is to do comes through the line to the outer one. */
export async function runInner(): Promise<number> {
  const outside = await joinOutside();
  if (outside === undefined) {
    throw new GatewayError(EXIT.usage, '"inner" is for the gateway itself; use "up"');
  }
  const request = outside.payload as GatewayRequest;
  return serve(request, openLog(request.logFormat, request.logLevel), outside.choice, outside, {});
}

async function serve(
  request: GatewayRequest,
  log: Log,
  choice: Outside['choice'],
  outside: Outside | undefined,
  options: RunOptions,
): Promise<number> {
  let gateway: RunningGateway | undefined;
  let asked = false;
  const stopped = new Promise<ExitCode>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        // Whoever asks twice does not want to wait; the exit handler still takes the system's changes back.
        if (asked) process.exit(128 + constants.signals[signal]);
        asked = true;
        log.write('info', 'leaving', { reason: signal });
        if (gateway === undefined) resolve(EXIT.ok);
        else void gateway.stop(EXIT.ok);
      });
    }
  });
  process.on('SIGHUP', () => void gateway?.reload());
  process.on('uncaughtException', (error) => {
    log.write('error', 'unexpected', { reason: messageOf(error), stack: error.stack });
    process.exit(EXIT.failure);
  });
  const started = startGateway(request, { choice, outside, log });
  gateway = await Promise.race([started, stopped.then(() => undefined)]);
  if (gateway === undefined) {
    // Asked to leave while still starting: what was begun is finished and taken back.
    const late = await started.catch(() => undefined);
    await late?.stop();
    return EXIT.ok;
  }
  options.onReady?.();
  return gateway.ended;
}
