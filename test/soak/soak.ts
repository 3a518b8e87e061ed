/**
 * A tunnel under full load in both directions for as long as wanted, while its keys change, one end moves about and bits
 * flip on the wire: nothing may be lost but single packets, nothing may arrive changed, nothing may grow.
 */

import type { TierChoice } from '../../host/gateway/request.js';
import type { Namespace } from '../lab/namespace.js';
import type { TunnelConfig } from '../lab/tunnel-config.js';
import type { TunnelEnd } from '../lab/tunnel-end.js';
import { sleep, until } from '../lab/wait.js';
import { WireGuardGoEnd } from '../lab/wireguard-go-end.js';
import { keyPair } from '../wireguard/reference/identity.js';
import { Flow } from './flow.js';
import { growth, type Sample, sampleOf } from './memory.js';
import { Roaming } from './roaming.js';
import { SoakEnd } from './soak-end.js';
import { LEFT, RIGHT, Wire } from './wire.js';

export interface SoakOptions {
  readonly seconds: number;
  readonly tier: TierChoice;
  readonly against: 'ours' | 'wireguard-go';
  /** TCP flows in each direction. */
  readonly flows: number;
  /** Bytes of one md5 digest. */
  readonly chunk: number;
  /** Seconds between two key changes, between two moves of the left end, and between two reports. */
  readonly rekey: number;
  readonly roam: number;
  readonly report: number;
  /** One buffer of so many on the wire has a bit flipped. */
  readonly flipOneIn: number;
  readonly say: (text: string) => void;
}

export interface SoakResult {
  /** Nothing when all is well. */
  readonly faults: readonly string[];
  readonly summary: readonly string[];
}

/** What a run came to. */
interface Found {
  readonly seconds: number;
  readonly flips: number;
  readonly refused: number;
  readonly rekeys: number;
}

const INNER = { left: '10.72.0.1', right: '10.72.0.2' };
/** Shorter runs say nothing of growth. */
const LEAST_SECONDS = 240;
const FIRST_PORT = 5600;
/** ms without a byte after which a flow is lost. */
const STILL = 60_000;
/** ms in which what is under way must arrive at the end. */
const FINISH = 60_000;

/** Counters of messages that were refused for what is in them; a flipped bit ends in one of these. */
const REFUSALS = [
  'malformed',
  'unknownIndex',
  'badTag',
  'badMac',
  'refusedInitiations',
  'refusedResponses',
  'strideUnknown',
] as const;

export class Soak {
  readonly #options: SoakOptions;
  readonly #wire = new Wire();
  readonly #left: SoakEnd;
  readonly #right: TunnelEnd;
  readonly #flows: Flow[] = [];
  readonly #roaming: Roaming;
  readonly #faults: string[] = [];
  readonly #samples = new Map<TunnelEnd, Sample[]>();
  #tier = '';

  constructor(options: SoakOptions) {
    this.#options = options;
    const leftKeys = keyPair();
    const rightKeys = keyPair();
    const config = (side: 'left' | 'right'): TunnelConfig => ({
      keys: side === 'left' ? leftKeys : rightKeys,
      listenPort: side === 'left' ? LEFT.port : RIGHT.port,
      addresses: [`${INNER[side]}/24`],
      peers: [
        {
          publicKey: (side === 'left' ? rightKeys : leftKeys).publicKey,
          allowedIps: [`${side === 'left' ? INNER.right : INNER.left}/32`],
          // The right end only ever learns where the left one is.
          endpoint: side === 'left' ? `${RIGHT.address}:${RIGHT.port}` : undefined,
        },
      ],
    });
    const { lab, left, right } = this.#wire;
    this.#left = new SoakEnd(lab, left, config('left'), options);
    this.#right =
      options.against === 'ours'
        ? new SoakEnd(lab, right, config('right'), options)
        : new WireGuardGoEnd(lab, right, config('right'));
    this.#roaming = new Roaming(this.#wire, this.#left, this.#right);
    for (const end of this.#ends) this.#samples.set(end, []);
  }

  get #ends(): readonly TunnelEnd[] {
    return [this.#left, this.#right];
  }

  /** Rejects when it cannot even begin; whatever goes wrong later is a fault. */
  async run(): Promise<SoakResult> {
    const { seconds, flipOneIn } = this.#options;
    try {
      await Promise.all(this.#ends.map((end) => end.start()));
      await this.#open();
      this.#wire.flip(flipOneIn);
      const began = performance.now();
      await this.#watch(began, began + seconds * 1000);
      return await this.#finish((performance.now() - began) / 1000);
    } finally {
      this.#wire.close();
    }
  }

  async #open(): Promise<void> {
    const { left, right, lab } = this.#wire;
    await until('the first answer through the tunnel', 30_000, async () => {
      const { code } = await left.run(['ping', '-c', '1', '-W', '1', INNER.right]);
      return code === 0;
    });
    this.#tier = (await this.#left.statusDocument()).tier;
    const { flows, chunk } = this.#options;
    let port = FIRST_PORT;
    const open = async (name: string, from: Namespace, to: Namespace, address: string): Promise<void> => {
      for (let i = 1; i <= flows; i++)
        this.#flows.push(
          await Flow.open(lab, { name: `${name} ${i}`, from, to, address, port: port++, chunk }),
        );
    };
    await open('to the right', left, right, INNER.right);
    await open('to the left', right, left, INNER.left);
  }

  async #watch(began: number, end: number): Promise<void> {
    const { roam, report } = this.#options;
    let nextMove = began + roam * 1000;
    let nextReport = began + report * 1000;
    let lastReport = began;
    while (performance.now() < end && this.#faults.length === 0) {
      await sleep(250);
      const now = performance.now();
      this.#checkFlows();
      if (now >= nextMove) {
        this.#fault(await this.#roaming.move());
        nextMove = Math.max(nextMove + roam * 1000, performance.now());
      }
      if (now < nextReport) continue;
      nextReport += report * 1000;
      await this.#report(now - began, now - lastReport);
      lastReport = now;
    }
  }

  #fault(text: string | undefined): void {
    if (text !== undefined) this.#faults.push(text);
  }

  #checkFlows(): void {
    for (const flow of this.#flows) this.#fault(flow.fault);
    for (const end of this.#ends)
      if (!end.running) this.#fault(`${end.name} has ended:\n${end.log().slice(-2000)}`);
  }

  async #report(elapsed: number, since: number): Promise<void> {
    const rates = { right: 0, left: 0 };
    for (const flow of this.#flows) {
      const more = flow.look();
      rates[flow.name.startsWith('to the right') ? 'right' : 'left'] += more;
      if (flow.longestStill > STILL) this.#fault(`${flow.name}: nothing for ${STILL / 1000} s`);
    }
    for (const end of this.#ends) this.#samples.get(end)?.push(sampleOf(end.pid));
    const megabits = (bytes: number): string => ((bytes * 8) / 1000 / since).toFixed(0);
    const memory = this.#ends.map((end) => this.#samples.get(end)?.at(-1)?.memory.toFixed(0)).join(' and ');
    this.#options.say(
      `${clock(elapsed)} of ${clock(this.#options.seconds * 1000)}: ${megabits(rates.right)} Mbit/s to the right, ` +
        `${megabits(rates.left)} to the left; ${await this.#rekeys()} rekeys, ${this.#roaming.moves} moves, ` +
        `${await this.#wire.flips()} bits flipped, ${await this.#refused()} messages refused; memory ${memory} MB`,
    );
  }

  /** Handshakes after the first one; the left end is always ours. */
  async #rekeys(): Promise<number> {
    return ((await this.#left.statusDocument()).counters.handshakesCompleted ?? 0) - 1;
  }

  /** Messages that our ends refused for their contents. */
  async #refused(): Promise<number> {
    let sum = 0;
    for (const end of this.#ends) {
      if (!(end instanceof SoakEnd)) continue;
      const { counters } = await end.statusDocument();
      for (const name of REFUSALS) sum += counters[name] ?? 0;
    }
    return sum;
  }

  async #finish(seconds: number): Promise<SoakResult> {
    const flips = await this.#wire.flips();
    for (const flow of this.#flows) {
      if (flow.fault !== undefined) continue;
      try {
        await flow.finish(FINISH);
        this.#faults.push(...flow.differences());
      } catch (error) {
        this.#fault((error as Error).message);
      }
    }
    const found = { seconds, flips, refused: await this.#refused(), rekeys: await this.#rekeys() };
    this.#judge(found);
    return { faults: this.#faults, summary: await this.#summary(found) };
  }

  #judge({ seconds, flips, refused, rekeys }: Found): void {
    const { rekey, roam, tier } = this.#options;
    if (tier !== 'auto' && this.#tier !== tier) this.#fault(`tier ${this.#tier} served, not ${tier}`);
    // A handshake that loses a message to a flipped bit is tried again some seconds later.
    const leastRekeys = Math.floor(seconds / (2 * rekey));
    if (rekeys < leastRekeys) this.#fault(`only ${rekeys} rekeys, ${leastRekeys} were due`);
    const leastMoves = Math.floor(seconds / (3 * roam));
    if (this.#roaming.moves < leastMoves) this.#fault(`only ${this.#roaming.moves} moves`);
    if (flips === 0) this.#fault('no bit was flipped: nothing was shown');
    // Some of them die in a full socket buffer, or at a port that was left behind; wireguard-go does not tell.
    else if (refused < flips / (this.#options.against === 'ours' ? 2 : 8))
      this.#fault(`${flips} bits were flipped and only ${refused} messages refused`);
    for (const [end, samples] of this.#samples) {
      const grown = this.#isJudged(end, seconds) ? growth(samples) : undefined;
      if (grown !== undefined) this.#fault(`${end.name}: ${grown}`);
    }
    for (const end of this.#ends) {
      if (end instanceof SoakEnd && /"level":"error"|"unexpected"/.test(end.log()))
        this.#fault(`${end.name} logged an error:\n${end.log().slice(-2000)}`);
    }
  }

  /** Of others we only tell; and the heap of a collector takes minutes to find its size. */
  #isJudged(end: TunnelEnd, seconds: number): boolean {
    return end instanceof SoakEnd && seconds >= LEAST_SECONDS;
  }

  async #summary({ seconds, flips, refused, rekeys }: Found): Promise<string[]> {
    const gigabytes = (flow: Flow): string =>
      `${flow.name}: ${(flow.bytes / 1e9).toFixed(2)} GB (${((flow.bytes * 8) / 1e6 / seconds).toFixed(0)} Mbit/s), ` +
      `${flow.chunks} whole digests of ${this.#options.chunk / 1e6} MB and the rest's, ` +
      `never still for more than ${(flow.longestStill / 1000).toFixed(1)} s`;
    const lines = [
      `tier ${this.#tier} against ${this.#options.against}, ${clock(seconds * 1000)}`,
      ...this.#flows.map(gigabytes),
      `${rekeys} rekeys, ${this.#roaming.moves} moves followed`,
      `${flips} bits flipped on the wire, ${refused} messages refused for their contents`,
    ];
    for (const [end, samples] of this.#samples) {
      const of = (what: keyof Sample): number[] => samples.map((sample) => sample[what]);
      if (samples.length === 0) continue;
      const judged = this.#isJudged(end, seconds) ? '' : ' (growth not judged)';
      lines.push(
        `${end.name}: ${Math.min(...of('memory')).toFixed(0)} to ${Math.max(...of('memory')).toFixed(0)} MB, ` +
          `last ${of('memory').at(-1)?.toFixed(0)} MB, ${of('descriptors').at(-1)} descriptors${judged}`,
      );
    }
    for (const end of this.#ends) {
      if (!(end instanceof SoakEnd) || !end.running) continue;
      const { counters } = await end.statusDocument();
      const nonzero = Object.entries(counters).filter(([, count]) => count > 0);
      lines.push(`${end.name}: ${nonzero.map(([name, count]) => `${name} ${count}`).join(', ')}`);
    }
    return lines;
  }
}

function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, '0')}`;
}
