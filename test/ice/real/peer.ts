/**
 * Other people's ICE agents as programs: signaling is JSON lines on standard input and output. `ufrag` and `pwd`,
 * `candidate`, `end` go both ways; `send` in, `received` and `state` out.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../lab/namespace.js';
import { disguised, type SignalLine } from './gateway-end.js';

const FOLDER = fileURLToPath(new URL('./peers/', import.meta.url));

export type PeerKind = 'werift' | 'aioice' | 'libnice' | 'pion';

/** Compiles into `folder` what has to be compiled; the command that runs the peer. */
export function preparePeer(kind: PeerKind, folder: string): readonly string[] {
  if (kind === 'werift') return [process.execPath, join(FOLDER, 'werift.mjs')];
  // Debian's own interpreter: another one before it in PATH does not know Debian's packages.
  if (kind === 'aioice') return ['/usr/bin/python3', join(FOLDER, 'aioice_peer.py')];
  const program = join(folder, kind);
  if (kind === 'libnice') {
    const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'nice'], { encoding: 'utf8' });
    execFileSync('gcc', ['-o', program, join(FOLDER, 'libnice.c'), ...flags.trim().split(/\s+/)]);
  } else {
    execFileSync('go', ['build', '-o', program, join(FOLDER, 'pion.go')], {
      env: { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' },
      cwd: folder,
    });
  }
  return [program];
}

export interface PeerOptions {
  readonly space: Namespace;
  readonly controlling: boolean;
  readonly stun: string;
  readonly turn?: { readonly server: string; readonly username: string; readonly password: string };
  readonly signal: (line: SignalLine) => void;
}

export class Peer {
  readonly received: string[] = [];
  readonly states: string[] = [];
  /** All it said, for when a test fails. */
  readonly log: string[] = [];
  readonly #child: ChildProcess;

  constructor(command: readonly string[], options: PeerOptions) {
    const { space, controlling, stun, turn } = options;
    const words = [controlling ? 'controlling' : 'controlled', stun];
    words.push(turn?.server ?? '', turn?.username ?? '', turn?.password ?? '');
    this.#child = spawn(
      'nsenter',
      [`--net=/run/netns/${space.name}`, '--', 'setpriv', '--pdeathsig', 'KILL', ...command, ...words],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.log.push(text));
    createInterface({ input: this.#child.stdout! }).on('line', (text) => {
      this.log.push(text);
      const line = JSON.parse(text);
      // What it shows of our text has no control characters of ours in it.
      if (line.received !== undefined) this.received.push(clean(line.received));
      else if (line.state !== undefined) this.states.push(line.state);
      else options.signal(line);
    });
  }

  take(line: SignalLine): void {
    this.#tell(line);
  }

  send(text: string): void {
    this.#tell({ send: disguised(text) });
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #tell(line: object): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }
}

function clean(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '').trim();
}
