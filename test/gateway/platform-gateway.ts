import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '../lab/wait.js';

export const PROGRAM = fileURLToPath(new URL('../../dist/cloudbridge-gateway.js', import.meta.url));

/** A gateway as a user starts it, perhaps behind other words (`nsenter ...`), with its log at hand. */
export class GatewayUnderTest {
  /** The process started; the gateway itself, since the words before it replace themselves by it. */
  readonly process: ChildProcess;
  readonly exited: Promise<number>;
  output = '';

  constructor(before: readonly string[], args: readonly string[], environment: Record<string, string> = {}) {
    const [program, ...rest] = [...before, process.execPath, PROGRAM, ...args, '--log-format', 'json'];
    this.process = spawn(program, rest, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.exited = new Promise((resolve) => {
      // Not `exit`: the last words are to be read, too.
      this.process.once('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 128)));
    });
  }

  /** The fields of the first log line of this event. */
  event(name: string): Record<string, unknown> | undefined {
    for (const line of this.output.split('\n')) {
      if (line.startsWith('{') && line.endsWith('}') && line.includes(`"event":"${name}"`))
        return JSON.parse(line);
    }
    return undefined;
  }

  async up(): Promise<Record<string, unknown>> {
    let over = false;
    void this.exited.then(() => {
      over = true;
    });
    return until('the gateway is up', 15_000, () => {
      if (over) throw new Error(`the gateway ended:\n${this.output}`);
      return this.event('up');
    });
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.process.kill(signal);
    return this.exited;
  }
}
