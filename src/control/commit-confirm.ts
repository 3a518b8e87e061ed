/**
 * Settings from afar under commit-confirm: a revision is tried, and kept only if a heartbeat that names it is
 * acknowledged in time. Otherwise, and after a restart during the trial, the last confirmed settings stand again:
 * a change that costs the gateway its heartbeat undoes itself.
 */

import type { SealedStore } from '../identity/sealed-store.js';
import type { Clock, Log } from '../ports.js';
import type { RecordValue } from './shape.js';

const RECORD = 'configuration';

/** Seconds between heartbeats in the metered profile, unless the settings say another number. */
export const METERED_HEARTBEAT = 120;

export interface Settings {
  readonly mtu?: number;
  /** Seconds. */
  readonly keepalive?: number;
  /** Seconds. */
  readonly heartbeat?: number;
  readonly metered?: boolean;
  readonly log_level?: 'error' | 'warn' | 'info' | 'debug';
  readonly control?: readonly string[];
}

interface Revision {
  readonly revision: number;
  readonly settings: Settings;
}

interface Stored {
  readonly confirmed: Revision;
  readonly trial?: Revision;
  /** The last revision that was tried in vain: it is not tried again. */
  readonly failed?: { readonly revision: number; readonly reason: string };
}

export interface SettingsReport {
  readonly revision: number;
  readonly result: 'applied' | 'confirmed' | 'reverted' | 'refused';
  readonly reason?: string;
}

export interface CommitConfirmOptions {
  readonly clock: Clock;
  readonly store: SealedStore;
  readonly log?: Log;
  /** Puts settings into effect: those of a trial, or the confirmed ones again. Throws a RangeError to refuse a trial. */
  readonly apply: (settings: Settings) => void;
  /** What became of a revision, for the server. */
  readonly report: (report: SettingsReport) => void;
}

/** Made anew each time: XS does not write an object that lies in flash as JSON. */
function none(): Stored {
  return { confirmed: { revision: 0, settings: {} } };
}

export class CommitConfirm {
  readonly #options: CommitConfirmOptions;
  #stored: Stored;
  #deadline = Number.POSITIVE_INFINITY;
  /** Told when somebody listens. */
  #untold: SettingsReport | undefined;

  /** Takes back a trial that a restart interrupted. Throws what the store throws. */
  constructor(options: CommitConfirmOptions) {
    this.#options = options;
    this.#stored = (options.store.read(RECORD) as Stored | undefined) ?? none();
    const { trial } = this.#stored;
    if (trial) this.#untold = this.#fail(trial.revision, 'the gateway restarted during the trial');
  }

  /** The settings in effect. */
  get settings(): Settings {
    return (this.#stored.trial ?? this.#stored.confirmed).settings;
  }

  /** The revision in effect; a heartbeat carries it. */
  get revision(): number {
    return (this.#stored.trial ?? this.#stored.confirmed).revision;
  }

  get onTrial(): boolean {
    return this.#stored.trial !== undefined;
  }

  /** The last revision that was reverted or refused, and why. */
  get failed(): { readonly revision: number; readonly reason: string } | undefined {
    return this.#stored.failed;
  }

  /** A message of type `configuration`, checked for shape. Throws what the store throws, and nothing has changed. */
  propose(data: RecordValue): void {
    const revision = data.revision as number;
    const { confirmed, trial, failed } = this.#stored;
    if (revision === trial?.revision) return;
    if (revision === failed?.revision) {
      this.#report({ revision, result: 'reverted', reason: failed.reason });
      return;
    }
    if (revision <= confirmed.revision) {
      const known = revision === confirmed.revision;
      this.#report({ revision, result: known ? 'confirmed' : 'refused', reason: known ? undefined : 'old' });
      return;
    }
    const settings = data.settings as Settings;
    this.#write({ confirmed, failed, trial: { revision, settings } });
    this.#deadline = this.#options.clock.monotonic() + (data.confirm_within as number) * 1000;
    try {
      this.#options.apply(settings);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const { reason } = this.#fail(revision, error.message);
      this.#options.apply(this.settings);
      this.#report({ revision, result: 'refused', reason });
      return;
    }
    this.#report({ revision, result: 'applied' });
  }

  /** A new session: what the last one, or the last start, may have had no time to tell is told again. */
  resume(): void {
    const { confirmed, trial, failed } = this.#stored;
    if (trial) return;
    if (failed && failed.revision > confirmed.revision) {
      this.#untold = { revision: failed.revision, result: 'reverted', reason: failed.reason };
    } else if (confirmed.revision > 0) {
      this.#untold = { revision: confirmed.revision, result: 'confirmed' };
    }
  }

  /** A heartbeat that named this revision was acknowledged. */
  acknowledged(revision: number): void {
    if (this.#untold) {
      this.#report(this.#untold);
      this.#untold = undefined;
    }
    const { trial } = this.#stored;
    if (trial === undefined || trial.revision !== revision) return;
    this.#write({ confirmed: trial });
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#report({ revision, result: 'confirmed' });
  }

  /** Monotonic ms. */
  nextDeadline(): number {
    return this.#deadline;
  }

  advance(): void {
    const { trial } = this.#stored;
    if (!trial || this.#options.clock.monotonic() < this.#deadline) return;
    this.#untold = this.#fail(trial.revision, 'no heartbeat was acknowledged in time');
    this.#options.apply(this.settings);
  }

  #fail(revision: number, reason: string): SettingsReport {
    const short = reason.slice(0, 96);
    this.#write({ confirmed: this.#stored.confirmed, failed: { revision, reason: short } });
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#options.log?.write('warn', 'configuration-reverted', { revision, reason: short });
    return { revision, result: 'reverted', reason: short };
  }

  #write(stored: Stored): void {
    this.#options.store.write(RECORD, stored);
    this.#stored = stored;
  }

  #report(report: SettingsReport): void {
    this.#options.report(report);
  }
}
