import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../gateway/errors.js';
import type { Lab } from './lab.js';
import { type OutageReport, type RoundReport, runRound } from './round.js';
import type { LabView, ProbeView } from './view.js';

/** Pause between two rounds of traffic, in ms. */
const PAUSE = 100;

/** A full round; then the control plane is killed, traffic goes on without it, and it comes back. */
export async function runOnce(lab: Lab, signal: AbortSignal): Promise<RoundReport> {
  const round = await runRound(lab, signal);
  if (!round.ok) return round;
  const missing: string[] = [];
  const before = await lab.look();
  const watch = async (what: string, lamp: 'red' | 'green'): Promise<LabView> => {
    for (;;) {
      await Promise.all([lab.pingAll(), lab.requestAll()]);
      const view = await lab.look();
      const late = view.gateways.filter(({ lamps }) => lamps.control !== lamp);
      if (late.length === 0 && view.silent.length === 0) return view;
      if (signal.aborted) {
        for (const { number, lamps } of late)
          missing.push(`${what}: gateway ${number}'s control lamp is ${lamps.control} (${lamps.session})`);
        for (const { number, reason } of view.silent) missing.push(`${what}: gateway ${number}: ${reason}`);
        return view;
      }
      await sleep(PAUSE);
    }
  };

  await lab.control.kill();
  const killedAt = lab.seconds;
  const without = await watch('without the control plane', 'red');
  for (const { number, lamps } of without.gateways) {
    if (lamps.data !== 'green')
      missing.push(`gateway ${number}'s data lamp went ${lamps.data} with the control plane`);
  }
  lab.control.restart();
  const restartedAt = lab.seconds;
  await lab.control.ready(signal).catch((error) => missing.push(messageOf(error)));
  const after = await watch('after its return', 'green');

  const outage: OutageReport = {
    seconds: rounded(restartedAt - killedAt),
    lampsRed: without.gateways.every(({ lamps }) => lamps.control === 'red'),
    dataGreen: without.gateways.every(({ lamps }) => lamps.data === 'green'),
    pings: counted(before.pings, after.pings),
    requests: counted(before.requests, after.requests),
    greenAgain: after.gateways.every(({ lamps }) => lamps.control === 'green'),
    greenAgainSeconds: rounded(lab.seconds - restartedAt),
  };
  for (const [name, { sent, answered }] of Object.entries({ ping: outage.pings, request: outage.requests })) {
    if (answered < sent) missing.push(`${sent - answered} of ${sent} ${name}s were lost around the outage`);
  }
  return { ...round, ok: missing.length === 0, seconds: rounded(lab.seconds), outage, missing };
}

/** What was sent between two looks, and what of it was answered. */
function counted(
  before: readonly ProbeView[],
  after: readonly ProbeView[],
): { sent: number; answered: number } {
  const sum = (probes: readonly ProbeView[], key: 'sent' | 'answered') =>
    probes.reduce((total, probe) => total + probe[key], 0);
  return {
    sent: sum(after, 'sent') - sum(before, 'sent'),
    answered: sum(after, 'answered') - sum(before, 'answered'),
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
