import type { Clock, Log, LogFields, LogLevel } from '../../src/ports.js';

const LEVELS: readonly LogLevel[] = Object.freeze(['error', 'warn', 'info', 'debug']);
const DAY = 86_400_000;

/** One line an event for people: `12:34:56.789 info  session-established peer=4t2X…`; the time is UTC. */
export class LineLog implements Log {
  readonly #write: (line: string) => void;
  readonly #clock: Clock;
  readonly #threshold: number;

  /** `write` gets whole lines. */
  constructor(write: (line: string) => void, clock: Clock, threshold: LogLevel | 'silent') {
    this.#write = write;
    this.#clock = clock;
    this.#threshold = threshold === 'silent' ? -1 : LEVELS.indexOf(threshold);
  }

  write(level: LogLevel, event: string, fields?: LogFields): void {
    if (LEVELS.indexOf(level) > this.#threshold) return;
    let line = `${timeOfDay(this.#clock.wall())} ${level.padEnd(5)} ${event}`;
    for (const name in fields) {
      const value = fields[name];
      if (value !== undefined) line += ` ${name}=${quoteIfNeeded(String(value))}`;
    }
    this.#write(`${line}\n`);
  }
}

/** Levels by the names of the command line. */
export function thresholdOf(text: string): LogLevel | 'silent' | undefined {
  return text === 'silent' ? text : LEVELS.find((level) => level === text);
}

function timeOfDay(wall: number): string {
  const ms = Math.floor(wall % DAY);
  const two = (value: number) => String(value % 60).padStart(2, '0');
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0');
  return `${hours}:${two(minutes)}:${two(seconds)}.${String(ms % 1000).padStart(3, '0')}`;
}

/** Control characters could forge lines or drive the terminal, so anything but plain text is quoted and escaped. */
function quoteIfNeeded(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code === 0x22 || code === 0x5c || code >= 0x7f) return quoted(text);
  }
  return text === '' ? '""' : text;
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\x7f-\x9f]/g, '?');
}
