/** `cloudbridge-control serve`. */

import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEndpoint } from '../../src/packet/endpoint-text.js';
import { type LogFormat, openLog } from '../gateway/log.js';
import { ensureAdminToken, writeAdminFile } from './admin-file.js';
import { openDatabase } from './database.js';
import type { ControlOptions } from './options.js';
import { ControlServer } from './server.js';

export interface ServeOptions {
  listen: { host: string; port: number };
  url?: string;
  tlsCert?: string;
  tlsKey?: string;
  behindProxy?: boolean;
  mqttListen?: { host: string; port: number };
  mqttUrl?: string;
  tunnelListen?: number;
  tunnelEndpoint?: string;
  rotateEvery: number;
  heartbeat: number;
  addressOverlap: number;
  logFormat?: LogFormat;
}

/** Throws when the options do not fit together, or something cannot be had. */
export async function serve(directory: string, options: ServeOptions): Promise<void> {
  const { host, port } = options.listen;
  const { tlsCert, tlsKey } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new Error('--tls-cert and --tls-key belong together');
  }
  for (const one of [options.listen, options.mqttListen]) {
    if (tlsCert === undefined && one && !isLoopbackAddress(one.host) && !options.behindProxy) {
      throw new Error('beyond loopback it needs --tls-cert and --tls-key, or --behind-proxy');
    }
  }
  const log = openLog(options.logFormat ?? (process.stderr.isTTY ? 'human' : 'json'), 'info');
  const database = await openDatabase(directory);
  const adminToken = ensureAdminToken(directory);
  const { rotateEvery: keyLife, heartbeat, addressOverlap } = options;
  const limits: Partial<ControlOptions> = { keyLife, heartbeat, addressOverlap };
  const server = await ControlServer.start({
    database,
    log,
    adminToken,
    host,
    port,
    publicUrl: options.url?.replace(/\/+$/, ''),
    tls:
      tlsCert && tlsKey
        ? { cert: readFileSync(tlsCert, 'utf8'), key: readFileSync(tlsKey, 'utf8') }
        : undefined,
    externalMqtt: externalMqtt(options),
    mqtt: options.mqttListen && { ...options.mqttListen, url: options.mqttUrl },
    tunnel: tunnelOptions(directory, options),
    options: limits,
  });
  const shown = host.includes(':') ? `[${host}]` : host;
  const scheme = tlsCert === undefined ? 'http' : 'https';
  writeAdminFile(directory, { url: options.url ?? `${scheme}://${shown}:${server.port}`, token: adminToken });
  log.write('info', 'serving', { url: server.url, port: server.port });
  const stop = (signal: NodeJS.Signals): void => {
    log.write('info', 'leaving', { reason: signal });
    void server
      .stop()
      .then(() => database.close())
      .then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

/** With its password, so from the environment: command lines can be read by others. */
function externalMqtt({ mqttUrl, mqttListen }: ServeOptions) {
  const { MQTT_URL: url } = process.env;
  if (url === undefined || url === '') return undefined;
  if (mqttListen)
    throw new Error('MQTT_URL names another broker than --mqtt-listen would be; use one of them');
  const { protocol, host } = new URL(url);
  return { url, gatewayUrl: mqttUrl ?? `${protocol}//${host}` };
}

/** The gateway program is built beside this one. */
function tunnelOptions(directory: string, { tunnelListen: port, tunnelEndpoint, url, listen }: ServeOptions) {
  if (port === undefined) return undefined;
  const program = fileURLToPath(new URL('cloudbridge-gateway.js', import.meta.url));
  if (!existsSync(program)) throw new Error(`--tunnel-listen needs ${program}; run node build.mjs`);
  const host =
    url === undefined ? (isIP(listen.host) === 6 ? `[${listen.host}]` : listen.host) : new URL(url).hostname;
  if (tunnelEndpoint === undefined && (host === '0.0.0.0' || host === '[::]')) {
    throw new Error('listening at every address, --tunnel-listen needs --url or --tunnel-endpoint');
  }
  const endpoint = tunnelEndpoint ?? `${host}:${port}`;
  if (parseEndpoint(endpoint).kind === 'error') throw new Error('--tunnel-endpoint is written name:port');
  return { port, endpoint, folder: join(directory, 'tunnel'), program };
}

function isLoopbackAddress(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}
