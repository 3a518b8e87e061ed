import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../lab/wait.js';
import { RelayWorld } from './relay-world.js';

const CLIENT = fileURLToPath(new URL('./h2-client.py', import.meta.url));
/** The system's own: Debian's packages are not on the path of another. */
const PYTHON = '/usr/bin/python3';
const hasH2 = spawnSync(PYTHON, ['-c', 'import h2']).status === 0;

describe('HTTP/2, spoken by python3-h2', () => {
  if (!hasH2) {
    it('has what it needs', (context) => context.skip('needs python3-h2 (Debian package python3-h2)'));
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'cb-h2-'));
  let world: RelayWorld;
  beforeAll(async () => {
    world = await RelayWorld.start();
    writeFileSync(join(folder, 'ca.pem'), world.certificate.cert);
  });
  afterAll(async () => {
    await world.relay.stop();
    rmSync(folder, { recursive: true });
  });

  function client(path: string, token: string): { out: () => string; ended: Promise<unknown> } {
    const child = spawn(PYTHON, [CLIENT, `${world.relay.port}`, join(folder, 'ca.pem'), path]);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        text += chunk;
      });
    }
    child.stdin.end(`${token}\n`);
    return { out: () => text, ended: new Promise((resolve) => child.once('close', resolve)) };
  }

  it('extended CONNECT, capsules both ways', async () => {
    const one = await world.client('masque', 'one', 'two');
    await one.is('open');
    const h2 = client(
      '/.well-known/masque/udp/one.gateway.invalid/1/',
      await world.issuer.sign('two', 'acme'),
    );
    await until('it is in', 10_000, () => h2.out().includes('status'));
    expect(h2.out()).toContain('connect-protocol enabled\nstatus 200 ?1\n');
    await one.has(1);
    expect(one.received[0].toString()).toBe('from h2');
    one.send(Buffer.from('to h2'));
    await h2.ended;
    expect(h2.out()).toContain(`capsule 000600${Buffer.from('to h2').toString('hex')}`);
    one.transport.close();
    await until('both tunnels ended', 5_000, () => world.relay.tunnels === 0);
  });

  it.each([
    ['without a valid token', '/.well-known/masque/udp/one.gateway.invalid/1/', 'x.y.z', '401'],
    ['to a forbidden target', '/.well-known/masque/udp/169.254.169.254/80/', '', '403'],
    ['to nothing', '/', '', '404'],
  ])('refuses %s', async (_, path, token, status) => {
    const h2 = client(path, token || (await world.issuer.sign('two', 'acme')));
    await h2.ended;
    expect(h2.out()).toContain(`status ${status} -`);
  });
});
