import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModeChoice } from '../../host/gateway/platform/tunnel.js';
import { IP, labSuite } from '../lab/requirements.js';

/** Prints what `chooseMode` makes of the process it runs in. */
const ASKER = `
import { chooseMode } from '../../host/gateway/platform/mode.js';
const forced = process.argv[2] || undefined;
try { console.log(JSON.stringify(await chooseMode({ forced }))); }
catch (error) { console.log(JSON.stringify({ error: error.message, code: error.exitCode })); }
`;

type Answer = ModeChoice & { readonly error?: string; readonly code?: number };

describe('the choice of a mode', () => {
  let directory: string;
  let asker: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'cb-mode-'));
    asker = join(directory, 'asker.mjs');
    const stdin = { contents: ASKER, resolveDir: import.meta.dirname, loader: 'ts' as const };
    await build({ stdin, outfile: asker, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function ask(before: readonly string[], forced = ''): Answer {
    const [program, ...rest] = [...before, process.execPath, asker, forced];
    const { stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  }

  it('is minimal for whoever asks for it', () => {
    const answer = ask([], 'minimal');
    expect(answer).toMatchObject({ mode: 'minimal', rejected: [] });
    expect(answer.reason).toContain('no TCP');
  });

  labSuite('with rights to give away', ['root', IP], () => {
    const bare = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];

    it('is tun for root', () => {
      expect(ask([])).toMatchObject({ mode: 'tun', rejected: [] });
    });

    it('is not tun without CAP_NET_ADMIN, and says so', () => {
      const answer = ask(bare);
      expect(answer.mode).not.toBe('tun');
      expect(answer.rejected[0]).toMatchObject({ mode: 'tun' });
      expect(answer.rejected[0].reason).toContain('CAP_NET_ADMIN');
      expect(answer.reason).toContain('not tun: ');
      expect(ask(bare, 'tun')).toEqual({
        error: `mode tun is not possible here: ${answer.rejected[0].reason}`,
        code: 4,
      });
    });

    it('names the setting that forbids user namespaces', () => {
      // In a user namespace of its own the limit can be set to 0 without touching the machine's.
      const before = readFileSync('/proc/sys/user/max_user_namespaces', 'utf8');
      const limit =
        'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"';
      const fenced = ['unshare', '--user', '--map-root-user', '--', 'sh', '-c', limit, 'sh'];
      const answer = ask(fenced);
      expect(answer.mode).toBe('minimal');
      expect(answer.rejected.map((one) => one.mode)).toEqual(['tun', 'rootless']);
      expect(answer.rejected[1].reason).toContain('user.max_user_namespaces is 0');
      expect(ask(fenced, 'rootless')).toMatchObject({ code: 4 });
      expect(ask(fenced, 'rootless').error).toContain('max_user_namespaces');
      expect(readFileSync('/proc/sys/user/max_user_namespaces', 'utf8')).toBe(before);
    });

    it('names a missing /dev/net/tun', () => {
      // A mount namespace of its own, with an empty /dev/net.
      const hide = 'mount -t tmpfs none /dev/net && exec "$@"';
      const answer = ask(['unshare', '--mount', '--', 'sh', '-c', hide, 'sh']);
      expect(answer.mode).toBe('minimal');
      expect(answer.rejected.map((one) => one.mode)).toEqual(['tun', 'rootless']);
      for (const one of answer.rejected) expect(one.reason).toContain('/dev/net/tun is missing');
    });

    it('names the programs that are missing', () => {
      const hide = 'mount --bind /dev/null "$(readlink -f "$(command -v ip)")" && exec "$@"';
      const answer = ask(['unshare', '--mount', '--', 'sh', '-c', hide, 'sh']);
      expect(answer.mode).toBe('minimal');
      for (const one of answer.rejected) expect(one.reason).toContain('iproute2');
    });
  });
});
