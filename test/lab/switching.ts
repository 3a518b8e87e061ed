/**
 * `npm run lab:switching [-- --json]`: transports taken away and given back under `ping -i 0.01`, as root, with what
 * became of the pings. Figures, no judgement but one: the session must be the same from start to end.
 */

import { parseArgs } from 'node:util';
import { Flow, type FlowResult, ReachLab } from './reach-lab.js';
import { sleep } from './wait.js';

interface Row extends FlowResult {
  readonly change: string;
  readonly planned: boolean;
  /** Which transport carried the datagrams before and after. */
  readonly from: string;
  readonly to: string;
}

const INNER = '10.97.0.2';
/** Asks soon and often, so that the measurement is short; the usual pauses are longer. */
const OPTIONS = 'PathOptions = returnFirst=1000, returnMost=2000, stability=2000, dwell=2000, cooldown=2000';

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const lab = await ReachLab.start({
  firewallA: 'no-udp',
  a: { own: [OPTIONS], peer: ['Transports = udp, masque, websocket'] },
});

async function measure(
  change: string,
  planned: boolean,
  seconds: number,
  to: string,
  act: () => void,
): Promise<Row> {
  const from = (await lab.a.peer())!.transport;
  const flow = new Flow(lab.a.space, INNER, seconds);
  await sleep(1_000);
  act();
  await lab.a.uses(to, 60_000);
  const row = { change, planned, from, to, ...(await flow.result()) };
  if (!options.json) {
    const lost = row.sent - row.received;
    const figures = `${row.sent} pings, ${lost} lost, ${row.duplicates} doubled, longest gap ${row.longestGap} ms`;
    console.log(`${change}: ${from} -> ${to} (${planned ? 'planned' : 'unplanned'}): ${figures}`);
  }
  return row;
}

try {
  await new Flow(lab.a.space, INNER, 1).result();
  await lab.a.uses('masque');
  const session = (await lab.a.status())!.counters.handshakesCompleted;
  const rows = [
    await measure('UDP passes again', true, 8, 'udp', () => lab.a.firewall('open')),
    await measure('UDP blocked', false, 5, 'masque', () => lab.a.firewall('no-udp')),
    await measure('UDP passes again', true, 12, 'udp', () => lab.a.firewall('open')),
    await measure('UDP blocked', false, 5, 'masque', () => lab.a.firewall('no-udp')),
    await measure('relay killed, UDP passes', false, 5, 'udp', () => {
      lab.a.firewall('open');
      lab.killRelay();
    }),
  ];
  const handshakes = (await lab.a.status())!.counters.handshakesCompleted - session;
  if (options.json) console.log(JSON.stringify({ handshakes, rows }, undefined, 2));
  else console.log(`new handshakes: ${handshakes}`);
  process.exitCode = handshakes === 0 ? 0 : 1;
} finally {
  lab.close();
}
process.exit();
