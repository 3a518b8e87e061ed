/** What a gateway needs of a configuration while it runs: checked against its limits, resolved, compared, forgotten. */

import type { PeerConfig, TunnelConfig } from '../../src/config/tunnel-config.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import type { Log, Resolver } from '../../src/ports.js';
import { LIMITS } from '../../src/wireguard/limits.js';
import { requireConfiguration } from './configuration.js';
import { EXIT, GatewayError } from './errors.js';
import type { GatewayRequest } from './request.js';
import { lookUp } from './resolver.js';

/** The configuration, its warnings logged. Throws a {@link GatewayError} that names every mistake. */
export function checkedConfig(
  source: NonNullable<GatewayRequest['configuration']>,
  { limits }: GatewayRequest,
  primitives: Primitives,
  log: Log,
): TunnelConfig {
  const { config, warnings } = requireConfiguration(source, primitives);
  for (const warning of warnings) log.write('warn', 'configuration', { warning });
  const { maxPeers = LIMITS.maxPeers } = limits;
  if (config.peers.length > maxPeers) {
    const sentence = `${source.path} has ${config.peers.length} peers, and the limit maxPeers is ${maxPeers}; raise it with --limit`;
    throw new GatewayError(EXIT.configuration, sentence);
  }
  return config;
}

/** Addresses of the endpoints given by name. A name that does not exist is a mistake; anything else may pass. */
export async function resolveEndpoints(
  config: TunnelConfig,
  resolver: Resolver,
  log: Log,
): Promise<Map<PeerConfig, Uint8Array>> {
  const resolved = new Map<PeerConfig, Uint8Array>();
  await Promise.all(
    config.peers.map(async (peer) => {
      const { endpoint } = peer;
      if (endpoint?.kind !== 'name') return;
      const { host, port } = endpoint;
      const { records, error, final } = await lookUp(resolver, host, port);
      if (final) {
        const place = peer.line === 0 ? '' : ` (the peer of line ${peer.line})`;
        const sentence = `there is no host named ${host}${place}; correct its Endpoint`;
        throw new GatewayError(EXIT.endpoint, sentence);
      }
      if (error !== undefined) log.write('warn', 'endpoint-not-resolved', { host, reason: error });
      else resolved.set(peer, records[0]);
    }),
  );
  return resolved;
}

/** Whether something changed that only a start sets up. */
export function needsRestart(before: TunnelConfig | undefined, after: TunnelConfig): boolean {
  if (before === undefined) return true;
  const fixed = ({ interface: own }: TunnelConfig) =>
    JSON.stringify([
      own.addresses.map((prefix) => [...prefix.address, prefix.prefixLength]),
      own.mtu,
      own.dnsServers.map((server) => [...server]),
      own.reach === undefined,
      ...[own.dnsSearch, own.table, own.preUp, own.postUp, own.preDown, own.postDown],
    ]);
  return fixed(before) !== fixed(after);
}

/** Erases a configuration's secrets: the device keeps its own copies. */
export function forget(config: TunnelConfig | undefined): void {
  config?.interface.privateKey.fill(0);
  for (const peer of config?.peers ?? []) peer.presharedKey?.fill(0);
}
