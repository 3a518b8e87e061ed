import { isAbsolute, resolve } from 'node:path';
import { type Expose, type Forward, parseExpose, parseForward } from '../../../src/config/forwards.js';
import { formatProblem, type Problem } from '../../../src/config/problem.js';
import { formatPrefix } from '../../../src/packet/address.js';
import { interfaceNameOf, readConfiguration, requireConfiguration } from '../configuration.js';
import { EXIT, GatewayError } from '../errors.js';
import type { LogFormat, LogThreshold } from '../log.js';
import { chooseMode } from '../platform/mode.js';
import type { TunnelMode } from '../platform/tunnel.js';
import type { GatewayRequest, TierChoice } from '../request.js';
import { defaultStateDirectory } from '../state-directory.js';
import { requireInterfaceName, uapiDirectory } from '../uapi-path.js';
import { refuseLive } from '../uapi-socket.js';
import { run } from './run.js';

export interface UpOptions {
  name?: string;
  mode?: TunnelMode | 'auto';
  tier?: TierChoice;
  listenAddress?: string;
  forward: string[];
  expose: string[];
  stateDir?: string;
  logFormat?: LogFormat;
  logLevel?: LogThreshold;
  failAfter?: number;
  dryRun?: boolean;
}

/** Runs a wg-quick configuration in the foreground. Resolves to the exit code. */
export async function up(path: string, options: UpOptions): Promise<number> {
  const configuration = readConfiguration(path);
  const { config, warnings } = requireConfiguration(configuration);
  const forwards = readRules<Forward>(options.forward, parseForward);
  const exposes = readRules<Expose>(options.expose, parseExpose);
  const request: GatewayRequest = {
    interfaceName: requireInterfaceName(options.name ?? interfaceNameOf(path)),
    configuration: { ...configuration, path: isAbsolute(path) ? path : resolve(path) },
    uapiDirectory: uapiDirectory(),
    stateDirectory: resolve(options.stateDir ?? defaultStateDirectory()),
    mode: options.mode === 'auto' ? undefined : options.mode,
    tier: options.tier ?? 'auto',
    listenAddress: options.listenAddress,
    forwards,
    exposes,
    logFormat: options.logFormat ?? defaultLogFormat(),
    logLevel: options.logLevel ?? 'info',
    failAfter: options.failAfter,
  };
  if (!options.dryRun) return run(request);

  for (const warning of warnings) process.stdout.write(`${warning}\n`);
  await refuseLive(request.uapiDirectory, request.interfaceName);
  const { mode, reason } = await chooseMode({ forced: request.mode });
  const { addresses, listenPort, mtu, table } = config.interface;
  const routes = config.peers.flatMap((peer) => peer.allowedIps.map(formatPrefix));
  const lines = [
    `interface ${request.interfaceName}: ${addresses.map(formatPrefix).join(', ') || 'no address'}`,
    `mode ${mode}, because ${reason}`,
    `UDP port ${listenPort || 'any'}, MTU ${mtu ?? 'from the route to the endpoints'}, table ${table}`,
    `routes: ${(table === 'off' ? [] : routes).join(', ') || 'none'}`,
    `peers: ${config.peers.length}, forwards: ${forwards.length}, exposes: ${exposes.length}`,
    'nothing was changed',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return EXIT.ok;
}

/** People get lines they can read; whatever collects logs gets JSON. */
export function defaultLogFormat(): LogFormat {
  return process.stderr.isTTY === true ? 'human' : 'json';
}

function readRules<T>(
  texts: readonly string[],
  parse: (text: string, problems: Problem[]) => T | undefined,
): T[] {
  const rules: T[] = [];
  for (const text of texts) {
    const problems: Problem[] = [];
    const rule = parse(text, problems);
    if (rule !== undefined) rules.push(rule);
    else {
      const mistakes = problems.map((problem) => formatProblem(problem, text)).join('\n');
      throw new GatewayError(EXIT.usage, mistakes);
    }
  }
  return rules;
}
