import { describe, expect, it } from 'vitest';
import { fleetStory } from './fleet/fleet.js';

describe('a fleet of a thousand on the real client code', () => {
  it('enrols, outlives an hour without its server, and comes back without a stampede', () => {
    const size = 1_000;
    const report = fleetStory({ size, seed: 1, admitted: 500 });
    // Heartbeats spread over their interval: a thousand in 30 s are 33 a second.
    expect(report.heartbeatPeak).toBeLessThan(100);
    // Backing off up to five minutes, twice that on average to the half.
    expect(report.outageAttemptsPerSecond).toBeLessThan(size / 100);
    // No second brings more than one in thirty, and nobody is left behind.
    expect(report.returnPeak).toBeLessThan(size / 30);
    expect(report.recovery).toBeLessThan(400_000);
    // Lost all at once: spread over ten seconds when it crashed.
    expect(report.crashPeak).toBeLessThan(size / 4);
    expect(report.restartPeak).toBeLessThan(size / 4);
    expect(report.crashRecovery).toBeLessThan(60_000);
    expect(report.restartRecovery).toBeLessThan(60_000);
  });
});
