import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import type { Socket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOCKET_SERVER = fileURLToPath(new URL('./socket-server.mjs', import.meta.url));

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Record<string, string>;
  readonly input?: string;
  /** Milliseconds after which the command is killed; 60 s unless told. */
  readonly limit?: number;
}

export interface SpawnOptions {
  readonly environment?: Record<string, string>;
  /** Where standard output and error go together. */
  readonly logFile: string;
}

export interface UdpOptions {
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port?: number;
}

/** One network namespace: commands, lasting processes and UDP sockets inside it. */
export class Namespace {
  readonly name: string;
  readonly #processes = new Set<ChildProcess>();
  readonly #sockets = new Set<Socket>();
  #server: ChildProcess | undefined;
  #requests = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** `nsenter` rather than `ip netns exec`: the latter also replaces /sys and the mount namespace. */
  #inside(command: readonly string[]): string[] {
    return [`--net=/run/netns/${this.name}`, '--', ...command];
  }

  /** Runs a short command at once; throws with its output when it fails. */
  now(...command: string[]): string {
    return execFileSync('nsenter', this.#inside(command), { encoding: 'utf8', stdio: 'pipe' });
  }

  ip(words: string): string {
    return this.now('ip', ...words.split(' '));
  }

  sysctl(values: Record<string, string>): void {
    this.now('sysctl', '-qw', ...Object.entries(values).map(([name, value]) => `${name}=${value}`));
  }

  /** Replaces the whole nftables rule set of the namespace. */
  nft(rules: string): void {
    execFileSync('nsenter', this.#inside(['nft', '-f', '-']), {
      input: `flush ruleset\n${rules}`,
      stdio: 'pipe',
    });
  }

  /** Runs a command without blocking the test process. */
  run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const child = spawn('nsenter', this.#inside(['setpriv', '--pdeathsig', 'KILL', ...command]), {
      env: { ...process.env, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.limit ?? 60_000,
      killSignal: 'SIGKILL',
    });
    this.#processes.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {}).end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#processes.delete(child);
        resolve({ code: code ?? -1, stdout, stderr: signal ? `${stderr}(ended by ${signal})` : stderr });
      });
    });
  }

  /** Like `run`, and throws with the command's output unless it succeeds; gives its standard output. */
  async get(command: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options);
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Starts a process that lives until it is killed, at the latest with the test process. */
  spawn(command: readonly string[], options: SpawnOptions): ChildProcess {
    const log = openSync(options.logFile, 'a', 0o600);
    const child = spawn('nsenter', this.#inside(['setpriv', '--pdeathsig', 'KILL', ...command]), {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#processes.add(child);
    child.once('exit', () => this.#processes.delete(child));
    return child;
  }

  /** A bound UDP socket that lives in this namespace and belongs to the test process. */
  udp(options: UdpOptions): Promise<Socket> {
    this.#server ??= spawn('nsenter', this.#inside([process.execPath, SOCKET_SERVER]), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const server = this.#server;
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      const answer = (message: { id: number; error?: string }, socket: unknown) => {
        if (message.id !== id) return;
        server.removeListener('message', answer);
        if (message.error !== undefined) return reject(new Error(`${options.address}: ${message.error}`));
        const bound = socket as Socket;
        this.#sockets.add(bound);
        bound.once('close', () => this.#sockets.delete(bound));
        // An ICMP error for an earlier datagram is no concern of a prober.
        bound.on('error', () => {});
        resolve(bound);
      };
      server.on('message', answer);
      server.send({ id, port: 0, ...options });
    });
  }

  #closeSocket(socket: Socket): void {
    this.#sockets.delete(socket);
    try {
      socket.close();
    } catch {
      // The test closed it just now; its event is still to come.
    }
  }

  /** Ends what runs here and closes the sockets; the namespace itself is the lab's to remove. */
  close(): void {
    for (const socket of [...this.#sockets]) this.#closeSocket(socket);
    for (const child of this.#processes) child.kill('SIGKILL');
    this.#server?.disconnect();
    this.#server = undefined;
  }
}
