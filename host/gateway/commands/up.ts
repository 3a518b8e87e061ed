import { isAbsolute, resolve } from 'node:path';
import { type GatewaySettings, readGatewaySettings } from '../../../src/config/gateway-settings.js';
import { formatPrefix } from '../../../src/packet/address.js';
import { interfaceNameOf, readConfiguration, requireConfiguration } from '../configuration.js';
import { EXIT, GatewayError } from '../errors.js';
import type { LogFormat, LogThreshold } from '../log.js';
import { chooseMode } from '../platform/mode.js';
import type { TunnelMode } from '../platform/tunnel.js';
import { type GatewayLimits, type GatewayRequest, KNOWN_LIMITS, type TierChoice } from '../request.js';
import { defaultStateDirectory } from '../state-directory.js';
import { requireInterfaceName, uapiDirectory } from '../uapi-path.js';
import { refuseLive } from '../uapi-socket.js';
import { run } from './run.js';

/** The options of everything that carries packets. */
export interface CarryingOptions {
  mode?: TunnelMode | 'auto';
  tier?: TierChoice;
  listenAddress?: string;
  forward: string[];
  expose: string[];
  limit: string[];
  stateDir?: string;
  logFormat?: LogFormat;
  logLevel?: LogThreshold;
}

export interface UpOptions extends CarryingOptions {
  name?: string;
  failAfter?: number;
  dryRun?: boolean;
}

/** Runs a wg-quick configuration in the foreground. Resolves to the exit code. */
export async function up(path: string, options: UpOptions): Promise<number> {
  const configuration = readConfiguration(path);
  const { config, warnings } = requireConfiguration(configuration);
  const request: GatewayRequest = {
    ...carryingRequest(options),
    interfaceName: requireInterfaceName(options.name ?? interfaceNameOf(path)),
    configuration: { ...configuration, path: isAbsolute(path) ? path : resolve(path) },
    failAfter: options.failAfter,
  };
  if (!options.dryRun) return run(request);

  for (const warning of warnings) process.stdout.write(`${warning}\n`);
  await refuseLive(request.uapiDirectory, request.interfaceName);
  const { forwards, exposes } = request;
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

/** What those options ask for, with every mistake in them at once. */
export function carryingRequest(
  options: CarryingOptions,
): Omit<GatewayRequest, 'interfaceName' | 'configuration' | 'failAfter'> {
  const { forwards, exposes, limits } = readSettings(options);
  return {
    uapiDirectory: uapiDirectory(),
    stateDirectory: resolve(options.stateDir ?? defaultStateDirectory()),
    mode: options.mode === 'auto' ? undefined : options.mode,
    tier: options.tier ?? 'auto',
    listenAddress: options.listenAddress,
    forwards,
    exposes,
    limits,
    logFormat: options.logFormat ?? defaultLogFormat(),
    logLevel: options.logLevel ?? 'info',
  };
}

/** People get lines they can read; whatever collects logs gets JSON. */
export function defaultLogFormat(): LogFormat {
  return process.stderr.isTTY === true ? 'human' : 'json';
}

/** Forwards, exposes and limits, with every mistake in them at once. */
function readSettings(options: CarryingOptions): GatewaySettings<GatewayLimits> {
  const limits = Object.fromEntries(options.limit.map(splitLimit));
  const raw = { forward: options.forward, expose: options.expose, limits };
  const { settings, problems } = readGatewaySettings(raw, KNOWN_LIMITS);
  if (settings !== undefined) return settings;
  const mistakes = problems.map(({ key, message, remedy }) => `${key}: ${message}; ${remedy}`);
  throw new GatewayError(EXIT.usage, mistakes.join('\n'));
}

/** `name=count`; what is no number is left to the reader of the settings to refuse. */
function splitLimit(text: string): [string, number] {
  const [name, value = ''] = text.split('=', 2);
  return [name, /^[0-9]+$/.test(value) ? Number(value) : Number.NaN];
}
