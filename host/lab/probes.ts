import type { ProbeView } from './view.js';

/** One pair of gateways and what was sent from one to the other; changed in place as answers come. */
export interface Probe extends ProbeView {
  sent: number;
  answered: number;
  milliseconds: number | undefined;
  detail: string;
}

/** Counts what was sent through the tunnel and what came back, by pair. */
export class Probes {
  private readonly pairs = new Map<string, Probe>();

  begin(from: number, to: number): Probe {
    const key = `${from} ${to}`;
    let probe = this.pairs.get(key);
    if (probe === undefined) {
      probe = { from, to, sent: 0, answered: 0, milliseconds: undefined, detail: 'asked' };
      this.pairs.set(key, probe);
    }
    probe.sent++;
    return probe;
  }

  /** `milliseconds` is undefined when no right answer came. */
  end(probe: Probe, milliseconds: number | undefined, detail: string): void {
    if (milliseconds !== undefined) probe.answered++;
    // Microseconds are as fine as Node measures them anywhere near honestly.
    probe.milliseconds = milliseconds === undefined ? undefined : Math.round(milliseconds * 1000) / 1000;
    probe.detail = detail;
  }

  /** As they are now. */
  list(): ProbeView[] {
    return Array.from(this.pairs.values(), (probe) => ({ ...probe })).sort(
      (a, b) => a.from - b.from || a.to - b.to,
    );
  }
}
