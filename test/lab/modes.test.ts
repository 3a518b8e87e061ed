/** The modes of an ordinary user, without any right on the host: the same probes, and wireguard-go as a peer. */
import { chmodSync, chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keyPair } from '../wireguard/reference/identity.js';
import { padded } from '../wireguard/reference/session.js';
import { PROGRAM } from './gateway-end.js';
import { echoRequest } from './inner-packet.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { OURS, ping, THEIRS } from './pair.js';
import { Prober } from './prober.js';
import { labSuite } from './requirements.js';
import { CONTROL, NEEDS, NODE_ENGINE } from './subject.js';
import { wgQuickText } from './tunnel-config.js';
import { UdpPort } from './udp-port.js';
import { until } from './wait.js';
import { WireGuardGoEnd } from './wireguard-go-end.js';

const NOBODY = 65534;
const SILENCE = 200;

for (const mode of CONTROL || !NODE_ENGINE ? [] : (['rootless', 'minimal'] as const)) {
  labSuite(`the gateway of an ordinary user, ${mode}`, NEEDS, () => {
    let lab: Lab;
    let ourSpace: Namespace;
    let theirSpace: Namespace;
    let prober: Prober;

    beforeAll(async () => {
      lab = new Lab();
      ourSpace = lab.namespace('ours');
      theirSpace = lab.namespace('theirs');
      lab.link(
        { space: ourSpace, addresses: [`${OURS.v4}/16`] },
        { space: theirSpace, addresses: [`${THEIRS.v4}/16`, '10.51.1.2/16'] },
      );
      const [ourKeys, theirKeys] = [keyPair(), keyPair()];
      prober = new Prober({
        port: await UdpPort.open(theirSpace, { address: THEIRS.v4 }),
        target: { address: OURS.v4, port: OURS.port },
        remotePublicKey: ourKeys.publicKey,
        inner4: '10.99.1.1',
        inner6: 'fd99::1:1',
      });
      const config = {
        keys: ourKeys,
        listenPort: OURS.port,
        addresses: [`${OURS.inner4}/16`, `${OURS.inner6}/64`],
        peers: [
          { publicKey: prober.keys.publicKey, allowedIps: ['10.99.1.1/32', 'fd99::1:1/128'] },
          { publicKey: theirKeys.publicKey, allowedIps: [`${THEIRS.inner4}/32`, `${THEIRS.inner6}/128`] },
        ],
      };
      const name = lab.interfaceName();
      const home = lab.subdirectory('home');
      const file = join(home, `${name}.conf`);
      writeFileSync(file, wgQuickText(config), { mode: 0o600 });
      for (const path of [home, file]) chownSync(path, NOBODY, NOBODY);
      // Only to pass through: the directory above stays root's.
      chmodSync(lab.directory, 0o711);
      const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
      const up = [process.execPath, PROGRAM, 'up', file, '--name', name, '--mode', mode];
      const gateway = ourSpace.spawn([...user, 'setpriv', '--pdeathsig', 'KILL', ...up], {
        environment: { HOME: home, XDG_RUNTIME_DIR: home, XDG_STATE_HOME: home },
        logFile: join(lab.directory, 'gateway.log'),
      });
      const theirs = new WireGuardGoEnd(lab, theirSpace, {
        keys: theirKeys,
        listenPort: THEIRS.port,
        addresses: [`${THEIRS.inner4}/24`, `${THEIRS.inner6}/64`],
        peers: [
          {
            publicKey: ourKeys.publicKey,
            endpoint: `${OURS.v4}:${OURS.port}`,
            allowedIps: [`${OURS.inner4}/32`, `${OURS.inner6}/128`],
          },
        ],
      });
      await until('the gateway is up', 20_000, () => {
        if (gateway.exitCode !== null) throw new Error(`the gateway ended with ${gateway.exitCode}`);
        return existsSync(join(home, 'wireguard', `${name}.sock`));
      });
      await theirs.start();
      await until('the gateway answers', 20_000, () =>
        ping(theirSpace, OURS.inner4, { count: 1, patience: 1 }),
      );
    }, 40_000);
    afterAll(() => lab?.close());

    it('answers the pings of wireguard-go, IPv4 and IPv6, all sizes', async () => {
      for (const size of [0, 1, 56, 1000, 1392])
        expect(await ping(theirSpace, OURS.inner4, { size, whole: true }), `${size}`).toBe(3);
      for (const size of [0, 1, 56, 1000, 1372])
        expect(await ping(theirSpace, OURS.inner6, { size, whole: true }), `${size}`).toBe(3);
    });

    it('answers the prober, follows it, and takes nothing twice', async () => {
      const session = await prober.connect();
      expect(await prober.ping(session)).toBe(true);
      expect(await prober.ping(session, 300, 6)).toBe(true);
      const elsewhere = await UdpPort.open(theirSpace, { address: '10.51.1.2' });
      expect(await prober.ping(session, 8, 4, elsewhere)).toBe(true);
      const { message, sequence } = prober.echo(session);
      await prober.send(message);
      expect(await prober.echoed(session, sequence)).toBe(true);
      await elsewhere.send(message, prober.target);
      expect(await elsewhere.during(SILENCE)).toEqual([]);
      expect(prober.port.captured.length).toBeGreaterThan(0);
      expect(await prober.port.during(SILENCE)).toEqual([]);
    });

    it('drops inner sources that are another peer’s', async () => {
      const session = await prober.connect();
      const spoofed = echoRequest({ source: THEIRS.inner4, destination: OURS.inner4, sequence: 7 });
      await prober.send(session.seal(padded(spoofed)));
      expect(await prober.content(session, SILENCE)).toBe(undefined);
      expect(await prober.ping(session)).toBe(true);
    });

    it('is silent to strangers', async () => {
      const stranger = await UdpPort.open(theirSpace, { address: THEIRS.v4 });
      const { message } = prober.initiation({ static: keyPair() });
      for (const bytes of [message, message.slice(0, 147), new Uint8Array(32).fill(4), new Uint8Array(1)])
        await stranger.send(bytes, prober.target);
      expect(await stranger.during(SILENCE)).toEqual([]);
      expect(await prober.ping(await prober.connect())).toBe(true);
    });
  });
}
