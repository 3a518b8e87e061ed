/** The lab itself: what it makes is gone afterwards, whichever way the test process ends. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { keyPair } from '../wireguard/reference/identity.js';
import { Lab } from './lab.js';
import { labSuite } from './requirements.js';
import { NEEDS } from './subject.js';
import { until } from './wait.js';
import { WireGuardGoEnd } from './wireguard-go-end.js';

const MODULE = fileURLToPath(new URL('./lab.ts', import.meta.url));

/** Makes a namespace with a lasting process in it, says its names, and waits to be killed. */
const VICTIM = `
  const { Lab } = await import(process.argv[1]);
  const lab = new Lab();
  const space = lab.namespace('victim');
  const child = space.spawn(['sleep', '600'], { logFile: lab.directory + '/log' });
  console.log(JSON.stringify({ name: space.name, directory: lab.directory, pid: child.pid }));
  setInterval(() => {}, 1000);
`;

labSuite('the lab', NEEDS, () => {
  it('leaves nothing behind when it is closed', async () => {
    const lab = new Lab();
    const space = lab.namespace('short');
    const config = { keys: keyPair(), addresses: ['10.99.0.1/24'], peers: [] };
    const end = new WireGuardGoEnd(lab, space, config);
    await end.start();
    expect(existsSync(`/proc/${end.pid}`)).toBe(true);
    lab.close();
    expect(readdirSync('/run/netns')).not.toContain(space.name);
    expect(existsSync(lab.directory)).toBe(false);
    expect(existsSync(end.socketPath)).toBe(false);
    await end.ended();
  });

  it('sweeps away what a killed test process has left, and nothing of the living', async () => {
    const living = new Lab();
    const mine = living.namespace('living');
    const tsx = import.meta.resolve('tsx');
    const victim = spawn(process.execPath, ['--import', tsx, '--input-type=module', '-e', VICTIM, MODULE], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    victim.stdout.on('data', (text) => {
      output += text;
    });
    await until('the victim is ready', 20_000, () => output.includes('\n'));
    const left = JSON.parse(output) as { name: string; directory: string; pid: number };
    victim.kill('SIGKILL');
    // Its processes die with it, before anybody sweeps.
    await until('the sleeper is gone', 5000, () => !existsSync(`/proc/${left.pid}`));
    const next = new Lab();
    expect(readdirSync('/run/netns')).not.toContain(left.name);
    expect(existsSync(left.directory)).toBe(false);
    expect(readdirSync('/run/netns')).toContain(mine.name);
    next.close();
    living.close();
  });
});
