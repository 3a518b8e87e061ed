/** What the Linux program changes of the system beside its interface, and that it takes all of it back. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type GatewayEnd, XS_PROGRAM } from '../../lab/gateway-end.js';
import type { Lab } from '../../lab/lab.js';
import { OURS, Pair, ping, THEIRS } from '../../lab/pair.js';
import { labSuite } from '../../lab/requirements.js';
import { NEEDS } from '../../lab/subject.js';
import { wgQuickText } from '../../lab/tunnel-config.js';
import { until } from '../../lab/wait.js';

labSuite('the system around the firmware for Linux', NEEDS, () => {
  let pair: Pair;
  let lab: Lab;
  beforeEach(() => {
    pair = new Pair();
    lab = pair.lab;
  });
  afterEach(() => lab.close());

  const environment = () => (pair.ours as GatewayEnd).environment;
  const state = () => lab.subdirectory('state');
  const undoFile = () => join(state(), `${pair.ours.name}.undo.json`);

  /** Everything through the tunnel. */
  function everything(): void {
    const [peer] = pair.ours.config.peers as unknown as { allowedIps: readonly string[] }[];
    peer.allowedIps = ['0.0.0.0/0', '::/0'];
  }

  function traces(): string {
    const { ourSpace } = pair;
    return ['rule', '-6 rule', 'route show table all', '-6 route show table all', '-o link']
      .map((words) => ourSpace.ip(words))
      .concat(
        ourSpace.now('nft', 'list', 'ruleset'),
        ourSpace.now('cat', '/proc/sys/net/ipv4/conf/all/src_valid_mark'),
      )
      .join('\n---\n')
      .replace(/(expires|valid_lft|preferred_lft) \S+/g, '');
  }

  it('registers name servers with resolvconf and removes them', async () => {
    // A stand-in that writes down how it is called: the real one would change this machine's /etc/resolv.conf.
    const tools = lab.subdirectory('tools');
    const calls = join(lab.directory, 'resolvconf-calls');
    const script = `#!/bin/sh\necho "$@" >> ${calls}\ncase "$1" in -a) cat >> ${calls};; esac\n`;
    writeFileSync(join(tools, 'resolvconf'), script);
    chmodSync(join(tools, 'resolvconf'), 0o755);
    const file = join(lab.directory, `${pair.ours.name}.conf`);
    const text = wgQuickText(pair.ours.config);
    writeFileSync(file, text.replace('\n\n', '\nDNS = 10.66.0.53, fd66::53, lab.example\n\n'), {
      mode: 0o600,
    });
    const environment = { PATH: `${tools}:${process.env.PATH}`, STATE_DIRECTORY: state() };
    const child = pair.ourSpace.spawn([XS_PROGRAM, 'up', file], { environment, logFile: pair.ours.logFile });
    await until('it is up', 5_000, () => readFileSync(pair.ours.logFile, 'utf8').includes(' up '));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await gone).toBe(0);
    const record = /^-a (\S+) /.exec(readFileSync(calls, 'utf8'))?.[1];
    expect(record?.endsWith(pair.ours.name)).toBe(true);
    expect(readFileSync(calls, 'utf8')).toBe(
      `-a ${record} -m 0 -x\nnameserver 10.66.0.53\nnameserver fd66::53\nsearch lab.example\n-d ${record} -f\n`,
    );
    expect(existsSync(undoFile())).toBe(false);
  });

  it('guards a default route: no stranger reaches the tunnel’s address by another link', async () => {
    everything();
    const before = traces();
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    const rules = pair.ourSpace.now('nft', 'list', 'ruleset');
    for (const [family, address] of [
      ['ip', OURS.inner4],
      ['ip6', OURS.inner6],
    ]) {
      expect(rules).toContain(`table ${family} cloudbridge-${pair.ours.name}`);
      expect(rules).toContain(`${family} daddr ${address} fib saddr type != local drop`);
    }
    // From the other end of the link, past the tunnel.
    pair.theirSpace.ip(`route replace ${OURS.inner4}/32 via ${OURS.v4}`);
    const stranger = () => ping(pair.theirSpace, OURS.inner4, { count: 1, patience: 1 });
    expect(await stranger()).toBe(0);
    pair.ourSpace.now('nft', 'flush', 'chain', 'ip', `cloudbridge-${pair.ours.name}`, 'guard');
    expect(await stranger()).toBe(1);
    expect(await pair.ours.stop()).toBe(0);
    expect(traces()).toBe(before);
    expect(existsSync(undoFile())).toBe(false);
  });

  it('takes back after a crash what did not go with the interface', async () => {
    everything();
    const before = traces();
    await pair.ours.start();
    await pair.ours.crash();
    expect(traces()).not.toBe(before);
    expect(readFileSync(undoFile(), 'utf8')).not.toContain('PrivateKey');
    await pair.ours.start();
    expect(pair.ours.log()).toContain('healing-after-crash');
    expect(await pair.ours.stop()).toBe(0);
    expect(traces()).toBe(before);
  });

  it('lets two tunnels with a default route live side by side', async () => {
    everything();
    const before = traces();
    await pair.ours.start();
    const one = traces();
    const file = join(lab.directory, 'second.conf');
    const text = wgQuickText(pair.ours.config).replace(/ListenPort.*\n/, '');
    const addresses = text.replace(OURS.inner4, '10.98.0.1').replace(OURS.inner6, 'fd98::1');
    writeFileSync(file, addresses, { mode: 0o600 });
    const name = lab.interfaceName();
    const child = pair.ourSpace.spawn([XS_PROGRAM, 'up', file, '--name', name], {
      environment: environment(),
      logFile: join(lab.directory, 'second.log'),
    });
    await until('the second is up', 5_000, () =>
      readFileSync(join(lab.directory, 'second.log'), 'utf8').includes(' up '),
    );
    expect(pair.ourSpace.ip('rule')).toMatch(/0xca6d lookup 51821/);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await gone).toBe(0);
    expect(traces()).toBe(one);
    expect(await pair.ours.stop()).toBe(0);
    expect(traces()).toBe(before);
  });

  it('keeps the secrets of a hook out of the process list', async () => {
    const file = join(lab.directory, `${pair.ours.name}.conf`);
    const seen = join(lab.directory, 'seen');
    const hook = `PostUp = : t0psecret; cat /proc/$$/cmdline > ${seen}`;
    writeFileSync(
      file,
      wgQuickText(pair.ours.config).replace('\n\n', () => `\n${hook}\n\n`),
      { mode: 0o600 },
    );
    pair.ourSpace.spawn([XS_PROGRAM, 'up', file], {
      environment: environment(),
      logFile: pair.ours.logFile,
    });
    await until('it is up', 5_000, () => readFileSync(pair.ours.logFile, 'utf8').includes(' up '));
    expect(readFileSync(seen, 'utf8')).toContain('-s');
    expect(readFileSync(seen, 'utf8')).not.toContain('t0psecret');
  });

  it('tells on the terminal why an interface for wg-quick could not be made', async () => {
    pair.ourSpace.ip('link add taken0 type veth peer name taken1');
    const environment = { STATE_DIRECTORY: state() };
    const { code, stderr } = await pair.ourSpace.run([XS_PROGRAM, 'taken0'], { environment, limit: 10_000 });
    expect(code).toBe(6);
    expect(stderr).toContain('an interface named taken0 exists already');
    const wrong = await pair.ourSpace.run([XS_PROGRAM, 'measre'], { environment, limit: 10_000 });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('did you mean "measure"?');
  });

  it('follows the MTU that somebody sets', async () => {
    await pair.ours.start();
    pair.ourSpace.ip(`link set ${pair.ours.name} mtu 1380`);
    await until('the MTU is known', 8_000, async () => {
      const ask = `const s = require('node:net').connect(process.argv[1], () => s.end('status=1\\n\\n')); s.pipe(process.stdout)`;
      return (await pair.ourSpace.get([process.execPath, '-e', ask, pair.ours.socketPath])).includes(
        '"mtu":1380',
      );
    });
  });
});
