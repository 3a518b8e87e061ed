import { type ChildProcess, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { askGateway } from '../../host/gateway/uapi-client.js';
import { uapiDirectory } from '../../host/gateway/uapi-path.js';
import { type GatewayStatus, STATUS_OPERATION } from '../../src/gateway/status.js';
import { makeCertificate } from '../relay/relay-world.js';
import { PROGRAM } from './gateway-end.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { Flow, RELAY_PROGRAM } from './reach-lab.js';
import { IP, labSuite, NFT, PING } from './requirements.js';
import { until } from './wait.js';

const CONTROL = fileURLToPath(new URL('../../dist/cloudbridge-control.js', import.meta.url));
const OPENSSL = { program: 'openssl', package: 'openssl' } as const;
const NEEDS = [
  'root',
  IP,
  NFT,
  PING,
  OPENSSL,
  { file: PROGRAM },
  { file: RELAY_PROGRAM },
  { file: CONTROL },
] as const;
const HUB = '203.0.113.100';

labSuite('reach of enrolled gateways', NEEDS, () => {
  let lab: Lab | undefined;
  const processes: ChildProcess[] = [];
  afterEach(() => {
    for (const one of processes.splice(0)) one.kill('SIGKILL');
    lab?.close();
  });

  it('meet at the relay with the tokens of their enrolment, and climb to direct', {
    timeout: 120_000,
  }, async () => {
    lab = new Lab();
    const net = lab.namespace('net');
    net.ip('link add br0 type bridge');
    net.ip('link set br0 up');
    const attach = (label: string, address: string): Namespace => {
      const space = lab!.namespace(label);
      const outer = lab!.interfaceName();
      execFileSync('ip', [
        ...`link add ${outer} netns ${net.name} type veth peer name eth0 netns ${space.name}`.split(' '),
      ]);
      net.ip(`link set ${outer} master br0 up`);
      space.ip(`address add ${address}/24 dev eth0`);
      space.ip('link set eth0 up');
      return space;
    };
    const hub = attach('hub', HUB);
    const [a, b] = [attach('a', '203.0.113.11'), attach('b', '203.0.113.12')];
    const shut = `table inet site {
      chain out {
        type filter hook output priority 0
        oifname "eth0" meta l4proto udp drop
      }
    }`;
    for (const site of [a, b]) site.nft(shut);

    const file = (name: string) => join(lab!.directory, name);
    const { cert, key } = makeCertificate(`IP:${HUB}`);
    writeFileSync(file('cert.pem'), cert);
    writeFileSync(file('key.pem'), key, { mode: 0o600 });
    const environment = { NODE_EXTRA_CA_CERTS: file('cert.pem'), NO_COLOR: '1' };
    const tls = ['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem')];
    const url = `https://${HUB}:8443`;
    const control = [process.execPath, CONTROL, '--state-dir', file('control')];
    const start = (space: Namespace, label: string, ...words: string[]): void => {
      processes.push(space.spawn(words, { environment, logFile: file(`${label}.log`) }));
    };
    start(hub, 'control', ...control, 'serve', '--listen', `${HUB}:8443`, '--url', url, ...tls);
    const claim = await until('a claim', 30_000, async () => {
      const words = [...control, 'claim', 'create', '--tenant', 'acme', '--uses', '2', '--json'];
      const { code, stdout } = await hub.run(words, { environment });
      return code === 0 ? (JSON.parse(stdout) as { url: string }).url : undefined;
    });
    const keys = ['--jwks', `${url}/.well-known/jwks.json`, '--issuer', url];
    start(hub, 'relay', process.execPath, RELAY_PROGRAM, 'serve', '--listen', `${HUB}:443`, ...tls, ...keys);
    writeFileSync(file('claim'), claim, { mode: 0o600 });
    const names = new Map([a, b].map((site) => [site, lab!.interfaceName()]));
    for (const [site, name] of names) {
      const words = ['run', '--name', name, '--mode', 'tun', '--state-dir', file(`state-${name}`)];
      const reach = ['--claim', file('claim'), '--relay', `https://${HUB}`];
      start(site, name, process.execPath, PROGRAM, ...words, ...reach);
    }
    const status = async (site: Namespace): Promise<GatewayStatus | undefined> => {
      const answer = await askGateway(uapiDirectory(), names.get(site)!, STATUS_OPERATION).catch(
        () => undefined,
      );
      return answer === undefined ? undefined : JSON.parse(answer);
    };
    const uses = (site: Namespace, transport: string) =>
      until(`${transport}`, 60_000, async () => {
        const one = await status(site);
        const peer = one?.peers.find(({ path }) => path !== undefined);
        return peer?.transport === transport && peer.state === 'established' ? peer : undefined;
      });
    await Promise.all([uses(a, 'masque'), uses(b, 'masque')]);
    const inner = (await status(b))!.control!.addresses[0].split('/')[0];
    const flow = await new Flow(a, inner, 2).result();
    expect(flow.received).toBe(flow.sent);

    // Another network, as far as each of them can see: everything is asked for anew, and now UDP answers.
    const climb = new Flow(a, inner, 6);
    for (const site of [a, b]) {
      site.nft('');
      site.ip(`address add 198.51.100.${site === a ? 1 : 2}/32 dev eth0`);
    }
    await Promise.all([uses(a, 'udp'), uses(b, 'udp')]);
    const climbed = await climb.result();
    expect(climbed.received).toBe(climbed.sent);
    expect(climbed.duplicates).toBe(0);
  });
});
