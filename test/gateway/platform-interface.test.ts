import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lab } from '../lab/lab.js';
import type { Namespace } from '../lab/namespace.js';
import { IP, labSuite, NFT } from '../lab/requirements.js';
import { until } from '../lab/wait.js';
import { GatewayUnderTest, PROGRAM } from './platform-gateway.js';

/** Exit codes of host/gateway/errors.ts. */
const CONFIGURATION = 3;
const PORT_TAKEN = 5;
const ALREADY = 6;
const SYSTEM = 10;

const PEER = randomBytes(32).toString('base64');
const PRIVATE_KEY = randomBytes(32).toString('base64');

/** Opens a tunnel with a default route, reads from it (which blocks a thread), and then breaks. */
const THROWER = `
import { openTunnel } from '../../host/gateway/platform/open-tunnel.js';
import { TunDevice } from '../../host/gateway/platform/tun-device.js';
import { parseInterfaceAddress, parsePrefix } from '../../src/packet/address.js';
const [interfaceName, stateDirectory] = process.argv.slice(2);
const settings = {
  addresses: [parseInterfaceAddress('10.66.0.1/24')!], routes: [parsePrefix('0.0.0.0/0')!], mtu: 1420, table: 'auto',
  dns: [], dnsSearch: [], preUp: [], postUp: [], preDown: [], postDown: [], endpoints: [], fwmark: 0,
} as const;
const tunnel = await openTunnel({
  interfaceName, stateDirectory, settings, choice: { mode: 'tun', reason: '', rejected: [] }, listenPort: 0,
  vnetHeader: false, forwards: [], exposes: [], log: { write() {} },
});
const device = new TunDevice(tunnel.tun!.fd);
device.onReadable = () => {};
device.start();
await tunnel.configure();
console.error(interfaceName + ' is up');
setTimeout(() => { throw new Error('nobody foresaw this'); }, 200);
`;

labSuite('interface set-up and its undo', ['root', IP, NFT, { file: PROGRAM }], () => {
  let lab: Lab;
  let space: Namespace;
  let name: string;
  let state: string;

  beforeEach(() => {
    lab = new Lab();
    space = lab.namespace('platform');
    name = lab.interfaceName();
    state = lab.subdirectory('state');
    // A way out, so that there is a default route to keep apart from.
    lab.link(
      { space, addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
      { space: lab.namespace('outside'), addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      1460,
    );
    space.ip('route add default via 192.0.2.1');
    space.ip('-6 route add default via 2001:db8::1');
  });
  afterEach(() => lab.close());

  /** Everything of the namespace that the gateway may touch. */
  function snapshot(): string {
    return [
      space.ip('-o address show').replaceAll(/valid_lft \S+ preferred_lft \S+/g, ''),
      space.ip('-4 rule show'),
      space.ip('-6 rule show'),
      space.ip('-4 route show table all'),
      space.ip('-6 route show table all'),
      space.now('nft', 'list', 'ruleset'),
      space.now('cat', '/proc/sys/net/ipv4/conf/all/src_valid_mark'),
    ].join('\n---\n');
  }

  function configure(lines: readonly string[], allowedIps: string, of = name): string {
    const path = join(lab.directory, `${of}.conf`);
    const own = ['[Interface]', `PrivateKey = ${PRIVATE_KEY}`, ...lines];
    const peer = [
      '[Peer]',
      `PublicKey = ${PEER}`,
      `AllowedIPs = ${allowedIps}`,
      'Endpoint = 192.0.2.1:51820',
    ];
    writeFileSync(path, [...own, ...peer, ''].join('\n'), { mode: 0o600 });
    return path;
  }

  function start(path: string, environment: Record<string, string> = {}): GatewayUnderTest {
    const inside = ['nsenter', `--net=/run/netns/${space.name}`, '--'];
    return new GatewayUnderTest(inside, ['up', path, '--mode', 'tun', '--state-dir', state], environment);
  }

  function notes(): string {
    const path = join(lab.directory, 'notes');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  const note = (text: string) => `echo ${text} >> ${join(lab.directory, 'notes')}`;
  const everywhere = ['Address = 10.66.0.1/24, fd66::1/64'];
  const everything = '0.0.0.0/0, ::/0, 172.30.0.0/16, 10.66.0.7/32';

  it('sets addresses, MTU, routes and policy rules, and takes all of it back', async () => {
    const before = snapshot();
    const path = configure(
      [
        ...everywhere,
        `PreUp = ${note('pre-up %i')}`,
        `PostUp = ${note('post-up')} && ip link show dev %i up >> ${join(lab.directory, 'link')}`,
        `PostUp = ${note('post-up-2')}`,
        `PreDown = ${note('pre-down')} && ip link show dev %i > /dev/null`,
        `PostDown = ${note('post-down')}; ip link show dev %i || ${note('gone')}`,
      ],
      everything,
    );
    const gateway = start(path);
    const { mtu } = await gateway.up();
    // The route's own 1460 less WireGuard's overhead over IPv6.
    expect(mtu).toBe(1380);
    const addresses = space.ip(`address show dev ${name}`);
    expect(addresses).toContain('inet 10.66.0.1/24');
    expect(addresses).toContain('inet6 fd66::1/64');
    expect(addresses).toContain('mtu 1380');
    expect(space.ip('route show')).toContain(`172.30.0.0/16 dev ${name}`);
    for (const family of ['-4', '-6']) {
      const rules = space.ip(`${family} rule show`);
      expect(rules).toMatch(/not from all fwmark 0xca6c lookup 51820/);
      expect(rules).toMatch(/from all lookup main suppress_prefixlength 0/);
      expect(space.ip(`${family} route show table 51820`)).toContain(`default dev ${name}`);
    }
    // What is not marked goes into the tunnel, the tunnel's own datagrams keep the way they had.
    expect(space.ip('route get 203.0.113.9')).toContain(`dev ${name}`);
    expect(space.ip('route get 203.0.113.9 mark 51820')).not.toContain(`dev ${name}`);
    expect(space.ip('route get 192.0.2.1')).not.toContain(`dev ${name}`);
    expect(space.now('ss', '-ulne')).toMatch(/fwmark:0xca6c/);

    expect(await gateway.stop()).toBe(0);
    expect(snapshot()).toBe(before);
    expect(notes().trim().split('\n')).toEqual([
      `pre-up ${name}`,
      'post-up',
      'post-up-2',
      'pre-down',
      'post-down',
      'gone',
    ]);
    expect(readFileSync(join(lab.directory, 'link'), 'utf8')).toContain('LOWER_UP');
    expect(readdirSync(state).filter((file) => file.endsWith('.undo.json'))).toEqual([]);
  });

  it('leaves nothing after SIGINT', async () => {
    const before = snapshot();
    const gateway = start(configure(everywhere, everything));
    await gateway.up();
    expect(await gateway.stop('SIGINT')).toBe(0);
    expect(snapshot()).toBe(before);
  });

  it('takes back at the next start what SIGKILL left behind', async () => {
    const before = snapshot();
    const path = configure(
      [...everywhere, `PostUp = ${note('up')}`, `PostDown = ${note('down')}`],
      everything,
    );
    const killed = start(path);
    await killed.up();
    expect(await killed.stop('SIGKILL')).toBe(137);
    // The interface and its routes went with the process; the rules are what has to be healed.
    expect(space.ip('-4 rule show')).toContain('lookup 51820');
    expect(space.now('nft', 'list', 'tables')).toContain(name);
    expect(notes()).toBe('up\n');

    const next = start(configure(['Address = 10.67.0.1/24'], '10.67.0.2/32'));
    await next.up();
    expect(space.ip('-4 rule show')).not.toContain('51820');
    expect(space.now('nft', 'list', 'ruleset')).toBe('');
    expect(notes()).toBe('up\ndown\n');
    expect(await next.stop()).toBe(0);
    expect(snapshot()).toBe(before);
  });

  it('takes everything back when the process ends by an exception', async () => {
    const before = snapshot();
    const program = join(lab.directory, 'thrower.mjs');
    await build({
      stdin: { contents: THROWER, resolveDir: import.meta.dirname, loader: 'ts' },
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    const { code, stderr } = await space.run([process.execPath, program, name, state], { limit: 20_000 });
    expect(stderr).toContain(`${name} is up`);
    expect(stderr).toContain('Error: nobody foresaw this');
    expect(code).toBe(1);
    expect(snapshot()).toBe(before);
    expect(readdirSync(state)).toEqual([]);
  });

  it('takes everything back when the interface is deleted by hand', async () => {
    const before = snapshot();
    const gateway = start(configure(everywhere, everything));
    await gateway.up();
    space.ip(`link delete ${name}`);
    await gateway.exited;
    expect(snapshot()).toBe(before);
  });

  it('takes everything back when a PostUp command fails', async () => {
    const before = snapshot();
    const path = configure(
      [
        ...everywhere,
        `PostUp = ${note('first')}`,
        'PostUp = sh -c "exit 7" # private-words',
        `PostDown = ${note('undone')}`,
      ],
      everything,
    );
    const gateway = start(path);
    expect(await gateway.exited).toBe(CONFIGURATION);
    expect(gateway.output).toContain('a PostUp command');
    expect(gateway.output).toContain('status 7');
    expect(gateway.output).not.toContain('private-words');
    expect(snapshot()).toBe(before);
    expect(notes()).toBe('first\nundone\n');
  });

  it('touches nothing when the interface name is taken', async () => {
    space.ip(`link add ${name} type veth peer name ${lab.interfaceName()}`);
    const before = snapshot();
    const gateway = start(configure([...everywhere, `PreUp = ${note('ran')}`], everything));
    expect(await gateway.exited).toBe(ALREADY);
    expect(gateway.output).toContain(`an interface named ${name} exists already`);
    expect(snapshot()).toBe(before);
    expect(notes()).toBe('');
  });

  it('names the route that another interface has, and takes the rest back', async () => {
    space.ip('route add 172.30.0.0/16 via 192.0.2.1');
    space.ip('route add 172.31.0.0/16 via 192.0.2.1');
    const before = snapshot();
    const gateway = start(configure(['Address = 10.66.0.1/24'], '10.66.0.9/32, 172.31.0.0/16, 10.9.0.0/24'));
    expect(await gateway.exited).toBe(SYSTEM);
    expect(gateway.output).toContain('cannot set the route 172.31.0.0/16');
    expect(snapshot()).toBe(before);
  });

  it('obeys Table', async () => {
    const before = snapshot();
    const off = start(configure([...everywhere, 'Table = off'], everything));
    await off.up();
    expect(space.ip('route show')).not.toContain('172.30.0.0/16');
    expect(space.ip('-4 rule show')).not.toContain('fwmark');
    expect(await off.stop()).toBe(0);

    const own = start(configure([...everywhere, 'Table = 777'], everything));
    await own.up();
    expect(space.ip('route show')).not.toContain('172.30.0.0/16');
    expect(space.ip('route show table 777')).toContain(`default dev ${name}`);
    expect(space.ip('route show table 777')).toContain(`172.30.0.0/16 dev ${name}`);
    expect(space.ip('-4 rule show')).not.toContain('fwmark');
    expect(await own.stop()).toBe(0);
    expect(snapshot()).toBe(before);
  });

  it('keeps two default routes apart, and one of them when the other goes', async () => {
    const before = snapshot();
    const first = start(configure(everywhere, everything));
    await first.up();
    const between = snapshot();
    const otherName = lab.interfaceName();
    const second = start(configure(['Address = 10.68.0.1/24'], '0.0.0.0/0', otherName));
    await second.up();
    expect(space.ip('-4 rule show')).toContain('lookup 51821');
    expect(await second.stop()).toBe(0);
    expect(snapshot()).toBe(between);
    expect(await first.stop()).toBe(0);
    expect(snapshot()).toBe(before);
  });

  it('brings routes in line on SIGHUP', async () => {
    const before = snapshot();
    const gateway = start(configure(everywhere, '172.30.0.0/16'));
    await gateway.up();
    configure(everywhere, '172.29.0.0/16, 0.0.0.0/0');
    gateway.process.kill('SIGHUP');
    await until(
      'the routes are the new ones',
      5_000,
      () =>
        space.ip('-4 rule show').includes('lookup 51820') &&
        space.ip('route show').includes(`172.29.0.0/16 dev ${name}`),
    );
    expect(space.ip('route show')).not.toContain('172.30.0.0/16');
    configure(everywhere, '172.29.0.0/16');
    gateway.process.kill('SIGHUP');
    await until('the default route is gone', 5_000, () => !space.ip('-4 rule show').includes('fwmark'));
    expect(space.ip('route get 203.0.113.9')).not.toContain(`dev ${name}`);
    expect(await gateway.stop()).toBe(0);
    expect(snapshot()).toBe(before);
  });

  it('keeps the routes it had when a reload asks for one that is taken', async () => {
    space.ip('route add 172.31.0.0/16 via 192.0.2.1');
    const before = snapshot();
    const gateway = start(configure(['Address = 10.66.0.1/24'], '172.30.0.0/16'));
    await gateway.up();
    const between = space.ip('route show');
    configure(['Address = 10.66.0.1/24'], '172.28.0.0/16, 172.31.0.0/16');
    gateway.process.kill('SIGHUP');
    await until('the reload is refused', 5_000, () => gateway.event('reload-refused'));
    expect(gateway.event('reload-refused')?.reason).toContain('172.31.0.0/16');
    expect(space.ip('route show')).toBe(between);
    expect(await gateway.stop()).toBe(0);
    expect(snapshot()).toBe(before);
  });

  it('registers name servers with resolvconf and removes them', async () => {
    // A stand-in that writes down how it is called: the real one would change this machine's /etc/resolv.conf.
    const tools = lab.subdirectory('tools');
    const calls = join(lab.directory, 'resolvconf-calls');
    const script = `#!/bin/sh\necho "$@" >> ${calls}\ncase "$1" in -a) cat >> ${calls};; esac\n`;
    writeFileSync(join(tools, 'resolvconf'), script);
    chmodSync(join(tools, 'resolvconf'), 0o755);
    const path = configure([...everywhere, 'DNS = 10.66.0.53, fd66::53, lab.example'], '10.66.0.2/32');
    const gateway = start(path, { PATH: `${tools}:${process.env.PATH}` });
    await gateway.up();
    expect(await gateway.stop()).toBe(0);
    const record = /^-a (\S+) /.exec(readFileSync(calls, 'utf8'))?.[1];
    expect(record?.endsWith(name)).toBe(true);
    expect(readFileSync(calls, 'utf8')).toBe(
      `-a ${record} -m 0 -x\nnameserver 10.66.0.53\nnameserver fd66::53\nsearch lab.example\n-d ${record} -f\n`,
    );
  });

  it('forwards and exposes ports of the interface', async () => {
    const echo = `require('node:net').createServer((s) => s.pipe(s)).listen(7001, '127.0.0.1')`;
    const logFile = join(lab.directory, 'echo.log');
    space.spawn([process.execPath, '-e', echo], { logFile });
    const path = configure(everywhere, '10.66.0.2/32');
    const inside = ['nsenter', `--net=/run/netns/${space.name}`, '--'];
    // In a ring: the forward leads to the tunnel's own address, where the exposed service listens.
    const rules = ['--expose', '80=127.0.0.1:7001', '--forward', '127.0.0.1:7002=10.66.0.1:80'];
    const gateway = new GatewayUnderTest(inside, [
      'up',
      path,
      '--mode',
      'tun',
      '--state-dir',
      state,
      ...rules,
    ]);
    await gateway.up();
    const ask = `const s = require('node:net').connect(7002, '127.0.0.1', () => s.end('through the ring')); s.pipe(process.stdout)`;
    await until('the service listens', 5_000, () => space.now('ss', '-tln').includes(':7001'));
    expect(await space.get([process.execPath, '-e', ask])).toBe('through the ring');
    // At the tunnel's addresses, and nowhere else.
    expect(space.now('ss', '-tlnH', 'sport', '=', ':80').match(/\S+:80\b/g)).toEqual([
      '10.66.0.1:80',
      '[fd66::1]:80',
    ]);
    expect(await gateway.stop()).toBe(0);
    expect(space.now('ss', '-tlnH', 'sport', '!=', ':7001')).toBe('');
  });

  it('names the forward whose port is taken, and takes everything back', async () => {
    const holder = `require('node:net').createServer().listen(7003, '127.0.0.1')`;
    space.spawn([process.execPath, '-e', holder], { logFile: join(lab.directory, 'holder.log') });
    await until('the port is taken', 5_000, () => space.now('ss', '-tln').includes(':7003'));
    const before = snapshot();
    const inside = ['nsenter', `--net=/run/netns/${space.name}`, '--'];
    const rules = ['--mode', 'tun', '--state-dir', state, '--forward', '127.0.0.1:7003=10.66.0.2:80'];
    const gateway = new GatewayUnderTest(inside, ['up', configure(everywhere, everything), ...rules]);
    expect(await gateway.exited).toBe(PORT_TAKEN);
    expect(gateway.output).toContain('TCP 127.0.0.1:7003 is taken by another program');
    expect(snapshot()).toBe(before);
  });

  it('shows no secret in any argument list, not even of hooks', async () => {
    const seen = join(lab.directory, 'arguments');
    const path = configure(
      [
        ...everywhere,
        `PostUp = word=hook-secret-word; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' > ${seen}`,
      ],
      everything,
    );
    const gateway = start(path);
    await gateway.up();
    const listed = readFileSync(seen, 'utf8');
    expect(await gateway.stop()).toBe(0);
    expect(listed).toContain(path);
    expect(listed).not.toContain(PRIVATE_KEY);
    expect(listed).not.toContain('hook-secret-word');
    expect(gateway.output).not.toContain(PRIVATE_KEY);
    expect(execFileSync('stat', ['-c', '%a', state], { encoding: 'utf8' }).trim()).toBe('700');
  });
});
