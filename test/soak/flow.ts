/** One TCP flow through the tunnel for the whole time, with digests of what went in and of what came out. */

import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab/lab.js';
import type { Namespace } from '../lab/namespace.js';
import { until } from '../lab/wait.js';

const STREAM = fileURLToPath(new URL('./stream.mjs', import.meta.url));

export interface FlowOptions {
  /** Short, for reports: `to the right 1`. */
  readonly name: string;
  readonly from: Namespace;
  readonly to: Namespace;
  /** Where the receiver listens. */
  readonly address: string;
  readonly port: number;
  /** Bytes of one digest. */
  readonly chunk: number;
}

/** What one end of a flow has said so far. */
interface Report {
  readonly bytes: number;
  readonly digests: readonly string[];
  /** Total bytes and the digest of the last, unfinished chunk. */
  readonly end: string | undefined;
  readonly error: string | undefined;
}

class StreamEnd {
  readonly process: ChildProcess;
  readonly #log: string;

  constructor(lab: Lab, space: Namespace, role: 'send' | 'receive', options: FlowOptions) {
    const { name, address, port, chunk } = options;
    this.#log = join(lab.directory, `${role} ${name}.log`);
    const words = [role, address, `${port}`, `${chunk}`];
    this.process = space.spawn([process.execPath, STREAM, ...words], { logFile: this.#log });
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  report(): Report {
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    const all = (word: string): string[] =>
      lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
    const end = all('end')[0];
    return {
      bytes: Number((end ?? all('bytes').at(-1) ?? '0').split(' ')[0]),
      digests: all('digest'),
      end,
      error: all('error')[0],
    };
  }
}

export class Flow {
  readonly name: string;
  readonly #receiver: StreamEnd;
  readonly #sender: StreamEnd;
  #seen = 0;
  #seenAt = performance.now();
  #longestStill = 0;

  private constructor(lab: Lab, options: FlowOptions, receiver: StreamEnd) {
    this.name = options.name;
    this.#receiver = receiver;
    this.#sender = new StreamEnd(lab, options.from, 'send', options);
  }

  static async open(lab: Lab, options: FlowOptions): Promise<Flow> {
    const receiver = new StreamEnd(lab, options.to, 'receive', options);
    await until(`the receiver of ${options.name}`, 20_000, async () => {
      if (!receiver.running) throw new Error(`the receiver of ${options.name} ended`);
      return (await options.to.get(['ss', '-Hltn', `sport = :${options.port}`])) !== '';
    });
    return new Flow(lab, options, receiver);
  }

  /** Looks how far it is: bytes received since the last look. */
  look(): number {
    const { bytes } = this.#receiver.report();
    const now = performance.now();
    const more = bytes - this.#seen;
    this.#longestStill = Math.max(this.#longestStill, now - this.#seenAt);
    if (more > 0) {
      this.#seen = bytes;
      this.#seenAt = now;
    }
    return more;
  }

  /** Bytes received as of the last look. */
  get bytes(): number {
    return this.#seen;
  }

  /** The longest time, in ms, in which nothing new was seen. */
  get longestStill(): number {
    return this.#longestStill;
  }

  /** Chunks whose digests could be compared so far. */
  get chunks(): number {
    return this.#receiver.report().digests.length;
  }

  /** Why the flow is lost, or `undefined`. */
  get fault(): string | undefined {
    for (const [role, end] of [['sender', this.#sender] as const, ['receiver', this.#receiver] as const]) {
      const { error, end: last } = end.report();
      if (error !== undefined) return `${this.name}: ${role}: ${error}`;
      if (!end.running && last === undefined) return `${this.name}: the ${role} ended`;
    }
    return undefined;
  }

  /** Ends the flow and lets what is under way arrive. */
  async finish(limit: number): Promise<void> {
    this.#sender.process.kill('SIGTERM');
    await until(`the end of ${this.name}`, limit, () => !this.#sender.running && !this.#receiver.running);
    this.look();
  }

  /** After `finish`: what came out differently from what went in; nothing when all is well. */
  differences(): string[] {
    const sent = this.#sender.report();
    const received = this.#receiver.report();
    const faults: string[] = [];
    const count = Math.max(sent.digests.length, received.digests.length);
    for (let i = 0; i < count; i++) {
      if (sent.digests[i] !== received.digests[i])
        faults.push(
          `${this.name}: digest ${i + 1}: sent ${sent.digests[i]}, received ${received.digests[i]}`,
        );
    }
    if (sent.end === undefined || sent.end !== received.end)
      faults.push(`${this.name}: the end: sent ${sent.end}, received ${received.end}`);
    return faults;
  }
}
