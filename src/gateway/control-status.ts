import type { ControlAgent } from '../control/agent.js';
import { FIRST_CHOICE, nameOf } from '../control/route-choice.js';
import type { Enrolment } from '../identity/enrolment.js';
import type { Peer } from '../wireguard/peer.js';

export type Lamp = 'green' | 'red' | 'off';

/** The two lamps and what is behind them. Ages in seconds; `null` where there is nothing to tell. */
export interface ControlStatus {
  readonly gateway: string;
  readonly tenant: string;
  readonly addresses: readonly string[];
  /** Green: a heartbeat was acknowledged lately. An open socket makes it no greener. */
  readonly control: Lamp;
  /** Green: some peer's session is fresh and has carried authenticated traffic. Off: there are no peers. */
  readonly data: Lamp;
  readonly session: string;
  readonly reason: string;
  readonly route: string | null;
  /** Which kind of link, and why not a better one. */
  readonly link: string | null;
  readonly linkReason: string;
  readonly acknowledgedAge: number | null;
  /** ms */
  readonly roundTrip: number | null;
  readonly networkVersion: number;
  readonly rotation: string;
  readonly settingsRevision: number;
  /** What was refused or reverted last, and why. */
  readonly refused: string | null;
  readonly reverted: string | null;
  /** Seconds that the control plane's clock is ahead of ours; it is not followed. */
  readonly clockSkew: number | null;
  /** Why site traffic is held back. */
  readonly hold: string | null;
  readonly counters: Readonly<Record<string, number>>;
}

/** WireGuard's own limit (section 6.1, REJECT_AFTER_TIME): an older session carries nothing. ms */
const FRESH = 180_000;

/** Clocks further apart than this are worth a line, seconds. */
const MOST_SKEW = 60;

export function controlStatus(
  agent: ControlAgent,
  enrolment: Enrolment,
  peers: Iterable<Peer>,
  now: number,
): ControlStatus {
  const { session, network, rotation, configuration, hold } = agent;
  const acknowledged = Number.isFinite(session.lastAcknowledged);
  const all = [...peers];
  const flowing = all.some((peer) => now - peer.lastHandshake < FRESH && now - peer.lastReceived < FRESH);
  return {
    gateway: enrolment.gateway,
    tenant: enrolment.tenant,
    addresses: network.address.length > 0 ? network.address : enrolment.address,
    control: session.healthy ? 'green' : 'red',
    data: all.length === 0 ? 'off' : flowing ? 'green' : 'red',
    session: session.state,
    reason: session.reason,
    route: session.route?.url ?? null,
    link: session.route ? nameOf(session.route) : null,
    linkReason: session.routeReason,
    acknowledgedAge: acknowledged ? Math.round((now - session.lastAcknowledged) / 1000) : null,
    roundTrip: session.roundTrip === undefined ? null : Math.round(session.roundTrip * 10) / 10,
    networkVersion: network.version,
    rotation: rotation.phase,
    settingsRevision: configuration.revision,
    refused: session.lastRefusal ?? agent.lastError ?? null,
    reverted: configuration.failed
      ? `revision ${configuration.failed.revision}: ${configuration.failed.reason}`
      : null,
    clockSkew: agent.clockSkew === undefined ? null : Math.round(agent.clockSkew / 1000),
    hold: hold ? `${hold.kind}: ${hold.reason}` : null,
    counters: { ...session.counters },
  };
}

/** The lamps and their reasons for people: lines to follow the gateway's own. */
export function controlLines(status: ControlStatus): string[] {
  const age = status.acknowledgedAge;
  const lines = [
    `  gateway: ${status.gateway} of tenant ${status.tenant}, ${status.addresses.join(', ')}`,
    `  control: ${status.control} (${age === null ? 'no heartbeat acknowledged yet' : `heartbeat acknowledged ${age} s ago`}; ${status.session}: ${status.reason})`,
    `  data: ${status.data}`,
  ];
  if (status.linkReason !== FIRST_CHOICE) lines.push(`  control link: ${status.link}, ${status.linkReason}`);
  const skew = status.clockSkew ?? 0;
  if (Math.abs(skew) > MOST_SKEW)
    lines.push(
      `  clock: the control plane’s is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} ours; it is not followed`,
    );
  if (status.rotation !== 'none') lines.push(`  key rotation: ${status.rotation}`);
  if (status.hold !== null) lines.push(`  held back: ${status.hold}`);
  if (status.reverted !== null) lines.push(`  settings reverted: ${status.reverted}`);
  if (status.refused !== null) lines.push(`  refused last: ${status.refused}`);
  return lines;
}
