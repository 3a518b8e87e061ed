/** The arm64 program under qemu's user emulation, in the gateway's place. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Lab } from '../../lab/lab.js';
import { OURS, Pair, ping, THEIRS } from '../../lab/pair.js';
import { labSuite } from '../../lab/requirements.js';
import { NEEDS } from '../../lab/subject.js';
import { wgQuickText } from '../../lab/tunnel-config.js';
import { until } from '../../lab/wait.js';

const PROGRAM = fileURLToPath(new URL('../../../dist/xs/raspberry-pi/cloudbridge-gateway', import.meta.url));
const SYSROOT = fileURLToPath(new URL('../../../dist/xs/.build/sysroot-arm64', import.meta.url));
const QEMU = { program: 'qemu-aarch64-static', package: 'qemu-user-static' } as const;
const COMMAND = ['qemu-aarch64-static', '-L', SYSROOT, PROGRAM];

labSuite('the firmware for the Raspberry Pi, emulated', [...NEEDS, QEMU, { file: PROGRAM }], () => {
  it('gives the published answers of all primitives', async () => {
    expect(existsSync(SYSROOT)).toBe(true);
    const lab = new Lab();
    try {
      const space = lab.namespace('alone');
      expect(await space.get([...COMMAND, 'self-test'])).toBe('all primitives give the published answers\n');
    } finally {
      lab.close();
    }
  });

  it('shakes hands with wireguard-go in both roles and answers pings through TUN', async () => {
    for (const endpoints of ['ours', 'theirs'] as const) {
      const pair = new Pair({ endpoints });
      try {
        const { name } = pair.ours;
        const file = join(pair.lab.directory, `${name}.conf`);
        writeFileSync(file, wgQuickText(pair.ours.config), { mode: 0o600 });
        pair.ourSpace.spawn([...COMMAND, 'up', file], { logFile: pair.ours.logFile });
        await until(`${name} is up`, 15_000, () => pair.ours.log().includes(' up '));
        await pair.theirs.start();
        const [from, to] = endpoints === 'ours' ? [pair.ourSpace, THEIRS] : [pair.theirSpace, OURS];
        expect(await ping(from, to.inner4)).toBe(3);
        expect(await ping(from, to.inner6, { size: 3000 })).toBe(3);
        expect((await pair.ours.status(pair.theirs.publicKey)).latestHandshake).toBeGreaterThan(0);
      } finally {
        pair.close();
      }
    }
  }, 60_000);
});
