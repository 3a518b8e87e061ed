import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { IP, labSuite, PING, type Requirement } from '../lab/requirements.js';
import { until } from '../lab/wait.js';
import { GatewayUnderTest, PROGRAM } from './platform-gateway.js';

const NOBODY = 65534;
/** Rights are what this is about, so root gives its own away. */
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
const UNSHARE: Requirement = { program: 'unshare', package: 'util-linux' };

const isRoot = process.getuid?.() === 0;
const unprivileged = isRoot ? AS_NOBODY : [];

/** What keeps an ordinary user from it here; the gateway's own words for that are tested elsewhere. */
function obstacle(): string | undefined {
  const attempt = (...command: string[]) => {
    const [program, ...words] = [...unprivileged, ...command];
    const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
    return status === 0 ? undefined : (stderr?.trim() ?? 'not installed');
  };
  if (attempt('test', '-r', PROGRAM) !== undefined) return `an ordinary user cannot read ${PROGRAM}`;
  const tap = ['ip', 'tuntap', 'add', 'cbt0', 'mode', 'tun'];
  const refused = attempt('unshare', '--user', '--map-root-user', '--net', ...tap);
  return refused && `no user namespaces for ordinary users here: ${refused}`;
}

describe('rootless mode', () => {
  const missing = obstacle();
  if (missing !== undefined) it('has what it needs', (context) => context.skip(missing));
  else labSuite('as an ordinary user', [IP, PING, UNSHARE, { file: PROGRAM }], suite);
});

function suite(): void {
  let directory: string;
  let environment: Record<string, string>;
  const started: GatewayUnderTest[] = [];
  const closers: (() => void)[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cb-rootless-'));
    mkdirSync(join(directory, 'run'), { mode: 0o700 });
    if (isRoot) {
      chmodSync(directory, 0o755);
      chownSync(join(directory, 'run'), NOBODY, NOBODY);
    }
    environment = {
      XDG_RUNTIME_DIR: join(directory, 'run'),
      XDG_STATE_HOME: join(directory, 'run', 'state'),
    };
  });
  afterEach(async () => {
    for (const gateway of started.splice(0)) {
      if (gateway.process.exitCode === null) gateway.process.kill('SIGKILL');
      await gateway.exited;
    }
    for (const close of closers.splice(0)) close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** A pair of configurations that know each other. */
  async function pair(): Promise<{ left: string; right: string }> {
    const [left, right] = [keys(), keys()];
    const port = await freeUdpPort();
    return {
      left: configure('left', left.secret, 1, right.public, 2, [`Endpoint = 127.0.0.1:${port}`]),
      right: configure('right', right.secret, 2, left.public, 1, [], [`ListenPort = ${port}`]),
    };
  }

  function configure(
    name: string,
    secret: string,
    own: number,
    peer: string,
    other: number,
    peerLines: readonly string[],
    ownLines: readonly string[] = [],
  ): string {
    const path = join(directory, `${name}.conf`);
    const lines = [
      '[Interface]',
      `PrivateKey = ${secret}`,
      `Address = 10.78.0.${own}/24, fd78::${own}/64`,
      ...ownLines,
    ];
    lines.push(
      '[Peer]',
      `PublicKey = ${peer}`,
      `AllowedIPs = 10.78.0.${other}/32, fd78::${other}/128`,
      ...peerLines,
    );
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
    if (isRoot) chownSync(path, NOBODY, NOBODY);
    return path;
  }

  function start(path: string, ...options: string[]): GatewayUnderTest {
    const gateway = new GatewayUnderTest(
      unprivileged,
      ['up', path, '--mode', 'rootless', ...options],
      environment,
    );
    started.push(gateway);
    return gateway;
  }

  /** The process inside the namespaces. */
  function innerOf(gateway: GatewayUnderTest): number {
    const { pid } = gateway.process;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0]);
  }

  function isAlive(pid: number): boolean {
    // A zombie is dead: whoever adopted it has just not looked yet.
    return (
      existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
    );
  }

  function sockets(): string[] {
    const runtime = join(directory, 'run', 'wireguard');
    return existsSync(runtime) ? readdirSync(runtime) : [];
  }

  function inside(gateway: GatewayUnderTest, ...command: string[]): string {
    const target = ['-t', String(innerOf(gateway)), '--user', '--net', '--preserve-credentials', '--'];
    const [program, ...words] = [...unprivileged, 'nsenter', ...target, ...command];
    const { stdout, stderr, status } = spawnSync(program, words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  function httpService(): Promise<Server> {
    const server = createServer((asked, answer) => {
      let length = 0;
      asked.on('data', (bytes: Buffer) => {
        length += bytes.length;
      });
      asked.on('end', () => answer.end(`${asked.url} ${length}`));
    });
    closers.push(() => server.close());
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
  }

  it('joins two gateways: ping and HTTP over IPv4 and IPv6, forwarded and exposed', async () => {
    const { left, right } = await pair();
    const service = await httpService();
    const [first, second] = [await freeTcpPort(), await freeTcpPort()];
    const server = start(right, '--expose', `80=127.0.0.1:${(service.address() as AddressInfo).port}`);
    await server.up();
    const client = start(
      left,
      ...['--forward', `127.0.0.1:${first}=10.78.0.2:80`, '--forward', `127.0.0.1:${second}=[fd78::2]:80`],
    );
    await client.up();

    expect(inside(client, 'ping', '-n', '-c', '2', '-W', '2', '10.78.0.2')).toContain(' 0% packet loss');
    expect(inside(server, 'ping', '-n', '-c', '2', '-W', '2', 'fd78::1')).toContain(' 0% packet loss');
    expect(await get(first, '/over-ipv4', '')).toBe('/over-ipv4 0');
    expect(await get(second, '/over-ipv6', randomBytes(300_000))).toBe('/over-ipv6 300000');

    expect(client.event('mode')).toMatchObject({ mode: 'rootless' });
    expect(await client.stop(), client.output).toBe(0);
    expect(await server.stop('SIGINT'), server.output).toBe(0);
  });

  it('carries UDP both ways and finds every source back', async () => {
    const { left, right } = await pair();
    const echo = createSocket('udp4');
    closers.push(() => echo.close());
    echo.on('message', (bytes, from) => echo.send(`<${bytes}>`, from.port, from.address));
    await new Promise<void>((resolve) => echo.bind(0, '127.0.0.1', resolve));
    const outside = await freeUdpPort();
    await start(right, '--expose', `udp:5353=127.0.0.1:${echo.address().port}`).up();
    await start(left, '--forward', `udp:127.0.0.1:${outside}=10.78.0.2:5353`).up();
    const answers = await Promise.all(['one', 'two', 'three'].map((word) => askUdp(outside, word)));
    expect(answers).toEqual(['<one>', '<two>', '<three>']);
  });

  it('sets a default route inside without touching the one outside', async () => {
    const before = spawnSync('ip', ['route', 'show', 'table', 'all'], { encoding: 'utf8' }).stdout;
    const [own, other] = [keys(), keys()];
    const path = configure('whole', own.secret, 1, other.public, 2, ['AllowedIPs = 0.0.0.0/0, ::/0']);
    const gateway = start(path);
    await gateway.up();
    expect(inside(gateway, 'ip', 'route', 'get', '203.0.113.1')).toContain('dev whole');
    expect(inside(gateway, 'ip', '-6', 'route', 'get', '2001:db8::1')).toContain('dev whole');
    expect(spawnSync('ip', ['route', 'show', 'table', 'all'], { encoding: 'utf8' }).stdout).toBe(before);
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
    it(`leaves nothing when the outer process gets ${signal}`, async () => {
      const gateway = start((await pair()).right);
      await gateway.up();
      const inner = innerOf(gateway);
      expect(isAlive(inner)).toBe(true);
      await until('the control socket is there', 5_000, () => sockets().length === 1);
      expect(await gateway.stop(signal)).toBe(signal === 'SIGKILL' ? 137 : 0);
      await until('the inner process is gone', 8_000, () => !isAlive(inner));
      expect(sockets()).toEqual([]);
    });
  }

  it('leaves nothing when the inner process is killed, and says so by its exit code', async () => {
    const gateway = start((await pair()).right);
    await gateway.up();
    await until('the control socket is there', 5_000, () => sockets().length === 1);
    process.kill(innerOf(gateway), 'SIGKILL');
    expect(await gateway.exited).toBe(137);
    expect(sockets()).toEqual([]);
  });

  it('passes the exit code and the sentence of a failed start on', async () => {
    const [own, other] = [keys(), keys()];
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(0, resolve));
    closers.push(() => taken.close());
    const { port } = taken.address();
    const path = configure('taken', own.secret, 1, other.public, 2, [], [`ListenPort = ${port}`]);
    const gateway = start(path);
    expect(await gateway.exited).toBe(5);
    expect(gateway.output).toContain(`UDP port ${port} is taken`);
    expect(sockets()).toEqual([]);
  });

  it('undoes everything when a hook fails inside', async () => {
    const [own, other] = [keys(), keys()];
    const note = join(directory, 'run', 'note');
    const hooks = ['PostUp = exit 3', `PostDown = id -u > ${note}`];
    const gateway = start(configure('hook', own.secret, 1, other.public, 2, [], hooks));
    expect(await gateway.exited).toBe(3);
    expect(gateway.output).toContain('a PostUp command of hook ended with status 3');
    // Root, but only of its own namespace.
    expect(readFileSync(note, 'utf8').trim()).toBe('0');
    expect(sockets()).toEqual([]);
  });

  it('keeps the configuration out of arguments and environment', async () => {
    const [own, other] = [keys(), keys()];
    const gateway = start(configure('quiet', own.secret, 1, other.public, 2, []));
    await gateway.up();
    for (const pid of [gateway.process.pid, innerOf(gateway)]) {
      for (const file of ['cmdline', 'environ']) {
        const text = readFileSync(`/proc/${pid}/${file}`, 'latin1');
        expect(text).not.toContain(own.secret);
        expect(text.length).toBeGreaterThan(0);
      }
    }
  });
}

function keys(): { secret: string; public: string } {
  const secret = randomBytes(32);
  const out = new Uint8Array(32);
  new NodePrimitives().x25519PublicKey(out, secret);
  return { secret: secret.toString('base64'), public: Buffer.from(out).toString('base64') };
}

function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp6');
  return new Promise((resolve) => {
    socket.bind(0, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

function freeTcpPort(): Promise<number> {
  const server = createTcpServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** One request; the body of the answer. */
function get(port: number, path: string, body: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, method: 'POST', agent: false, timeout: 10_000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve(text));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Asks until answered: a handshake may be under way. */
function askUdp(port: number, word: string): Promise<string> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => socket.send(word, port, '127.0.0.1'), 500);
    const late = setTimeout(() => done(() => reject(new Error('no answer in time'))), 10_000);
    const done = (settle: () => void) => {
      clearInterval(timer);
      clearTimeout(late);
      socket.close();
      settle();
    };
    socket.once('message', (bytes) => done(() => resolve(String(bytes))));
    socket.send(word, port, '127.0.0.1');
  });
}
