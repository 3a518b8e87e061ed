import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../host/gateway/errors.js';
import type { GatewayStatus } from '../../host/gateway/status.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cloudbridge-gateway.js', import.meta.url));

let base: string;
let environment: NodeJS.ProcessEnv;
const running = new Set<ChildProcess>();

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'cb-cli-'));
  const runtime = join(base, 'run');
  mkdirSync(runtime, { mode: 0o700 });
  environment = { ...process.env, XDG_RUNTIME_DIR: runtime, STATE_DIRECTORY: join(base, 'state') };
  delete environment.LOG_LEVEL;
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

function call(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    env: environment,
    encoding: 'utf8',
    input,
  });
  return { status, stdout, stderr };
}

/** A gateway in minimal mode: it needs no right, and leaves the system alone. */
async function start(name: string, file: string, ...options: string[]) {
  const args = ['up', file, '--name', name, '--mode', 'minimal', '--log-format', 'json', ...options];
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const gateway = {
    child,
    log: '',
    exited: once(child, 'close').then(([code]) => code as number | null),
    async event(event: string, count = 1) {
      await expect
        .poll(() => gateway.log.split(`"event":"${event}"`).length - 1, { timeout: 15_000, interval: 20 })
        .toBe(count);
    },
    async stop(signal: NodeJS.Signals = 'SIGTERM') {
      child.kill(signal);
      return gateway.exited;
    },
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      gateway.log += text;
    });
  }
  return gateway;
}

let names = 0;
/** Interface names are shared by the whole machine (one directory of sockets for root). */
// Not as the lab names its own (test/lab/lab.ts): it sweeps away what looks like the socket of a run that is over.
const freshName = () => `gwt${(process.pid % 100_000).toString(36)}-${names++}`;

// Made for this file; no other gateway has ever used them.
const PRIVATE = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=';
const PEER = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const OTHER = 'TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=';

function configuration(name: string, body: string): string {
  const file = join(base, name);
  writeFileSync(file, `[Interface]\nPrivateKey = ${PRIVATE}\nAddress = 10.77.0.1/24\n${body}`, {
    mode: 0o600,
  });
  return file;
}

const peer = (key: string, rest = '') => `\n[Peer]\nPublicKey = ${key}\n${rest}`;

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

function askStatus(name: string): GatewayStatus {
  const { status, stdout, stderr } = call(['status', name, '--json']);
  expect(status, stderr).toBe(EXIT.ok);
  return JSON.parse(stdout) as GatewayStatus;
}

describe('keys', () => {
  it('pubkey gives the public key of RFC 7748, section 6.1', () => {
    const alice = 'dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=';
    const { status, stdout } = call(['pubkey'], `${alice}\n`);
    expect([status, stdout]).toEqual([0, 'hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n']);
  });

  it('genkey clamps, genpsk does not, and neither repeats itself', () => {
    const keys = Array.from({ length: 3 }, () => Buffer.from(call(['genkey']).stdout, 'base64'));
    for (const key of keys) {
      expect([key.length, key[0] & 7, key[31] & 0xc0]).toEqual([32, 0, 0x40]);
    }
    expect(new Set(keys.map(String)).size).toBe(3);
    expect(Buffer.from(call(['genpsk']).stdout, 'base64')).toHaveLength(32);
    expect(call(['genpsk']).stdout).not.toBe(call(['genpsk']).stdout);
  });

  it.each([
    [0o644, true],
    [0o600, false],
  ])('genkey into a file of mode %o warns: %s', (mode, warns) => {
    const file = join(base, `key-${mode}`);
    writeFileSync(file, '');
    chmodSync(file, mode);
    const { stderr } = spawnSync(process.execPath, [PROGRAM, 'genkey'], {
      env: environment,
      stdio: ['ignore', openSync(file, 'w'), 'pipe'],
      encoding: 'utf8',
    });
    expect(/every user may read/.test(stderr)).toBe(warns);
    expect(readFileSync(file, 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
  });

  it('pubkey refuses what is no key, and does not repeat it', () => {
    const { status, stderr } = call(['pubkey'], 'almost-a-secret');
    expect(status).toBe(EXIT.failure);
    expect(stderr).toMatch(/no private key/);
    expect(stderr).not.toContain('almost');
  });
});

describe('check', () => {
  it('lists every mistake with file, line, reason and remedy', () => {
    const file = configuration(
      'broken.conf',
      `ListenPort = 70000\nAdress = 10.0.0.1\n${peer('short', 'AllowedIPs = 10.0.0.2\n')}`,
    );
    const { status, stdout } = call(['check', file]);
    expect(status).toBe(EXIT.failure);
    expect(stdout).toMatch(/broken\.conf:4:14: error: ListenPort: .*; /);
    expect(stdout).toMatch(/broken\.conf:5:1: error: Adress: .*did you mean Address\?/);
    expect(stdout).toMatch(/broken\.conf:8:13: error: PublicKey: .*; /);
    expect(stdout).toMatch(/^3 errors/m);
    const json = JSON.parse(call(['check', '--json', file]).stdout);
    expect(json).toMatchObject({ file, ok: false });
    expect(json.problems.map((one: { line: number }) => one.line)).toEqual([4, 5, 8]);
  });

  it('is content with a good file and warns of one that everybody may read', () => {
    const file = configuration('good.conf', peer(PEER, 'AllowedIPs = 10.77.0.2/32\n'));
    expect(call(['check', file])).toMatchObject({ status: 0, stderr: '' });
    chmodSync(file, 0o644);
    expect(call(['check', file]).stdout).toMatch(
      /warning: every user of this system may read this file.*chmod 600/,
    );
  });

  it('never shows a key', () => {
    const file = configuration('secret.conf', `PrivateKee = ${OTHER}\n`);
    const { stdout, stderr } = call(['check', file]);
    for (const secret of [PRIVATE, OTHER]) expect(stdout + stderr).not.toContain(secret.slice(0, 10));
  });
});

describe('a wrong call', () => {
  it.each([
    [['up'], EXIT.usage, /missing required argument/],
    [['up', '/nowhere.conf'], EXIT.configuration, /there is no file \/nowhere\.conf/],
    [['up', tmpdir()], EXIT.configuration, /is a directory/],
    [['statu'], EXIT.usage, /did you mean "status"/],
    [['no', 'such'], EXIT.usage, /unknown command/],
    [['up', 'x.conf', '--mode', 'magic'], EXIT.usage, /auto, tun, rootless, minimal/],
    [['up', 'x.conf', '--log-level', 'loud'], EXIT.usage, /silent, error, warn, info, debug/],
    [['up', 'x.conf', '--fail-after', 'soon'], EXIT.usage, /number of seconds/],
    [['status', 'no-gateway-here'], EXIT.notRunning, /no gateway named no-gateway-here is running/],
    [['status', 'a/b'], EXIT.usage, /cannot be an interface name/],
  ])('%j ends with code %i and a sentence', (args, code, sentence) => {
    const { status, stderr } = call(args);
    expect(stderr).toMatch(sentence);
    expect(status).toBe(code);
  });

  it('to up with a forward that is none says how one is written', () => {
    const file = configuration('forward.conf', '');
    const { status, stderr } = call(['up', file, '--name', freshName(), '--forward', 'ftp:1=2']);
    expect(status).toBe(EXIT.usage);
    expect(stderr).toMatch(/write it as in/);
  });

  it.each([
    ['maxPers=1', /limits: this limit is not known; did you mean maxPeers\?/],
    ['maxPeers=many', /limits\.maxPeers: the limit is not a whole number/],
    ['maxPeers', /limits\.maxPeers: the limit is not a whole number/],
  ])('to up with --limit %s says what is wrong with it', (limit, sentence) => {
    const { status, stderr } = call([
      'up',
      configuration('limit.conf', ''),
      '--name',
      freshName(),
      '--limit',
      limit,
    ]);
    expect(stderr).toMatch(sentence);
    expect(status).toBe(EXIT.usage);
  });

  it('has help with examples and every exit code', () => {
    const { status, stdout } = call(['--help']);
    expect(status).toBe(0);
    for (const code of Object.values(EXIT)) expect(stdout).toMatch(new RegExp(`^ +${code}  \\S`, 'm'));
    expect(call(['up', '--help']).stdout).toMatch(/Examples:/);
    expect(call(['--version']).stdout.trim()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
  });
});

describe('up', () => {
  it('refuses a broken file with every mistake, and makes nothing', () => {
    const name = freshName();
    const file = configuration('bad-up.conf', 'MTU = 7\nListenPort = x\n');
    const { status, stderr } = call(['up', file, '--name', name]);
    expect(status).toBe(EXIT.configuration);
    expect(stderr).toMatch(/has 2 mistakes; nothing was changed:\n.*:4:7: .*\n.*:5:14: /);
    expect(existsSync(join(base, 'state', name))).toBe(false);
  });

  it('--dry-run says what it would do and leaves nothing', () => {
    const name = freshName();
    const file = configuration('dry.conf', peer(PEER, 'AllowedIPs = 10.77.0.2/32\n'));
    const { status, stdout } = call(['up', file, '--name', name, '--dry-run']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/10\.77\.0\.1\/24[\s\S]*routes: 10\.77\.0\.2\/32[\s\S]*nothing was changed/);
    expect(existsSync(join(base, 'state', name))).toBe(false);
  });

  it('runs, tells its status, reloads, and ends when asked', async () => {
    const name = freshName();
    const port = await freePort();
    const file = configuration(
      'run.conf',
      `ListenPort = ${port}\n${peer(PEER, 'AllowedIPs = 10.77.0.2/32\n')}`,
    );
    const gateway = await start(name, file);
    await gateway.event('up');

    const before = askStatus(name);
    expect(before).toMatchObject({ interface: name, mode: 'minimal', tier: 'portable', listenPort: port });
    expect(before.modeReason).not.toBe('');
    expect(before.peers).toMatchObject([
      {
        publicKey: PEER,
        state: 'idle',
        reason: 'no-endpoint',
        handshakeAge: null,
        allowedIps: ['10.77.0.2/32'],
      },
    ]);
    const table = call(['status', name]).stdout;
    expect(table).toMatch(new RegExp(`interface: ${name} `));
    expect(table).toMatch(/mode: minimal, because /);
    expect(table).toMatch(/tier: portable, because /);
    expect(table).toContain(PEER.slice(0, 12));
    expect(table).toMatch(/no endpoint is configured, and the peer has not called in/);

    const other = await freePort();
    configuration('run.conf', `ListenPort = ${other}\n${peer(OTHER, 'AllowedIPs = 10.77.0.0/25\n')}`);
    gateway.child.kill('SIGHUP');
    await gateway.event('reloaded');
    expect(askStatus(name)).toMatchObject({ listenPort: other, peers: [{ publicKey: OTHER }] });

    configuration('run.conf', 'ListenPort = many\n');
    gateway.child.kill('SIGHUP');
    await gateway.event('reload-refused');
    expect(gateway.log).toMatch(/run\.conf:4:14: /);
    expect(askStatus(name)).toMatchObject({ listenPort: other, peers: [{ publicKey: OTHER }] });

    expect(await gateway.stop()).toBe(EXIT.ok);
    expect(call(['status', name]).status).toBe(EXIT.notRunning);
    expect(gateway.log).not.toContain(PRIVATE);
  });

  it('ends when its control socket is removed', async () => {
    const name = freshName();
    const gateway = await start(name, configuration('removed.conf', ''));
    await gateway.event('up');
    const directory = process.getuid?.() === 0 ? '/var/run/wireguard' : join(base, 'run', 'wireguard');
    rmSync(join(directory, `${name}.sock`));
    expect(await gateway.exited).toBe(EXIT.ok);
    expect(gateway.log).toMatch(/the control socket was removed/);
  });

  it('takes over a socket that a crash left behind', async () => {
    const name = freshName();
    const file = configuration('crash.conf', '');
    const first = await start(name, file);
    await first.event('up');
    await first.stop('SIGKILL');
    expect(call(['status', name]).status).toBe(EXIT.notRunning);
    const second = await start(name, file);
    await second.event('up');
    expect(askStatus(name).pid).toBe(second.child.pid);
    await second.stop();
  });

  it('does not start a second instance of an interface', async () => {
    const name = freshName();
    const file = configuration('twice.conf', '');
    const first = await start(name, file);
    await first.event('up');
    const second = call(['up', file, '--name', name, '--mode', 'minimal']);
    expect(second.status).toBe(EXIT.alreadyRunning);
    expect(second.stderr).toMatch(/already driven by a running program/);
    expect(askStatus(name).pid).toBe(first.child.pid);
    await first.stop();
  });

  it('names a taken port', async () => {
    const socket = createSocket('udp4').bind(0);
    await once(socket, 'listening');
    const { port } = socket.address();
    const file = configuration('taken.conf', `ListenPort = ${port}\n`);
    const { status, stderr } = call(['up', file, '--name', freshName(), '--mode', 'minimal']);
    socket.close();
    expect(status).toBe(EXIT.portTaken);
    expect(stderr).toMatch(new RegExp(`UDP port ${port} is taken by another program`));
  });

  it('names a place where state cannot be kept', () => {
    writeFileSync(join(base, 'no-directory'), '');
    const file = configuration('state.conf', '');
    const args = ['--mode', 'minimal', '--state-dir', join(base, 'no-directory')];
    const { status, stderr } = call(['up', file, '--name', freshName(), ...args]);
    expect(status).toBe(EXIT.state);
    expect(stderr).toMatch(/cannot make the state directory .*; choose another place with --state-dir/);
  });

  it('gives up after --fail-after, naming the endpoint that does not answer', async () => {
    const port = await freePort();
    const lines = `Endpoint = 127.0.0.1:${port}\nPersistentKeepalive = 1\nAllowedIPs = 10.77.0.2/32\n`;
    const gateway = await start(
      freshName(),
      configuration('deaf.conf', peer(PEER, lines)),
      '--fail-after',
      '1',
    );
    expect(await gateway.exited).toBe(EXIT.endpoint);
    expect(gateway.log).toMatch(new RegExp(`no peer answered within 1 s \\(127\\.0\\.0\\.1:${port}\\)`));
  });

  it('keeps to the limits it was given', async () => {
    const file = configuration('two.conf', peer(PEER, 'AllowedIPs = 10.77.0.2/32\n') + peer(OTHER, ''));
    const gateway = await start(freshName(), file, '--limit', 'maxPeers=1');
    expect(await gateway.exited).toBe(EXIT.configuration);
    expect(gateway.log).toMatch(/2 peers, and the limit maxPeers is 1/);
  });

  it('writes logs for people on demand', async () => {
    const name = freshName();
    const gateway = await start(name, configuration('human.conf', ''), '--log-format', 'human');
    await expect
      .poll(() => gateway.log, { timeout: 15_000 })
      .toMatch(/^\d\d:\d\d:\d\d\.\d{3} info +up interface=/m);
    await gateway.stop();
  });

  it('gives every line of a JSON log a level, a time and an event', async () => {
    const gateway = await start(freshName(), configuration('json.conf', ''));
    await gateway.event('up');
    await gateway.stop();
    for (const line of gateway.log.trim().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.stringMatching(/^(error|warn|info|debug)$/),
        time: expect.any(Number),
        event: expect.any(String),
      });
    }
  });
});

describe('status', () => {
  it('tells a program that is not ours from one that is', async (context) => {
    const name = freshName();
    const directory = process.getuid?.() === 0 ? '/var/run/wireguard' : join(base, 'run', 'wireguard');
    mkdirSync(directory, { recursive: true });
    // What wireguard-go does with an operation that it does not know.
    const stranger = createServer((socket) => socket.once('data', () => socket.end())).listen(
      join(directory, `${name}.sock`),
    );
    await once(stranger, 'listening');
    context.onTestFinished(() => void stranger.close());
    const child = spawn(process.execPath, [PROGRAM, 'status', name], { env: environment });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    expect((await once(child, 'close'))[0]).toBe(EXIT.notRunning);
    expect(stderr).toMatch(/another WireGuard program; ask "wg show/);
  });
});
