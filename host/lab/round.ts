import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.js';
import { bytes } from './table.js';
import type { LabView, PeerView } from './view.js';

/** What happened while the control plane was killed, and after it came back. */
export interface OutageReport {
  /** From its death to its new start. */
  readonly seconds: number;
  /** Every gateway's control lamp went red, and its data lamp stayed green. */
  readonly lampsRed: boolean;
  readonly dataGreen: boolean;
  /** From before its death until after its return, through the tunnels. */
  readonly pings: { readonly sent: number; readonly answered: number };
  readonly requests: { readonly sent: number; readonly answered: number };
  /** Every control lamp was green again, so many seconds after the new start. */
  readonly greenAgain: boolean;
  readonly greenAgainSeconds: number;
}

/** What `--once --json` prints: every link, lamp and request of one round, the outage, and what was missing. */
export interface RoundReport {
  readonly ok: boolean;
  readonly mode: string;
  readonly modeReason: string;
  /** How gateway 1 carries packets: `portable` or `t0`. */
  readonly tier: string;
  readonly seconds: number;
  readonly gateways: readonly {
    readonly number: number;
    readonly address: string;
    /** Its name at the control plane that it enrolled with. */
    readonly gateway: string;
    readonly publicKey: string;
    readonly listenPort: number;
    readonly control: string;
    readonly data: string;
  }[];
  readonly links: readonly {
    readonly from: number;
    readonly to: number;
    readonly transport: string;
    readonly endpoint: string;
    readonly state: string;
    readonly reason: string;
    readonly handshake: boolean;
    readonly handshakeRoundTripMs: number | undefined;
    readonly pingMs: number | undefined;
    readonly receivedBytes: number;
    readonly sentBytes: number;
  }[];
  readonly requests: readonly {
    readonly kind: 'http' | 'udp-echo';
    readonly from: number;
    readonly to: number;
    readonly ok: boolean;
    readonly detail: string;
    readonly milliseconds: number | undefined;
  }[];
  /** Absent when the round before it failed. */
  readonly outage?: OutageReport;
  /** Why something is less than it could be, though nothing failed. */
  readonly notes: readonly string[];
  /** One sentence for each thing that did not come; empty when `ok`. */
  readonly missing: readonly string[];
}

/** Pause between two tries at what is still missing, in ms. */
const RETRY = 200;

/** Does everything once, again where it failed, until nothing is missing or the signal says that time is up. */
export async function runRound(lab: Lab, signal: AbortSignal): Promise<RoundReport> {
  for (;;) {
    await Promise.all([lab.pingAll(), lab.requestAll()]);
    const view = await lab.look();
    const report = judge(lab, view);
    if (report.ok || signal.aborted) return report;
    await sleep(RETRY);
  }
}

function judge(lab: Lab, view: LabView): RoundReport {
  const missing: string[] = [];
  const links: RoundReport['links'][number][] = [];
  const { gateways } = lab.network;
  for (const from of gateways) {
    const seen = view.gateways.find((one) => one.number === from.number);
    if (seen === undefined) {
      const reason = view.silent.find((one) => one.number === from.number)?.reason;
      missing.push(`gateway ${from.number} does not answer: ${reason}`);
      continue;
    }
    for (const lamp of ['control', 'data'] as const) {
      if (seen.lamps[lamp] === 'green') continue;
      missing.push(`gateway ${from.number}: the ${lamp} lamp is ${seen.lamps[lamp]} (${seen.lamps.session})`);
    }
    for (const to of gateways) {
      if (to === from) continue;
      const peer = seen.peers.find((one) => one.number === to.number);
      const link = `gateway ${from.number} to gateway ${to.number}`;
      if (peer === undefined) {
        missing.push(`${link}: it is not among the peers`);
        continue;
      }
      const ping = view.pings.find((one) => one.from === from.number && one.to === to.number);
      links.push({
        from: from.number,
        to: to.number,
        transport: peer.transport,
        endpoint: peer.endpoint,
        state: peer.state,
        reason: peer.reason,
        handshake: peer.handshakeAge !== undefined,
        handshakeRoundTripMs: peer.roundTrip,
        pingMs: ping?.milliseconds,
        receivedBytes: peer.received,
        sentBytes: peer.sent,
      });
      missing.push(...missingOf(peer).map((what) => `${link}: ${what}`));
      if (ping?.milliseconds === undefined) {
        missing.push(`${link}: no ping came back (${ping?.sent ?? 0} sent)`);
      }
    }
  }
  const requests = view.requests.map((request) => ({
    kind: lab.requestKind,
    from: request.from,
    to: request.to,
    ok: request.milliseconds !== undefined,
    detail: request.detail,
    milliseconds: request.milliseconds,
  }));
  for (const request of requests) {
    if (!request.ok) {
      missing.push(
        `${request.kind} request from gateway ${request.from} to ${request.to}: ${request.detail}`,
      );
    }
  }
  return { ...summary(lab, view), ok: missing.length === 0, links, requests, missing };
}

/** The report of a lab that did not come up. */
export function failedRound(lab: Lab, reason: string): RoundReport {
  const control = { running: lab.control.running, url: lab.control.url, seconds: 0 };
  const nothing: LabView = {
    ...{ seconds: lab.seconds, control, gateways: [], silent: [], pings: [], requests: [] },
  };
  return { ok: false, ...summary(lab, nothing), links: [], requests: [], missing: [reason] };
}

/** What is true of the lab however the round went. */
function summary(
  lab: Lab,
  view: LabView,
): Pick<RoundReport, 'mode' | 'modeReason' | 'tier' | 'seconds' | 'gateways' | 'notes'> {
  return {
    mode: view.gateways[0]?.mode ?? lab.mode,
    modeReason: view.gateways[0]?.modeReason ?? '',
    tier: view.gateways[0]?.tier ?? '',
    seconds: Math.round(view.seconds * 1000) / 1000,
    gateways: view.gateways.map(({ number, address, gateway, publicKey, listenPort, lamps }) => {
      const { control, data } = lamps;
      return { number, address, gateway, publicKey, listenPort, control, data };
    }),
    notes: lab.notes,
  };
}

/** One JSON object on one line, or a few sentences. */
export function printRound(report: RoundReport, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(report));
    return;
  }
  console.log(`${report.gateways.length} gateways, mode ${report.mode}: ${report.modeReason}`);
  for (const note of report.notes) console.log(`Note: ${note}`);
  for (const link of report.links) {
    const ping = link.pingMs === undefined ? 'no ping' : `ping ${link.pingMs.toFixed(1)} ms`;
    const traffic = `${bytes(link.receivedBytes)} received, ${bytes(link.sentBytes)} sent`;
    console.log(`gateway ${link.from} to ${link.to}: ${link.state}, ${ping}, ${traffic}`);
  }
  for (const request of report.requests) {
    console.log(`gateway ${request.from} asks gateway ${request.to}: ${request.detail}`);
  }
  for (const { number, gateway, control, data } of report.gateways) {
    console.log(`gateway ${number} enrolled as ${gateway}: control ${control}, data ${data}`);
  }
  if (report.outage) console.log(outageText(report.outage));
  for (const what of report.missing) console.log(`Missing: ${what}`);
  console.log(report.ok ? `All came within ${report.seconds.toFixed(1)} s.` : 'Not everything came.');
}

function outageText({
  seconds,
  pings,
  requests,
  lampsRed,
  greenAgain,
  greenAgainSeconds,
}: OutageReport): string {
  const red = lampsRed ? 'every control lamp went red' : 'not every control lamp went red';
  const green = greenAgain
    ? `all green again ${greenAgainSeconds.toFixed(1)} s after its return`
    : 'not green again';
  const traffic = `${pings.answered} of ${pings.sent} pings and ${requests.answered} of ${requests.sent} requests answered`;
  return `control plane killed for ${seconds.toFixed(1)} s: ${red}, ${traffic}, ${green}`;
}

function missingOf(peer: PeerView): string[] {
  const missing: string[] = [];
  if (peer.handshakeAge === undefined) missing.push(`no handshake (${peer.state}: ${peer.reason})`);
  if (peer.received === 0) missing.push('nothing received');
  if (peer.sent === 0) missing.push('nothing sent');
  return missing;
}
