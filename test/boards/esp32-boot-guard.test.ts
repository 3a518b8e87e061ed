/** The chips' way out of a boot loop (boards/esp32/firmware/boot-guard.ts), and what they read from flash. */

import { expect, test } from 'vitest';
import { BootGuard, CRASH_LIMIT } from '../../boards/esp32/firmware/boot-guard.js';
import { readConfiguration } from '../../boards/esp32/firmware/configuration.js';
import { PortablePrimitives } from '../../src/crypto/portable.js';
import { MemoryStore as Flash } from '../wireguard/virtual/world.js';

const primitives = new PortablePrimitives(() => {
  throw new Error('nothing random is asked for');
});
const OLD = new TextEncoder().encode('the old configuration');
const NEW = new TextEncoder().encode('the new configuration');

/** One start of the chip. */
function boot(
  flash: Flash,
  crashed: boolean,
): { guard: BootGuard; kind: string; text: Uint8Array | undefined } {
  const guard = new BootGuard(flash, primitives);
  const choice = guard.choose(crashed);
  return { guard, kind: choice.kind, text: choice.kind === 'none' ? undefined : choice.text };
}

function withGood(): Flash {
  const flash = new Flash();
  flash.set('tunnel', OLD);
  boot(flash, false).guard.confirm();
  flash.set('tunnel', NEW);
  return flash;
}

test('an empty chip has nothing to run', () => {
  expect(boot(new Flash(), false).kind).toBe('none');
});

test('a configuration runs, and becomes the good one once it has run well', () => {
  const flash = new Flash();
  flash.set('tunnel', OLD);
  const { guard, kind } = boot(flash, false);
  expect(kind).toBe('current');
  expect(flash.get('tunnel.good')).toBeUndefined();
  guard.confirm();
  expect(flash.get('tunnel.good')).toEqual(OLD);
});

test('a configuration that crashes again and again gives way to the last good one', () => {
  const flash = withGood();
  expect(boot(flash, false).kind).toBe('current');
  for (let crash = 1; crash < CRASH_LIMIT; crash++) expect(boot(flash, true).kind).toBe('current');
  expect(boot(flash, true)).toMatchObject({ kind: 'good', text: OLD });
});

test('it stays given up over restarts, also after a power cut', () => {
  const flash = withGood();
  for (let crash = 0; crash <= CRASH_LIMIT; crash++) boot(flash, true);
  expect(boot(flash, false).kind).toBe('good');
  boot(flash, false).guard.confirm();
  expect(boot(flash, false)).toMatchObject({ kind: 'good', text: OLD });
});

test('another configuration gets its own chance', () => {
  const flash = withGood();
  for (let crash = 0; crash <= CRASH_LIMIT; crash++) boot(flash, true);
  const third = new TextEncoder().encode('a third configuration');
  flash.set('tunnel', third);
  expect(boot(flash, false)).toMatchObject({ kind: 'current', text: third });
});

test('crashes are forgotten after a start without one, and after a good run', () => {
  const flash = withGood();
  for (let crash = 1; crash < CRASH_LIMIT; crash++) boot(flash, true);
  boot(flash, false);
  for (let crash = 1; crash < CRASH_LIMIT; crash++) expect(boot(flash, true).kind).toBe('current');
  boot(flash, true).guard.confirm();
  expect(flash.get('crashes')).toEqual(Uint8Array.of(0));
});

test('without a good one the current one is tried for ever', () => {
  const flash = new Flash();
  flash.set('tunnel', NEW);
  for (let crash = 0; crash < 10; crash++) expect(boot(flash, true).kind).toBe('current');
});

test('a crash of the good configuration itself gives nothing up', () => {
  const flash = new Flash();
  flash.set('tunnel', OLD);
  boot(flash, false).guard.confirm();
  for (let crash = 0; crash < 10; crash++)
    expect(boot(flash, true)).toMatchObject({ kind: 'current', text: OLD });
  expect(flash.get('tunnel.bad')).toBeUndefined();
});

test('an unreadable configuration is given up at once', () => {
  const flash = withGood();
  const { guard } = boot(flash, false);
  guard.reject(NEW);
  expect(guard.choose(false)).toMatchObject({ kind: 'good', text: OLD });
});

test('an uneventful start writes nothing to flash', () => {
  const flash = withGood();
  boot(flash, false).guard.confirm();
  const { writes } = flash;
  boot(flash, false).guard.confirm();
  expect(flash.writes).toBe(writes);
});

test('names fit the chip', () => {
  const flash = withGood();
  for (let crash = 0; crash <= CRASH_LIMIT; crash++) boot(flash, true).guard.confirm();
  expect([...flash.values.keys()].filter((name) => name.length > 15)).toEqual([]);
});

test('a configuration is read, whatever its comments are written in', () => {
  const key = 'YAnz5TF+lXXJte14tji3zlMNftqL1kmVcQk9ig7fMl8=';
  const text = `# Müllers Gerät 🐟\n[Interface]\nPrivateKey = ${key}\nAddress = 10.9.0.2/24\n`;
  const { config, problems } = readConfiguration(new TextEncoder().encode(text), 'tunnel', primitives);
  expect(problems).toEqual([]);
  expect(config?.interface.addresses).toHaveLength(1);
});

test('mistakes are told with their line and without their text', () => {
  const text = '[Interface]\nPrivateKey = secret-but-wrong\n';
  const { config, problems } = readConfiguration(new TextEncoder().encode(text), 'tunnel', primitives);
  expect(config).toBeUndefined();
  expect(problems.join('\n')).toContain('tunnel:2');
  expect(problems.join('\n')).not.toContain('secret-but-wrong');
});
