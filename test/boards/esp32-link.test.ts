/**
 * Every chip's firmware through the SDK's linker, without ESP-IDF: the TypeScript is right for XS, every module and every
 * native function has its other half, everything can be preloaded into flash, nothing is left in memory by mistake.
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CHIPS, linkChip } from '../../boards/esp32/chip-build.mjs';

const sdk = process.env.MODDABLE;
const tools = sdk && join(sdk, 'build/bin/lin/release');
const lacking =
  tools && existsSync(join(tools, 'mcconfig')) ? undefined : 'MODDABLE names no SDK with its tools built';

describe.skipIf(lacking)(`linking for chips${lacking ? ` (skipped: ${lacking})` : ''}`, () => {
  const output = mkdtempSync(join(tmpdir(), 'cloudbridge-link-'));
  afterAll(() => rmSync(output, { recursive: true, force: true }));
  const environment = {
    ...process.env,
    PATH: `${tools}:${resolve('node_modules/.bin')}:${process.env.PATH}`,
  };

  test.each(CHIPS)('%s', { timeout: 300_000 }, async (name) => {
    const result = await linkChip({ name, root: resolve('.'), output, environment });
    expect(result.code, result.text).toBe(0);
    expect(result.warnings).toEqual([]);
    const linked = readFileSync(result.linked, 'latin1');
    expect(linked).toContain(`boards/${name === 'esp32-c6' ? 'esp32' : name}/main`);
    // Whatever is ours lives in flash.
    const rules = readFileSync(join(result.folder, 'makefile'), 'utf8');
    const preloaded = new Set([...rules.matchAll(/-p (\S+)\.xsb/g)].map(([, word]) => word));
    const modules = [...rules.matchAll(/^\t\$\(MODULES_DIR\)\/((?:src|boards)\/\S+)\.xsb/gm)].map(
      ([, word]) => word,
    );
    expect(modules.length).toBeGreaterThan(50);
    expect(modules.filter((word) => !preloaded.has(word))).toEqual([]);
    // Functions in C that the program names but no file has would only be missed by the IDF's linker.
    const named = new Set(
      [...linked.matchAll(/\b(xs_(?:tunnel|uplink|store|chip|name_server|tls|primitives)_\w+)/g)].map(
        ([, word]) => word,
      ),
    );
    expect(named.size).toBeGreaterThan(30);
    const sources = ['boards/native', 'boards/native/esp32'].flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => file.endsWith('.c'))
        .map((file) => readFileSync(join(folder, file), 'utf8')),
    );
    const defined = new Set([...sources.join('\n').matchAll(/^void (xs_\w+)\(/gm)].map(([, word]) => word));
    expect([...named].filter((word) => !defined.has(word))).toEqual([]);

    // The IDF is told of the routing hook and of our settings.
    expect(result.calls).toContain(`EXTRA_COMPONENT_DIRS=${resolve('boards/esp32/component')}`);
    const settings = readFileSync(join(result.folder, projectOf(name), 'sdkconfig.mc'), 'utf8');
    for (const setting of ['IP_FORWARD', 'IPV4_NAPT', 'IPV6_FORWARD', 'HOOK_IP6_ROUTE_CUSTOM']) {
      expect(settings).toMatch(new RegExp(`^CONFIG_LWIP_${setting}=y$`, 'm'));
    }
    expect(settings).toMatch(/^CONFIG_ESP_TASK_WDT_PANIC=y$/m);
    expect(readFileSync(join(result.folder, projectOf(name), 'partitions.csv'), 'utf8')).toMatch(
      /^nvs,.*0x20000/m,
    );
  });
});

function projectOf(name: string): string {
  return name === 'esp32-c6' ? 'xsProj-esp32c6' : 'xsProj-esp32';
}
