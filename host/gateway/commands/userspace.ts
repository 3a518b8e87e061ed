import { spawn } from 'node:child_process';
import { nearestWord } from '../../../src/config/suggestion.js';
import { EXIT, type ExitCode, GatewayError } from '../errors.js';
import { thresholdFrom } from '../log.js';
import type { GatewayRequest } from '../request.js';
import { defaultStateDirectory } from '../state-directory.js';
import { isInterfaceName, uapiDirectory } from '../uapi-path.js';
import { run } from './run.js';
import { defaultLogFormat } from './up.js';

/** Longest the detached process may take to be up, in ms. */
const READY_TIMEOUT = 20_000;

/** What the detached process tells the one that started it. */
type Report =
  | { readonly ready: true }
  | { readonly ready: false; readonly code: ExitCode; readonly sentence: string };

export interface UserspaceCall {
  readonly interfaceName: string;
  readonly foreground: boolean;
}

/**
 * Recognises the call of wg-quick and of people used to wireguard-go: `cloudbridge-gateway [-f] wg0`. The interface
 * is then configured by `wg` and `ip`, not by a file.
 */
export function userspaceCall(
  args: readonly string[],
  commands: readonly string[],
): UserspaceCall | undefined {
  const rest = args.filter((arg) => arg !== '-f' && arg !== '--foreground');
  const [name] = rest;
  if (rest.length !== 1 || name.startsWith('-') || commands.includes(name) || !isInterfaceName(name))
    return undefined;
  // A slip of the finger must not make an interface.
  const meant = /[0-9]/.test(name) ? undefined : nearestWord(name, commands);
  if (meant !== undefined)
    throw new GatewayError(EXIT.usage, `unknown command "${name}"; did you mean "${meant}"?`);
  return {
    interfaceName: name,
    foreground: rest.length < args.length || process.env.WG_PROCESS_FOREGROUND === '1',
  };
}

/** Runs the interface, in the background unless asked otherwise; returns when it can be configured. */
export async function userspace(call: UserspaceCall): Promise<number> {
  if (!call.foreground) return detach(call.interfaceName);
  const level = thresholdFrom(process.env.LOG_LEVEL);
  const request: GatewayRequest = {
    interfaceName: call.interfaceName,
    configuration: undefined,
    uapiDirectory: uapiDirectory(),
    stateDirectory: defaultStateDirectory(),
    // Whoever calls this way configures a real interface afterwards.
    mode: 'tun',
    listenAddress: undefined,
    tier: 'auto',
    forwards: [],
    exposes: [],
    limits: {},
    logFormat: defaultLogFormat(),
    logLevel: level ?? 'error',
    failAfter: undefined,
  };
  try {
    return await run(request, { onReady: () => report({ ready: true }) });
  } catch (error) {
    if (error instanceof GatewayError && reportFailure(error)) return error.exitCode;
    throw error;
  }
}

/** Tells the waiting process, if there is one, why this one could not start. */
function reportFailure(error: GatewayError): boolean {
  return report({ ready: false, code: error.exitCode, sentence: error.message });
}

function report(message: Report): boolean {
  if (process.send === undefined || !process.connected) return false;
  process.send(message, () => process.disconnect());
  return true;
}

function detach(interfaceName: string): Promise<number> {
  // As wireguard-go: whoever sets a level wants to see the log.
  const output = process.env.LOG_LEVEL === undefined ? 'ignore' : 'inherit';
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1], '--foreground', interfaceName],
    {
      detached: true,
      cwd: '/',
      stdio: ['ignore', output, output, 'ipc'],
    },
  );
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGTERM');
      reject(new GatewayError(EXIT.system, `${interfaceName} was not up within ${READY_TIMEOUT} ms`));
    }, READY_TIMEOUT);
    child.once('error', (error) => reject(new GatewayError(EXIT.system, `cannot start: ${error.message}`)));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new GatewayError(EXIT.failure, `${interfaceName} ended before it was up (${signal ?? code})`));
    });
    child.once('message', (message: Report) => {
      clearTimeout(timer);
      if (!message.ready) reject(new GatewayError(message.code, message.sentence));
      else {
        child.unref();
        resolve(EXIT.ok);
      }
    });
  });
}
