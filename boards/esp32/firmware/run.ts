import Timer from 'timer';
import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import type { Log } from '../../../src/ports.js';
import { FlashStore } from '../../native/esp32/store.js';
import { Chip, ChipClock } from '../../native/esp32/system.js';
import { NativePrimitives } from '../../native/primitives.js';
import { failedPrimitives } from '../../native/self-test.js';
import { Edge, messageOf } from '../../xs/edge.js';
import { LineLog } from '../../xs/log.js';
import { VERSION } from '../../xs/version.js';
import { BootGuard, GOOD_AFTER } from './boot-guard.js';
import { ChipControl } from './chip-control.js';
import { ChipGateway } from './chip-gateway.js';
import { readConfiguration } from './configuration.js';
import { Settings } from './settings.js';
import type { Uplink } from './uplink.js';

/** How often the loop is looked after, ms; well below the watchdog's time. */
const TICK = 2_000;

export type MakeUplink = (settings: Settings, log: Log, edge: Edge) => Uplink;

/**
 * The firmware of every chip; boards differ by their uplink. An error while starting is told and ends in a restart,
 * which the boot guard counts.
 */
export function run(makeUplink: MakeUplink): void {
  const chip = new Chip();
  const clock = new ChipClock();
  const log = new LineLog((line) => chip.print(line), clock, 'info');
  try {
    start(makeUplink, chip, clock, log);
  } catch (error) {
    log.write('error', 'start-failed', { reason: messageOf(error) });
    throw error;
  }
}

function start(makeUplink: MakeUplink, chip: Chip, clock: ChipClock, log: LineLog): void {
  log.write('info', 'cloudbridge-gateway', { version: VERSION });
  const edge = new Edge(log, clock);
  const primitives = new NativePrimitives();
  const failed = failedPrimitives(primitives);
  if (failed.length > 0) throw new Error(`the primitives give wrong answers: ${failed.join(', ')}`);
  const store = new FlashStore();
  const guard = new BootGuard(store, primitives);
  const settings = new Settings(store);
  const enrols = settings.claim !== undefined || store.get('enrolment') !== undefined;
  const config = enrols ? undefined : chooseConfiguration(guard, chip.crashed, primitives, log);
  if (config === undefined && !enrols) return;
  const uplink = makeUplink(settings, log, edge);
  const { shareSite } = settings;
  const common = { uplink, shareSite, primitives, store, clock, edge, log };
  // The uplink starts the network stack, which the tunnel then joins; its call comes on a later turn of the loop.
  let running: ChipGateway | undefined;
  if (config !== undefined) {
    uplink.begin(() => running?.linkUp());
    running = new ChipGateway({ ...common, config });
  } else {
    const control = new ChipControl({ ...common, settings });
    uplink.begin(() => {
      if (running) running.linkUp();
      else
        control.linkUp((managed) => {
          const configuration = managed.configuration(managed.lastPort);
          running = new ChipGateway({ ...common, managed, config: configuration });
          running.linkUp();
        });
    });
  }
  if (!chip.beginWatchdog()) log.write('warn', 'no-watchdog');
  const goodAt = clock.monotonic() + GOOD_AFTER;
  let confirmed = false;
  Timer.repeat(() => {
    try {
      running?.poll();
      if (chip.keyPressed) running?.tellStatus();
      if (running?.advances ?? true) chip.feedWatchdog();
      if (!confirmed && clock.monotonic() >= goodAt) {
        confirmed = true;
        guard.confirm();
      }
    } catch (error) {
      edge.caught('tick', error);
    }
  }, TICK);
}

/** `undefined` when there is nothing to run; the log says what to do. */
function chooseConfiguration(
  guard: BootGuard,
  crashed: boolean,
  primitives: Primitives,
  log: Log,
): TunnelConfig | undefined {
  for (let attempt = 0; attempt < 2; attempt++) {
    const choice = guard.choose(crashed && attempt === 0);
    if (choice.kind === 'none') break;
    const { config, problems } = readConfiguration(choice.text, 'tunnel', primitives);
    for (const problem of problems) log.write(config ? 'warn' : 'error', 'configuration', { problem });
    if (choice.kind === 'good') log.write('warn', 'last-good-configuration', { crashes: choice.crashes });
    if (config !== undefined) return config;
    if (choice.kind === 'good') break;
    guard.reject(choice.text);
  }
  log.write('error', 'no-configuration', { remedy: 'see boards/esp32/README.md, "Provisioning"' });
  return undefined;
}
