import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUT, FAIR, STORMY, UNTIDY, type Weather } from './network.js';
import { Simulation } from './simulation.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Longest time until two nodes hear each other again on a mended network: one notices silence after 15.3 s, three
 * initiations go unanswered before the name is looked up, each up to 5.3 s, and the next one is answered.
 */
const RECOVERY = 45 * SECOND;

/** Random scenarios to try; SIMULATION_RUNS=1000 looks longer. */
const RUNS = Number(process.env.SIMULATION_RUNS ?? 15);

/** Runs and, if it fails, says with which seed. */
function withSeed(seed: number, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

describe('simulated days', () => {
  it('lose nothing where the network loses nothing, through doubling and reordering', () => {
    for (let seed = 1; seed <= 3; seed++) {
      withSeed(seed, () => {
        const simulation = new Simulation({ seed, nodes: 2, keepalive: 25 });
        simulation.network.weather = UNTIDY;
        simulation.traffic(20 * SECOND);
        simulation.run(DAY);
        simulation.traffic(Infinity);
        simulation.run(MINUTE);
        const { witness } = simulation;
        expect(witness.sent.filter((sent) => sent.delivered !== 1)).toEqual([]);
        expect(witness.sent.length).toBeGreaterThan(7_000);
        // One handshake each two minutes and a few, nothing more, though both ends may ask for it.
        expect(witness.initiations).toBeGreaterThan(DAY / (150 * SECOND));
        expect(witness.initiations).toBeLessThan((DAY / (120 * SECOND)) * 1.2);
      });
    }
  });

  it('stay bounded and recover through storms, cuts, rebinding and reboots', () => {
    for (let seed = 1; seed <= 2; seed++) {
      withSeed(seed, () => {
        const simulation = new Simulation({ seed, nodes: 3, clockless: [1] });
        const { seed: choice, network, witness } = simulation;
        for (let hour = 0; hour < 48; hour++) {
          simulation.traffic(choice.below(4) === 0 ? 20 * MINUTE : 40 * SECOND);
          network.weather = [FAIR, UNTIDY, STORMY, CUT][choice.below(4)];
          for (let i = choice.below(4); i > 0; i--) {
            simulation.run(choice.below(10) * MINUTE);
            if (choice.below(3) === 0) simulation.reboot(choice.below(3));
            else simulation.rebind(choice.below(3));
          }
          simulation.run(5 * MINUTE);
          network.weather = FAIR;
          simulation.traffic(SECOND);
          simulation.run(RECOVERY + 15 * SECOND);
          simulation.requireTraffic(15 * SECOND);
        }
        // Each node asks each other one at most once in 5 s.
        expect(witness.initiations).toBeLessThan((simulation.now / (5 * SECOND)) * 6);
        expect(witness.indicesPerPeer).toBeLessThanOrEqual(5);
        expect(witness.delivered).toBeGreaterThan(20_000);
      });
    }
  }, 60_000);

  it('mend themselves when the only end that can be called has forgotten everything', () => {
    for (let seed = 1; seed <= 10; seed++) {
      withSeed(seed, () => {
        const simulation = new Simulation({ seed, nodes: 3, hidden: [1] });
        simulation.traffic(SECOND);
        simulation.run(MINUTE + seed * 10 * SECOND);
        simulation.requireTraffic(15 * SECOND);
        simulation.reboot(0);
        simulation.rebind(1);
        simulation.run(RECOVERY);
        simulation.requireTraffic(15 * SECOND);
      });
    }
  });

  it('cost nothing when there is nothing to say', () => {
    const simulation = new Simulation({ seed: 1, nodes: 3 });
    simulation.traffic(SECOND);
    simulation.run(MINUTE);
    simulation.traffic(Infinity);
    simulation.run(MINUTE);
    const { dataMessages, initiations } = simulation.witness;
    simulation.run(30 * DAY);
    expect([simulation.witness.dataMessages, simulation.witness.initiations]).toEqual([
      dataMessages,
      initiations,
    ]);
  });
});

describe('whatever happens', () => {
  const weather = fc.record<Weather>({
    loss: fc.constantFrom(0, 0.05, 0.3, 0.8, 1),
    duplication: fc.constantFrom(0, 0.1, 0.5),
    delay: fc.constantFrom([0, 0], [1, 30], [1, 2_000], [3_000, 9_000]),
  });
  const node = fc.nat(2);
  const step = fc.oneof(
    fc.record({ wait: fc.constantFrom(1, 50, 900, 6_000, 31_000, 125_000, 200_000, 600_000) }),
    fc.record({ weather }),
    fc.record({ rebind: node }),
    fc.record({ reboot: node }),
    fc.record({ traffic: fc.constantFrom(50, 1_000, 30_000, 200_000, Infinity) }),
    fc.record({ burst: node }),
    fc.record({ keepalive: node, seconds: fc.constantFrom(0, 1, 25) }),
  );

  type Step = typeof step extends fc.Arbitrary<infer T> ? Partial<T & Record<string, unknown>> : never;

  function act(simulation: Simulation, one: Step): void {
    const act = one as { [name: string]: never };
    if ('wait' in one) simulation.run(act.wait);
    if ('weather' in one) simulation.network.weather = act.weather;
    if ('rebind' in one) simulation.rebind(act.rebind);
    if ('reboot' in one) simulation.reboot(act.reboot);
    if ('traffic' in one) simulation.traffic(act.traffic);
    if ('burst' in one) {
      const from = Number(act.burst) % simulation.size;
      for (let i = 0; i < 200; i++) simulation.send(from, (from + 1) % simulation.size);
    }
    if ('keepalive' in one) {
      for (const peer of simulation.node(act.keepalive).device.peers())
        peer.persistentKeepalive = act.seconds;
    }
  }

  it('nothing is delivered twice or made up, no nonce is used twice, and the network once mended carries again', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 2, max: 3 }),
        fc.boolean(),
        fc.array(step, { minLength: 3, maxLength: 25, size: 'max' }),
        (seed, nodes, hides, steps) => {
          const simulation = new Simulation({ seed, nodes, clockless: [0], hidden: hides ? [1] : [] });
          for (const one of steps) act(simulation, one as Step);
          simulation.network.weather = FAIR;
          simulation.traffic(SECOND);
          simulation.run(RECOVERY + 15 * SECOND);
          simulation.requireTraffic(15 * SECOND);
        },
      ),
      { numRuns: RUNS },
    );
  }, 600_000);
});
