/** The real `wg` and `wg-quick` drive the subject unmodified. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { base64, keyPair } from '../wireguard/reference/identity.js';
import { PROGRAM, XS_PROGRAM } from './gateway-end.js';
import { Lab } from './lab.js';
import { OURS, Pair, ping, THEIRS } from './pair.js';
import { ProbeLab } from './probe-lab.js';
import { Prober, RESPONSE, typeOf } from './prober.js';
import { labSuite, WG_QUICK } from './requirements.js';
import { CONTROL, NEEDS, SUBJECT, subject } from './subject.js';
import { wgQuickText } from './tunnel-config.js';
import { UdpPort } from './udp-port.js';
import { sleep, until } from './wait.js';

labSuite(`wg drives ${SUBJECT}`, NEEDS, () => {
  let lab: ProbeLab;
  beforeAll(async () => {
    lab = await ProbeLab.start();
  }, 30_000);
  afterAll(() => lab?.close());

  /** The sections of a configuration, in an order of their own. */
  const sorted = (text: string) =>
    text
      .split(/\n(?=\[)/)
      .map((section) => section.trim())
      .sort();

  const newKey = () => base64(keyPair().publicKey);

  it('wg show', async () => {
    const key = newKey();
    const end = lab.subject;
    await end.set('peer', key, 'allowed-ips', '10.99.9.0/24,fd99::9:0/112', 'endpoint', '10.51.0.77:1234');
    const text = await end.wg('show', end.name);
    expect(text).toContain(`interface: ${end.name}`);
    expect(text).toContain(`public key: ${base64(end.publicKey)}`);
    expect(text).toContain('private key: (hidden)');
    expect(text).toContain(`listening port: ${OURS.port}`);
    expect(text).toContain(`peer: ${key}`);
    expect(text).toContain('endpoint: 10.51.0.77:1234');
    expect(text).toContain('allowed ips: 10.99.9.0/24, fd99::9:0/112');
    expect((await end.wg('show', 'interfaces')).split(/\s+/)).toContain(end.name);
    expect((await end.wg('show', end.name, 'public-key')).trim()).toBe(base64(end.publicKey));
    expect((await end.wg('show', end.name, 'peers')).split('\n')).toContain(key);
    await end.set('peer', key, 'remove');
    expect(await end.wg('show', end.name, 'peers')).not.toContain(key);
  });

  it('wg show dump', async () => {
    const end = lab.subject;
    const psk = base64(keyPair().privateKey);
    const key = newKey();
    const words = [
      'peer',
      key,
      'preshared-key',
      end.secretFile('dump-psk', psk),
      'persistent-keepalive',
      '17',
    ];
    await end.set(...words, 'endpoint', '[fd51::77]:4321', 'allowed-ips', '10.99.10.3/24');
    const lines = (await end.wg('show', end.name, 'dump')).split('\n');
    const privateKey = base64(end.config.keys.privateKey);
    expect(lines[0].split('\t')).toEqual([privateKey, base64(end.publicKey), `${OURS.port}`, 'off']);
    expect(lines.map((line) => line.split('\t'))).toContainEqual([
      ...[key, psk, '[fd51::77]:4321', '10.99.10.0/24', '0', '0'],
      expect.stringMatching(/^\d+$/),
      '17',
    ]);
    await end.set('peer', key, 'remove');
  });

  it('wg showconf gives what wg setconf takes', async () => {
    const end = lab.subject;
    const psk = base64(keyPair().privateKey);
    await end.set(
      'peer',
      newKey(),
      'preshared-key',
      end.secretFile('conf-psk', psk),
      'allowed-ips',
      '10.99.11.0/24',
    );
    await end.set('peer', newKey(), 'endpoint', '10.51.0.78:99', 'persistent-keepalive', '25');
    const before = await end.wg('showconf', end.name);
    expect(before).toContain(`PrivateKey = ${base64(end.config.keys.privateKey)}`);
    const file = end.secretFile('shown.conf', before);
    await end.wg('setconf', end.name, file);
    expect(sorted(await end.wg('showconf', end.name))).toEqual(sorted(before));
  });

  it('wg setconf replaces, addconf adds, syncconf keeps sessions', async () => {
    const end = lab.subject;
    const kept = await lab.prober();
    const session = await kept.connect();
    expect(await kept.ping(session)).toBe(true);
    const shown = await end.wg('showconf', end.name);
    const added = newKey();
    await end.wg(
      'addconf',
      end.name,
      end.secretFile('add.conf', `[Peer]\nPublicKey = ${added}\nAllowedIPs = 10.99.12.0/24\n`),
    );
    expect(await end.wg('show', end.name, 'peers')).toContain(added);
    await end.wg('syncconf', end.name, end.secretFile('sync.conf', shown));
    expect(await end.wg('show', end.name, 'peers')).not.toContain(added);
    expect(await kept.ping(session)).toBe(true);
    expect((await end.status(kept.keys.publicKey)).latestHandshake).toBeGreaterThan(0);
    await end.wg('setconf', end.name, end.secretFile('set.conf', shown));
    // setconf makes the peer anew: its session is gone, the peer is not.
    expect((await end.status(kept.keys.publicKey)).latestHandshake).toBe(0);
    expect(await kept.ping(await kept.connect())).toBe(true);
  });

  it('wg set allowed-ips replaces, and preshared-key takes effect with the next handshake', async () => {
    const end = lab.subject;
    const prober = await lab.prober();
    const key = base64(prober.keys.publicKey);
    await end.set('peer', key, 'allowed-ips', '10.99.13.0/24');
    expect((await end.status(prober.keys.publicKey)).allowedIps).toEqual(['10.99.13.0/24']);
    const psk = keyPair().privateKey;
    await end.set('peer', key, 'preshared-key', end.secretFile('set-psk', base64(psk)));
    expect((await end.status(prober.keys.publicKey)).presharedKey).toBe(base64(psk));
    await expect(prober.initiate()).rejects.toThrow('does not open');
    await sleep(30);
    await prober.initiate({ presharedKey: psk });
    await end.set('peer', key, 'preshared-key', end.secretFile('no-psk', ''));
    expect((await end.status(prober.keys.publicKey)).presharedKey).toBe(undefined);
    await sleep(30);
    await prober.initiate();
  });

  it('wg set listen-port moves the socket; 0 picks a port; a taken one is refused', async () => {
    const end = lab.subject;
    const prober = await lab.prober();
    await end.set('listen-port', '51999');
    expect((await end.wg('show', end.name, 'listen-port')).trim()).toBe('51999');
    prober.target = { ...prober.target, port: 51999 };
    const session = await prober.connect();
    expect(await prober.ping(session)).toBe(true);
    const holder = await UdpPort.open(lab.space, { address: '0.0.0.0', port: 52000 });
    const refused = await lab.space.run(['wg', 'set', end.name, 'listen-port', '52000']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/address already in use/i);
    holder.close();
    if (!CONTROL) {
      // wireguard-go is left without a socket here.
      expect(await prober.ping(session)).toBe(true);
    }
    await end.set('listen-port', '0');
    const port = Number(await end.wg('show', end.name, 'listen-port'));
    expect(port).toBeGreaterThan(1023);
    prober.target = { ...prober.target, port };
    expect(await prober.ping(session)).toBe(true);
    await end.set('listen-port', `${OURS.port}`);
  });

  it('wg set private-key gives it another identity at once', async () => {
    const end = lab.subject;
    const prober = await lab.prober();
    await prober.connect();
    const old = prober.initiation();
    const fresh = keyPair();
    await end.set('private-key', end.secretFile('new-key', base64(fresh.privateKey)));
    expect((await end.wg('show', end.name, 'public-key')).trim()).toBe(base64(fresh.publicKey));
    await sleep(30);
    prober.port.drain();
    await prober.send(old.message);
    expect(await prober.port.during(150, (datagram) => typeOf(datagram) === RESPONSE)).toEqual([]);
    const again = new Prober({
      port: prober.port,
      target: prober.target,
      remotePublicKey: fresh.publicKey,
      keys: prober.keys,
      inner4: prober.inner4,
    });
    expect(await again.ping(await again.connect())).toBe(true);
    await end.set('private-key', end.secretFile('old-key', base64(end.config.keys.privateKey)));
    await sleep(30);
    await prober.connect();
  });

  it('wg set fwmark is shown, and 0 turns it off', async () => {
    const end = lab.subject;
    await end.set('fwmark', '0x1234');
    expect((await end.wg('show', end.name, 'fwmark')).trim()).toBe('0x1234');
    await end.set('fwmark', '0');
    expect((await end.wg('show', end.name, 'fwmark')).trim()).toBe('off');
  });

  it('takes 2000 peers in one wg setconf and gives them all back', async () => {
    const end = lab.subject;
    const before = await end.wg('showconf', end.name);
    const keys = Array.from({ length: 2000 }, (_, i) => {
      const bytes = keyPair(new Uint8Array(32)).publicKey.slice();
      new DataView(bytes.buffer).setUint32(0, i);
      return base64(bytes);
    });
    const prefixes = keys.map(
      (_, i) => `10.${100 + (i >> 8)}.${i & 255}.0/24 fd9a:${(i + 1).toString(16)}::/64`,
    );
    const peers = keys.map(
      (key, i) => `[Peer]\nPublicKey = ${key}\nAllowedIPs = ${prefixes[i].replace(' ', ', ')}\n`,
    );
    await end.wg('addconf', end.name, end.secretFile('many.conf', peers.join('\n')));
    const shown = (await end.wg('show', end.name, 'allowed-ips')).split('\n');
    for (const i of keys.keys()) if (i % 100 === 0) expect(shown).toContain(`${keys[i]}\t${prefixes[i]}`);
    expect(shown.length).toBeGreaterThan(2000);
    await end.wg('syncconf', end.name, end.secretFile('few.conf', before));
    expect((await end.wg('show', end.name, 'peers')).split('\n').length).toBeLessThan(100);
    const prober = await lab.prober();
    expect(await prober.ping(await prober.connect())).toBe(true);
  }, 60_000);

  it('refuses what it does not understand, and stays as it was', async () => {
    const end = lab.subject;
    const before = await end.wg('showconf', end.name);
    const speak = (text: string) =>
      lab.space.get([process.execPath, '-e', SPEAK, end.socketPath], { input: text });
    expect(await speak('set=1\nno_such_key=1\n\n')).toMatch(/^errno=-\d+\n\n$/);
    expect(await speak('set=1\nlisten_port=70000\n\n')).toMatch(/^errno=-\d+\n\n$/);
    expect(await speak('set=1\nprivate_key=abc\n\n')).toMatch(/^errno=-\d+\n\n$/);
    expect(sorted(await end.wg('showconf', end.name))).toEqual(sorted(before));
    expect(await speak('get=1\n\nget=1\n\n')).toMatch(/errno=0\n\n[\s\S]*errno=0\n\n$/);
  });
});

/** Writes standard input to a Unix socket and prints what comes back. */
const SPEAK = `
  const socket = require('node:net').connect(process.argv[1]);
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);
`;

labSuite(`the life of ${SUBJECT}`, [...NEEDS, WG_QUICK], () => {
  async function alone(use: (lab: Lab, pair: Pair) => Promise<void>): Promise<void> {
    const pair = await Pair.start();
    try {
      await use(pair.lab, pair);
    } finally {
      pair.close();
    }
  }

  /** All that a gateway may have changed in a namespace. */
  function traces(pair: Pair): string {
    return ['-o link', '-o address', 'route show table all', '-6 route show table all', 'rule', '-6 rule']
      .map((words) => pair.ourSpace.ip(words))
      .concat(pair.ourSpace.now('nft', 'list', 'ruleset'))
      .join('\n---\n')
      .replace(/(expires|valid_lft|preferred_lft) \S+/g, '');
  }

  it('ends when its interface is deleted, and takes its socket along', () =>
    alone(async (_, { ours, ourSpace }) => {
      ourSpace.ip(`link del ${ours.name}`);
      await ours.ended(10_000);
      await until('the socket is gone', 2000, () => !existsSync(ours.socketPath));
    }));

  it('outlives its interface being set down and up', () =>
    alone(async (_, { ours, ourSpace }) => {
      expect(await ping(ourSpace, THEIRS.inner4)).toBe(3);
      ourSpace.ip(`link set ${ours.name} down`);
      await sleep(300);
      expect(ours.running).toBe(true);
      ourSpace.ip(`link set ${ours.name} up`);
      expect(await ping(ourSpace, THEIRS.inner4, { count: 5, interval: 0.3 })).toBeGreaterThanOrEqual(3);
    }));

  it('ends when its socket is removed', () =>
    alone(async (_, { ours }) => {
      rmSync(ours.socketPath);
      await ours.ended(10_000);
      expect(ours.interfaceExists()).toBe(false);
    }));

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`leaves everything as it was on ${signal}`, async () => {
      const pair = new Pair();
      try {
        await pair.theirs.start();
        const before = traces(pair);
        await pair.ours.start();
        expect(await ping(pair.ourSpace, THEIRS.inner4)).toBe(3);
        expect(traces(pair)).not.toBe(before);
        const code = await pair.ours.stop(signal);
        if (!CONTROL) expect(code).toBe(0);
        expect(traces(pair)).toBe(before);
        expect(existsSync(pair.ours.socketPath)).toBe(false);
        await pair.ours.start();
        expect(await ping(pair.ourSpace, THEIRS.inner6)).toBe(3);
      } finally {
        pair.close();
      }
    });
  }

  it('can be started again after kill -9 and leaves nothing of the interface behind', () =>
    alone(async (_, { ours, ourSpace }) => {
      await ours.crash();
      expect(ours.interfaceExists()).toBe(false);
      await ours.start();
      expect(await ping(ourSpace, THEIRS.inner4)).toBe(3);
    }));

  it('wg-quick up and down', async (context) => {
    const engine = process.env.GATEWAY_ENGINE ?? 'node';
    const given = process.env.GATEWAY_USERSPACE ?? (engine === 'xs' ? XS_PROGRAM : undefined);
    if (engine !== 'node' && !given) context.skip('needs GATEWAY_USERSPACE for an engine given as a command');
    const lab = new Lab();
    try {
      const [ourSpace, theirSpace] = [lab.namespace('ours'), lab.namespace('theirs')];
      lab.link(
        { space: ourSpace, addresses: [`${OURS.v4}/24`] },
        { space: theirSpace, addresses: [`${THEIRS.v4}/24`] },
      );
      const [ourKeys, theirKeys] = [keyPair(), keyPair()];
      const theirs = subject(lab, theirSpace, {
        keys: theirKeys,
        listenPort: THEIRS.port,
        addresses: [`${THEIRS.inner4}/24`, `${THEIRS.inner6}/64`],
        peers: [{ publicKey: ourKeys.publicKey, allowedIps: [`${OURS.inner4}/32`, `${OURS.inner6}/128`] }],
      });
      await theirs.start();
      const name = lab.interfaceName();
      const file = join(lab.directory, `${name}.conf`);
      const config = {
        keys: ourKeys,
        listenPort: OURS.port,
        addresses: [`${OURS.inner4}/24`, `${OURS.inner6}/64`],
        peers: [
          {
            publicKey: theirKeys.publicKey,
            endpoint: `${THEIRS.v4}:${THEIRS.port}`,
            allowedIps: ['10.99.0.0/24', 'fd99::/64', '10.200.0.0/16'],
          },
        ],
      };
      writeFileSync(file, wgQuickText(config), { mode: 0o600 });
      const implementation = lab.subdirectory('bin');
      const program = join(implementation, 'cloudbridge-gateway');
      if (!CONTROL && !given)
        writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`, { mode: 0o755 });
      const environment = {
        WG_QUICK_USERSPACE_IMPLEMENTATION: CONTROL ? 'wireguard-go' : (given ?? program),
        STATE_DIRECTORY: lab.subdirectory('state'),
        // The kernel's own implementation must not serve here.
        PATH: `${implementation}:${process.env.PATH}`,
      };
      // The daemon keeps running: its output must not hold the test.
      const quick = (word: string) =>
        ourSpace.get(
          ['sh', '-c', `wg-quick ${word} ${file} >${file}.log 2>&1 || { cat ${file}.log; exit 1; }`],
          {
            environment,
          },
        );
      await quick('up');
      expect(await ping(ourSpace, THEIRS.inner4)).toBe(3);
      expect(await ping(ourSpace, THEIRS.inner6)).toBe(3);
      expect(ourSpace.ip('route')).toContain(`10.200.0.0/16 dev ${name}`);
      expect(await ourSpace.get(['wg', 'show', name])).toContain('latest handshake');
      await quick('down');
      expect(ourSpace.ip('-o link')).not.toContain(name);
      await until('the process ends', 5000, async () => {
        const pids = await ourSpace.get(['ip', 'netns', 'pids', ourSpace.name]);
        const lines = await Promise.all(
          pids
            .split('\n')
            .filter(Boolean)
            .map((pid) => ourSpace.run(['cat', `/proc/${pid}/cmdline`])),
        );
        return !lines.some(({ stdout }) => stdout.includes(name));
      });
    } finally {
      lab.close();
    }
  }, 60_000);
});
