/** The firmware's other ways to a control plane: inside the WireGuard tunnel, and over a broker that is not ours. */

import { type ChildProcess, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { XS_PROGRAM } from '../../lab/gateway-end.js';
import { IP, labSuite, NFT } from '../../lab/requirements.js';
import { sleep } from '../../lab/wait.js';
import { CONTROL, CONTROL_ADDRESS, CONTROL_PORT, ControlLab } from './control-lab.js';

const OPENSSL = { program: 'openssl', package: 'openssl' } as const;
const MOSQUITTO = { program: 'mosquitto', package: 'mosquitto' } as const;
const NEEDS = ['root', IP, NFT, OPENSSL, { file: CONTROL }, { file: XS_PROGRAM }] as const;
const TUNNEL_PORT = 51_990;
const BROKER_PORT = 8884;

let net: ControlLab;
let name: string;
let firmware: ChildProcess;

const where = () => ['--name', name, '--state-dir', net.state];
const enrol = async () => {
  const { code, stderr } = await net.firmware(net.far, ['enrol', await net.claim(), ...where()]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
};
const run = (...options: string[]) => {
  firmware = net.far.spawn([XS_PROGRAM, 'run', ...where(), ...options], {
    environment: net.trust,
    logFile: join(net.lab.directory, 'firmware.log'),
  });
};
const green = (route: RegExp) =>
  net.statusUntil(
    `a heartbeat by ${route}`,
    name,
    ({ control }) =>
      control?.control === 'green' && control.session === 'live' && route.test(control.route ?? ''),
  );
/** Of what the far host sends, TCP to this port of the control plane goes nowhere. */
const blockTcp = (port: number) =>
  net.far.nft(`table inet t {
    chain o {
      type filter hook output priority 0;
      ip daddr ${CONTROL_ADDRESS} tcp dport ${port} drop;
    }
  }`);

function setUp(): void {
  net = new ControlLab();
  name = net.lab.interfaceName();
}

labSuite('the firmware with its control session inside the tunnel', NEEDS, () => {
  beforeEach(setUp);
  afterEach(() => net.close());

  it('moves into the tunnel, stays there without TLS, and starts there after a power cut', async () => {
    await net.serve(['--tunnel-listen', String(TUNNEL_PORT)]);
    await enrol();
    run('--control-in-tunnel');
    await green(/^ws:\/\/\[fd[0-9a-f:]+\]:\d+\/ws$/);
    blockTcp(CONTROL_PORT);
    firmware.kill('SIGKILL');
    await new Promise((resolve) => firmware.once('exit', resolve));
    run('--control-in-tunnel');
    const { control, peers } = await green(/^ws:/);
    expect(control?.counters.connections).toBe(1);
    // The only peer there is carries the session.
    expect(peers).toMatchObject([{ state: 'established', reason: 'confirmed' }]);
    const [listed] = await net.gateways();
    expect(listed).toMatchObject({ online: true });
  }, 180_000);

  it('takes the tunnel when nothing else is left, unasked', async () => {
    await net.serve(['--tunnel-listen', String(TUNNEL_PORT)]);
    await enrol();
    run();
    await green(/^wss:/);
    blockTcp(CONTROL_PORT);
    await green(/^ws:/);
  }, 180_000);
});

labSuite('the firmware over Mosquitto', [...NEEDS, MOSQUITTO], () => {
  beforeEach(setUp);
  afterEach(() => net.close());

  it('keeps a session, over TLS 1.3, and rotates its key', async () => {
    const folder = net.lab.subdirectory('broker');
    const security = join(folder, 'security.json');
    execFileSync('mosquitto_ctrl', ['dynsec', 'init', security, 'control', 'secret/of:control']);
    const plugin = execFileSync('sh', ['-c', 'ls /usr/lib/*/mosquitto_dynamic_security.so'], {
      encoding: 'utf8',
    });
    const lines = [
      ...['user root', 'per_listener_settings false', 'allow_anonymous false'],
      ...[`plugin ${plugin.trim()}`, `plugin_opt_config_file ${security}`],
      'listener 1883 127.0.0.1',
      `listener ${BROKER_PORT} ${CONTROL_ADDRESS}`,
      ...[`certfile ${net.certificate}`, `keyfile ${net.key}`, 'tls_version tlsv1.3'],
    ];
    const file = join(folder, 'mosquitto.conf');
    writeFileSync(file, `${lines.join('\n')}\n`);
    net.home.spawn(['mosquitto', '-c', file], { logFile: join(folder, 'log') });
    await sleep(1_000);
    await net.serve(['--mqtt-url', `mqtts://${CONTROL_ADDRESS}:${BROKER_PORT}`], {
      MQTT_URL: `mqtt://control:${encodeURIComponent('secret/of:control')}@127.0.0.1:1883`,
    });
    await enrol();
    run();
    await green(/^wss:/);
    const [{ id, public_key: before }] = await net.gateways();
    await net.configure(id, { control: [`mqtts://${CONTROL_ADDRESS}:${BROKER_PORT}`] });
    await green(/^mqtts:/);
    await net.control('gateways', 'rotate', id, '--tenant', 'board');
    const { publicKey } = await net.statusUntil('another key', name, (status) => status.publicKey !== before);
    expect((await net.gateways())[0]).toMatchObject({ online: true, public_key: publicKey });
    await green(/^mqtts:/);
  }, 180_000);
});
