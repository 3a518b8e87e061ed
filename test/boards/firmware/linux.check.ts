/** The Linux program as a user meets it: its command line, its life, and its interface. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { XS_PROGRAM } from '../../lab/gateway-end.js';
import type { Lab } from '../../lab/lab.js';
import { OURS, Pair, ping, THEIRS } from '../../lab/pair.js';
import { labSuite } from '../../lab/requirements.js';
import { NEEDS } from '../../lab/subject.js';
import { wgQuickText } from '../../lab/tunnel-config.js';
import { until } from '../../lab/wait.js';
import { base64, keyPair } from '../../wireguard/reference/identity.js';

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(XS_PROGRAM, words, { encoding: 'utf8', timeout: 10_000 });
  return { status, stdout, stderr };
}

labSuite('the firmware for Linux', NEEDS, () => {
  it('gives the published answers of all primitives', () => {
    expect(run('self-test')).toMatchObject({
      status: 0,
      stdout: 'all primitives give the published answers\n',
    });
  });

  it('has the version of the package', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
    expect(run('--version').stdout).toBe(`${version}\n`);
  });

  it('explains a wrong command line and ends with 2', () => {
    for (const words of [
      [],
      ['down'],
      ['up'],
      ['up', 'a', 'b'],
      ['up', 'a', '--tier', 'x'],
      ['up', 'a', '-n'],
    ]) {
      const { status, stderr } = run(...words);
      expect(status, words.join(' ')).toBe(2);
      expect(stderr).toContain('cloudbridge-gateway');
    }
  });
});

labSuite('a pair of the firmware and wireguard-go', NEEDS, () => {
  let pair: Pair;
  let lab: Lab;
  beforeEach(() => {
    pair = new Pair();
    lab = pair.lab;
  });
  afterEach(() => lab.close());

  const configFile = () => join(lab.directory, `${pair.ours.name}.conf`);
  const write = (text: string) => writeFileSync(configFile(), text, { mode: 0o600 });
  const up = (...words: string[]) =>
    pair.ourSpace.run([XS_PROGRAM, 'up', configFile(), ...words], { limit: 10_000 });

  async function status(): Promise<Record<string, unknown>> {
    const text = await new Promise<string>((resolve, reject) => {
      let all = '';
      const socket = connect(pair.ours.socketPath, () => socket.end('status=1\n\n'));
      socket.setEncoding('utf8').on('data', (part) => {
        all += part;
      });
      socket.once('error', reject).once('close', () => resolve(all));
    });
    const [json, errno] = text.split('\n');
    expect(errno).toBe('errno=0');
    return JSON.parse(json);
  }

  it('names a mistake in the file, never a key, and changes nothing', async () => {
    const text = wgQuickText(pair.ours.config).replace('AllowedIPs', 'AlowedIPs');
    write(text);
    const { code, stderr } = await up();
    expect(code).toBe(3);
    expect(stderr).toMatch(/:9:1: error: AlowedIPs: .*did you mean AllowedIPs\?/);
    expect(stderr).not.toContain(base64(pair.ours.config.keys.privateKey));
    expect(pair.ours.interfaceExists()).toBe(false);
  });

  it('warns of a file that everybody can read', async () => {
    writeFileSync(configFile(), wgQuickText(pair.ours.config).replace('MTU', 'Nonsense'), { mode: 0o644 });
    expect((await up()).code).toBe(3);
    writeFileSync(configFile(), wgQuickText(pair.ours.config), { mode: 0o644 });
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
    // `start` writes the file anew, but keeps its mode.
    expect(pair.ours.log()).toContain('chmod 600');
  });

  it('ends with 6 when the name is taken, with 5 when the port is', async () => {
    await pair.ours.start();
    expect((await up()).code).toBe(6);
    write(wgQuickText(pair.ours.config));
    const { code, stderr } = await up('--name', 'xsother');
    expect(code).toBe(5);
    expect(stderr).toContain(`UDP port ${OURS.port} is taken`);
  });

  for (const tier of ['offload', 'portable']) {
    it(`carries packets by the ${tier} tier and says so`, async () => {
      const ours = pair.ours as unknown as { options: string[] };
      ours.options = ['--tier', tier];
      await Promise.all([pair.ours.start(), pair.theirs.start()]);
      expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
      expect(await ping(pair.theirSpace, OURS.inner6, { size: 5000 })).toBe(3);
      expect(await status()).toMatchObject({
        interface: pair.ours.name,
        mode: 'tun',
        tier,
        listenPort: OURS.port,
        mtu: 1420,
        peers: [{ state: 'established', reason: 'confirmed', transport: 'udp' }],
      });
    });
  }

  it('reads its file again on SIGHUP, and keeps what it has when the file is broken', async () => {
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
    const before = await pair.ours.status(pair.theirs.publicKey);
    const added = keyPair();
    const more = `\n[Peer]\nPublicKey = ${base64(added.publicKey)}\nAllowedIPs = 10.99.77.0/24\n`;
    write(wgQuickText(pair.ours.config) + more);
    process.kill(pair.ours.pid, 'SIGHUP');
    await until('the new peer', 5_000, async () =>
      (await pair.ours.wg('show', pair.ours.name, 'peers')).includes(base64(added.publicKey)),
    );
    expect(pair.ourSpace.ip('route')).toContain(`10.99.77.0/24 dev ${pair.ours.name}`);
    write(`${wgQuickText(pair.ours.config)}\nNonsense = 1\n`);
    process.kill(pair.ours.pid, 'SIGHUP');
    await until('the refusal', 5_000, () => pair.ours.log().includes('reload-refused'));
    expect(await pair.ours.wg('show', pair.ours.name, 'peers')).toContain(base64(added.publicKey));
    // The session lived through both.
    expect((await pair.ours.status(pair.theirs.publicKey)).latestHandshake).toBe(before.latestHandshake);
    expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
  });

  it('takes everything back on SIGTERM', async () => {
    const before = [pair.ourSpace.ip('rule'), pair.ourSpace.ip('-6 rule'), pair.ourSpace.ip('route')];
    await pair.ours.start();
    expect(await pair.ours.stop()).toBe(0);
    expect(pair.ours.interfaceExists()).toBe(false);
    expect([pair.ourSpace.ip('rule'), pair.ourSpace.ip('-6 rule'), pair.ourSpace.ip('route')]).toEqual(
      before,
    );
  });

  for (const tier of ['offload', 'portable']) {
    it(`ends when its interface is deleted (${tier}), and when its control socket is`, async () => {
      (pair.ours as unknown as { options: string[] }).options = ['--tier', tier];
      await pair.ours.start();
      pair.ourSpace.ip(`link delete ${pair.ours.name}`);
      expect(await pair.ours.ended()).toBe(0);
      expect(existsSync(pair.ours.socketPath)).toBe(false);
      await pair.ours.start();
      rmSync(pair.ours.socketPath);
      expect(await pair.ours.ended()).toBe(0);
      expect(pair.ours.interfaceExists()).toBe(false);
    });
  }

  it('routes everything through the tunnel but the tunnel itself, and takes the rules back', async () => {
    const [peer] = pair.ours.config.peers as unknown as { allowedIps: readonly string[] }[];
    peer.allowedIps = ['0.0.0.0/0', '::/0'];
    pair.theirSpace.ip('address add 203.0.113.9/32 dev lo');
    const before = [pair.ourSpace.ip('rule'), pair.ourSpace.ip('-6 rule')];
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
    expect(await ping(pair.ourSpace, '203.0.113.9')).toBe(3);
    expect(await ping(pair.ourSpace, THEIRS.inner6)).toBe(3);
    expect(await pair.ours.stop()).toBe(0);
    expect([pair.ourSpace.ip('rule'), pair.ourSpace.ip('-6 rule')]).toEqual(before);
  });

  it('runs the hooks, and stops where one that must work fails', async () => {
    const trace = join(lab.directory, 'trace');
    const hooks = ['PreUp', 'PostUp', 'PreDown', 'PostDown'].map(
      (name) => `${name} = echo ${name} %i >> ${trace}`,
    );
    const withHooks = (text: string, lines: readonly string[]) =>
      text.replace('\n\n', `\n${lines.join('\n')}\n\n`);
    const file = configFile();
    writeFileSync(file, withHooks(wgQuickText(pair.ours.config), hooks), { mode: 0o600 });
    const child = pair.ourSpace.spawn([XS_PROGRAM, 'up', file], { logFile: pair.ours.logFile });
    await until('PostUp', 5_000, () => {
      try {
        return readFileSync(trace, 'utf8').includes('PostUp');
      } catch {
        return false;
      }
    });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    const { name } = pair.ours;
    expect(readFileSync(trace, 'utf8')).toBe(
      `PreUp ${name}\nPostUp ${name}\nPreDown ${name}\nPostDown ${name}\n`,
    );
    write(withHooks(wgQuickText(pair.ours.config), ['PreUp = exit 3']));
    const { code, stderr } = await up();
    expect(code).toBe(10);
    expect(stderr).toContain('a PreUp command failed: it ended with 3');
    expect(pair.ours.interfaceExists()).toBe(false);
  });

  it('as a router: a host behind it reaches a host behind the peer', async () => {
    const host = lab.namespace('host');
    const far = lab.namespace('far');
    lab.link(
      { space: pair.ourSpace, addresses: ['192.0.2.1/24'] },
      { space: host, addresses: ['192.0.2.2/24'] },
    );
    lab.link(
      { space: pair.theirSpace, addresses: ['198.51.100.1/24'] },
      { space: far, addresses: ['198.51.100.2/24'] },
    );
    for (const space of [pair.ourSpace, pair.theirSpace]) space.sysctl({ 'net.ipv4.ip_forward': '1' });
    host.ip('route add default via 192.0.2.1');
    far.ip('route add default via 198.51.100.1');
    const [ourPeer] = pair.ours.config.peers as unknown as { allowedIps: readonly string[] }[];
    const [theirPeer] = pair.theirs.config.peers as unknown as { allowedIps: readonly string[] }[];
    ourPeer.allowedIps = [...ourPeer.allowedIps, '198.51.100.0/24'];
    theirPeer.allowedIps = [...theirPeer.allowedIps, '192.0.2.0/24'];
    await Promise.all([pair.ours.start(), pair.theirs.start()]);
    expect(await ping(host, '198.51.100.2')).toBe(3);
    expect(await ping(far, '192.0.2.2', { size: 3000 })).toBe(3);
  });
});
