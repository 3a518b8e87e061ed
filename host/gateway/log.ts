import { pino } from 'pino';
import type { Log, LogFields, LogLevel } from '../../src/ports.js';

export type LogFormat = 'json' | 'human';
/** What `--log-level` takes: the core's levels and `silent`. */
export type LogThreshold = LogLevel | 'silent';

export const LOG_THRESHOLDS: readonly LogThreshold[] = ['silent', 'error', 'warn', 'info', 'debug'];

/** Logs go to standard error: standard output belongs to what a command answers. */
const STDERR = 2;

/** `LOG_LEVEL` as wireguard-go and wg-quick users write it (`verbose` is our `debug`); undefined when not a level. */
export function thresholdFrom(text: string | undefined): LogThreshold | undefined {
  if (text === undefined) return undefined;
  const lower = text.toLowerCase();
  if (lower === 'verbose') return 'debug';
  return LOG_THRESHOLDS.find((level) => level === lower);
}

/** JSON lines for machines, short lines for a terminal. */
export function openLog(format: LogFormat, threshold: LogThreshold): Log {
  return format === 'json' ? new JsonLog(threshold) : new HumanLog(threshold, process.stderr.isTTY === true);
}

/** One JSON object a line: `level`, `time` (ms since 1970), `event`, then the fields. */
class JsonLog implements Log {
  private readonly logger: ReturnType<typeof pino>;

  constructor(threshold: LogThreshold) {
    this.logger = pino(
      {
        level: threshold,
        messageKey: 'event',
        base: { pid: process.pid },
        formatters: { level: (label) => ({ level: label }) },
      },
      // Written at once, so that the last words before a crash are not lost.
      pino.destination({ fd: STDERR, sync: true }),
    );
  }

  write(level: LogLevel, event: string, fields?: LogFields): void {
    this.logger[level](fields ?? {}, event);
  }
}

const COLOURS: Readonly<Record<LogLevel, string>> = {
  error: '\x1b[31m',
  warn: '\x1b[33m',
  info: '\x1b[32m',
  debug: '\x1b[90m',
};

/** `12:34:56.789 info  handshake-complete peer=4t2X… ms=12`. */
class HumanLog implements Log {
  private readonly threshold: number;
  private readonly colour: boolean;

  constructor(threshold: LogThreshold, colour: boolean) {
    this.threshold = LOG_THRESHOLDS.indexOf(threshold);
    this.colour = colour && process.env.NO_COLOR === undefined;
  }

  write(level: LogLevel, event: string, fields?: LogFields): void {
    if (LOG_THRESHOLDS.indexOf(level) > this.threshold) return;
    const time = new Date().toISOString().slice(11, 23);
    const label = this.colour ? `${COLOURS[level]}${level.padEnd(5)}\x1b[0m` : level.padEnd(5);
    let line = `${time} ${label} ${event}`;
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (value !== undefined) line += ` ${name}=${quoteIfNeeded(String(value))}`;
    }
    process.stderr.write(`${line}\n`);
  }
}

/** Control characters could forge lines or drive the terminal, so anything but plain text is quoted and escaped. */
function quoteIfNeeded(text: string): string {
  return /^[\w.:/@+=,[\]%-]+$/.test(text) ? text : JSON.stringify(text).replace(/[\x7f-\x9f]/g, '?');
}
