/** What the configuration says about transports, made real: relays, tokens, proxies, and the paths of the peers. */

import { readFileSync } from 'node:fs';
import type { InterfaceReach, PeerReach, ReachTransport } from '../../../src/config/reach.js';
import { USUAL_SCENARIO } from '../../../src/config/reach.js';
import type { PeerConfig, TunnelConfig } from '../../../src/config/tunnel-config.js';
import { parseWebAddress } from '../../../src/control/stream/web-address.js';
import { keyToBase64 } from '../../../src/crypto/key-text.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { formatAddress } from '../../../src/packet/address.js';
import {
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
} from '../../../src/packet/endpoint.js';
import type { Clock, Log } from '../../../src/ports.js';
import {
  DECISION_TABLE,
  type DecisionTable,
  parseDecisionTable,
  SCENARIOS,
  type Scenario,
} from '../../../src/transport/decision-table.js';
import { MasqueTransport } from '../../../src/transport/masque-transport.js';
import { METERED_PATH_OPTIONS, PATH_OPTIONS, type PathOptions } from '../../../src/transport/path-options.js';
import { pathView } from '../../../src/transport/path-view.js';
import { Paths, type PlannedTransport } from '../../../src/transport/paths.js';
import { meetingTarget, type RelayAccess, type RelayTarget } from '../../../src/transport/relay-access.js';
import type { Transport } from '../../../src/transport/transport.js';
import { UdpTransport } from '../../../src/transport/udp-transport.js';
import { WebSocketTransport } from '../../../src/transport/websocket-transport.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import type { Dial } from '../control/dial.js';
import { controlTls, parsePin } from '../control/tls.js';
import { EXIT, GatewayError, messageOf } from '../errors.js';
import { NetworkWatch } from './network-watch.js';
import { NodeStreamConnector } from './stream-connector.js';

/** Of enrolled gateways, best first. */
const MEETING_TRANSPORTS: readonly ReachTransport[] = ['masque', 'websocket'];

export interface ReachParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly primitives: Primitives;
  /** The tunnel's own interface, which is no uplink. */
  readonly interfaceName: string;
  /** How to reach the network from a namespace without one. */
  readonly dial: Dial | undefined;
  /** What relays are shown in the place of a token file. */
  readonly token?: (() => string | undefined) | undefined;
}

export class Reach {
  readonly paths: Paths;
  readonly #parts: ReachParts;
  readonly #watch: NetworkWatch;
  #table: DecisionTable = DECISION_TABLE;
  #reach: InterfaceReach;
  /** What each peer's path was made from, so that a reload leaves alone what did not change. */
  readonly #made = new Map<Peer, string>();

  /** Undefined without relays. Throws a {@link GatewayError} for files that cannot be used. */
  static prepare(config: TunnelConfig | undefined, parts: ReachParts): Reach | undefined {
    const reach = config?.interface.reach;
    if (!config || !reach) return undefined;
    const made = new Reach(reach, parts);
    made.check(config);
    return made;
  }

  /** Of a gateway that a control plane configures: it meets the others of its tenant at the relays. */
  static enrolled(reach: InterfaceReach | undefined, parts: ReachParts): Reach | undefined {
    return reach && new Reach(reach, parts);
  }

  private constructor(reach: InterfaceReach, parts: ReachParts) {
    this.#parts = parts;
    this.#reach = reach;
    const { clock, log } = parts;
    this.paths = new Paths({ clock, log, options: pathOptionsOf(reach) });
    this.#watch = new NetworkWatch(parts.interfaceName, (network) => this.paths.networkChanged(network));
  }

  /** Throws a {@link GatewayError} for what `apply` could not use, before anything is changed. */
  check(config: TunnelConfig): void {
    const { reach } = config.interface;
    if (!reach) return;
    checkScenarios(config, tableOf(reach));
    pathOptionsOf(reach);
  }

  /** Gives every peer its path; again after each change of the configuration. */
  apply(config: TunnelConfig, device: Device): void {
    const reach = config.interface.reach;
    if (!reach) {
      this.paths.stop();
      this.#made.clear();
      return;
    }
    this.#table = tableOf(reach);
    this.#reach = reach;
    const present = new Set(device.peers());
    for (const peer of this.#made.keys()) if (!present.has(peer)) this.#drop(peer);
    for (const entry of config.peers) {
      const peer = device.peer(entry.publicKey);
      if (peer) this.#give(peer, entry);
    }
  }

  /** Gives the other gateways of the tenant, by their names, a path each: direct, or by a meeting at the relay. */
  applySites(sites: Iterable<[string, Peer]>): void {
    const present = new Set<Peer>();
    for (const [name, peer] of sites) {
      present.add(peer);
      if (this.#made.get(peer) === name) continue;
      this.#made.set(peer, name);
      const planned: PlannedTransport[] = [{ transport: new UdpTransport(), place: 0 }];
      for (const [i, kind] of MEETING_TRANSPORTS.entries()) {
        const transports = this.#relayed(kind, () => meetingTarget(name));
        for (const transport of transports) planned.push({ transport, place: 1 + i });
      }
      this.paths.add(peer, planned, name);
    }
    for (const peer of this.#made.keys()) if (!present.has(peer)) this.#drop(peer);
  }

  /** How a peer's datagrams travel, and why. */
  travels(peer: Peer): { transport: string; reason: string } | undefined {
    const path = this.paths.of(peer);
    if (!path?.active) return undefined;
    return {
      transport: path.active.transport.kind,
      reason: pathView(path, this.#parts.clock.monotonic()).reason,
    };
  }

  start(): void {
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
    this.paths.stop();
  }

  #give(peer: Peer, entry: PeerConfig): void {
    const made = JSON.stringify([this.#reach, entry.reach, entry.endpoint]);
    if (this.#made.get(peer) === made) return;
    const transports = this.#plan(peer, entry);
    // Plain UDP alone needs nobody to choose.
    if (transports.every(({ transport }) => transport.kind === 'udp')) {
      this.#drop(peer);
      return;
    }
    this.#made.set(peer, made);
    this.paths.add(peer, transports, `${keyToBase64(peer.publicKey).slice(0, 8)}…`);
  }

  #drop(peer: Peer): void {
    this.#made.delete(peer);
    this.paths.remove(peer);
  }

  #plan(peer: Peer, entry: PeerConfig): PlannedTransport[] {
    const {
      scenario = USUAL_SCENARIO,
      transports,
      relayName,
      relayFirst = false,
    } = entry.reach ?? ({} as Partial<PeerReach>);
    const row: readonly string[] = transports ?? this.#table[scenario as Scenario];
    const udp = new UdpTransport();
    const target = (): RelayTarget | undefined =>
      relayName === undefined ? udpTarget(udp, peer) : meetingTarget(relayName);
    const reachable = relayName !== undefined || entry.endpoint !== undefined;
    const planned: PlannedTransport[] = [];
    row.forEach((kind, place) => {
      if (kind === 'udp') planned.push({ transport: udp, place });
      else if (reachable) {
        for (const transport of this.#relayed(kind as ReachTransport, target))
          planned.push({ transport, place });
      }
    });
    if (relayFirst)
      planned.sort((a, b) => Number(a.transport.kind === 'udp') - Number(b.transport.kind === 'udp'));
    return planned;
  }

  #relayed(kind: ReachTransport, target: () => RelayTarget | undefined): Transport[] {
    const transports: Transport[] = [];
    for (const relay of this.#reach.relays) {
      const access = this.#access(relay);
      if (kind === 'masque') transports.push(new MasqueTransport(access, target));
      if (kind === 'websocket') transports.push(new WebSocketTransport(access, target));
    }
    return transports;
  }

  #access(relay: string): RelayAccess {
    const { tokenFile, caFile, pins, proxy, credentialsFile } = this.#reach;
    const { primitives, dial, token } = this.#parts;
    const ca = caFile === undefined ? undefined : this.#read(caFile);
    const tls = controlTls(
      pins.map((pin) => parsePin(pin)!),
      ca,
    );
    return {
      relay: parseWebAddress(relay)!,
      connector: new NodeStreamConnector(tls, dial),
      proxy: proxy && {
        ...proxy,
        credentials:
          credentialsFile === undefined ? undefined : () => splitCredentials(this.#read(credentialsFile)),
      },
      // Read anew each time: whoever renews it only replaces the file.
      token: () => (tokenFile === undefined ? token?.() : this.#read(tokenFile)?.trim() || undefined),
      primitives,
    };
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      this.#parts.log.write('warn', 'file-not-read', { path, reason: messageOf(error) });
      return undefined;
    }
  }
}

/** Where a relay finds the peer: where it was configured to be, an address in the end. */
function udpTarget(udp: UdpTransport, peer: Peer): RelayTarget | undefined {
  const record = udp.configured ?? (endpointFamily(peer.endpoint, 0) <= 6 ? peer.endpoint : undefined);
  if (!record || endpointFamily(record, 0) === 0) return undefined;
  const length = endpointFamily(record, 0) === FAMILY_IPV4 ? 4 : 16;
  return { host: formatAddress(record, endpointAddressOffset(0), length), port: endpointPort(record, 0) };
}

function splitCredentials(text: string | undefined): { user: string; password: string } | undefined {
  const line = text?.trim() ?? '';
  const colon = line.indexOf(':');
  return colon < 0 ? undefined : { user: line.slice(0, colon), password: line.slice(colon + 1) };
}

/** The usual options, those of a metered uplink, and what was given by name. */
function pathOptionsOf({ metered, pathOptions }: InterfaceReach): PathOptions {
  const options: Record<string, number | boolean> = { ...(metered ? METERED_PATH_OPTIONS : PATH_OPTIONS) };
  for (const [name, value] of pathOptions) {
    if (!Object.hasOwn(options, name)) {
      const known = Object.keys(PATH_OPTIONS).join(', ');
      throw new GatewayError(EXIT.configuration, `PathOptions: an option is not known; known are ${known}`);
    }
    options[name] = typeof options[name] === 'boolean' ? value !== 0 : value;
  }
  return options as unknown as PathOptions;
}

function tableOf({ tableFile }: InterfaceReach): DecisionTable {
  if (tableFile === undefined) return DECISION_TABLE;
  let text: string;
  try {
    text = readFileSync(tableFile, 'utf8');
  } catch (error) {
    throw new GatewayError(EXIT.configuration, `cannot read the decision table: ${messageOf(error)}`);
  }
  const read = parseDecisionTable(text);
  if (read.ok) return read.table;
  throw new GatewayError(
    EXIT.configuration,
    `${tableFile}:${read.line}: error: ${read.message}; ${read.remedy}`,
  );
}

function checkScenarios(config: TunnelConfig, table: DecisionTable): void {
  for (const { line, reach } of config.peers) {
    if (reach === undefined || Object.hasOwn(table, reach.scenario)) continue;
    const sentence = `the peer of line ${line} has a Scenario that is not known; known are ${SCENARIOS.join(', ')}`;
    throw new GatewayError(EXIT.configuration, sentence);
  }
}
