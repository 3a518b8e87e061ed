// biome-ignore-all lint/suspicious/noExplicitAny: a stand-in takes whatever the tests give it
/**
 * As much of vitest's vocabulary as the core's tests use, for an engine that has neither Node nor timers. Every test
 * reports itself through `issueCommand`, xsnap's line to the outside. A word that is missing here fails the test that
 * needs it; nothing passes by not being understood.
 */

import { equals, matches, show } from './equality.js';

declare function issueCommand(message: ArrayBuffer): ArrayBuffer;

type Body = (...words: any[]) => unknown;

interface Test {
  readonly name: string;
  readonly run: () => unknown;
}

interface Suite {
  readonly name: string;
  readonly tests: (Test | Suite)[];
  readonly before: Body[];
  readonly beforeEach: Body[];
  readonly after: Body[];
  readonly afterEach: Body[];
}

class Skipped extends Error {}

const root: Suite = newSuite('');
let open = root;

function newSuite(name: string): Suite {
  return { name, tests: [], before: [], beforeEach: [], after: [], afterEach: [] };
}

function addSuite(name: string, body: Body, ...words: unknown[]): void {
  const outer = open;
  const suite = newSuite(name);
  outer.tests.push(suite);
  open = suite;
  try {
    body(...words);
  } finally {
    open = outer;
  }
}

/** `%s` and the like, `$name` of an object's fields. */
function titled(name: string, row: readonly unknown[], index: number): string {
  let at = 0;
  return name
    .replace(/%(.)/g, (_, kind) => (kind === '#' ? String(index) : kind === '%' ? '%' : show(row[at++])))
    .replace(/\$(\w+)/g, (all, field) => {
      const value = (row[0] as Record<string, unknown> | undefined)?.[field];
      return value === undefined ? all : show(value);
    });
}

function each(add: (name: string, body: Body, ...words: unknown[]) => void) {
  return (rows: readonly unknown[]) =>
    (name: string, body: Body): void => {
      rows.forEach((row, index) => {
        const words = Array.isArray(row) ? row : [row];
        add(titled(name, words, index), body, ...words);
      });
    };
}

function addTest(name: string, body: Body, ...words: unknown[]): void {
  const context = {
    skip: (note?: string) => {
      throw new Skipped(note);
    },
  };
  open.tests.push({ name, run: () => body(...(words.length > 0 ? words : [context])) });
}

export const describe = Object.assign(addSuite, { each: each(addSuite) });
export const it = Object.assign(addTest, { each: each(addTest) });
export const test = it;
export const beforeAll = (body: Body) => void open.before.push(body);
export const beforeEach = (body: Body) => void open.beforeEach.push(body);
export const afterAll = (body: Body) => void open.after.push(body);
export const afterEach = (body: Body) => void open.afterEach.push(body);

function tell(name: string, state: 'passed' | 'failed' | 'skipped', reason = ''): void {
  issueCommand(new TextEncoder().encode(JSON.stringify({ name, state, reason })).buffer as ArrayBuffer);
}

/** Tests by their own names that cannot run here, and why. */
let leftOut: Readonly<Record<string, string>> = {};

async function runSuite(suite: Suite, path: string, outer: readonly Suite[]): Promise<void> {
  const around = [...outer, suite];
  try {
    for (const body of suite.before) await body();
    for (const one of suite.tests) {
      const name = `${path}${path && ' > '}${one.name}`;
      if (leftOut[one.name] !== undefined) tell(name, 'skipped', leftOut[one.name]);
      else if ('tests' in one) await runSuite(one, name, around);
      else await runTest(one, name, around);
    }
    for (const body of suite.after) await body();
  } catch (error) {
    tell(`${path} (around its tests)`, 'failed', show(error));
  }
}

async function runTest(one: Test, name: string, around: readonly Suite[]): Promise<void> {
  try {
    for (const suite of around) for (const body of suite.beforeEach) await body();
    await one.run();
    for (const suite of around) for (const body of suite.afterEach) await body();
    tell(name, 'passed');
  } catch (error) {
    if (error instanceof Skipped) tell(name, 'skipped', error.message);
    else tell(name, 'failed', error instanceof Error ? `${error.message}\n${error.stack}` : show(error));
  }
}

/** Runs every test that was added, but those named. */
export function runAll(names: Readonly<Record<string, string>>): Promise<void> {
  leftOut = names;
  return runSuite(root, '', []);
}

// ---- expect ----

interface Matchers {
  [name: string]: (...words: any[]) => void;
}

function check(pass: boolean, negated: boolean, sentence: string): void {
  if (pass === negated) throw new Error(`expected ${negated ? 'not ' : ''}${sentence}`);
}

function thrown(body: () => unknown): { error: unknown } | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    return { error };
  }
}

function errorFits(found: { error: unknown } | undefined, wanted: unknown): boolean {
  if (!found) return false;
  const { error } = found;
  if (wanted === undefined) return true;
  const message = error instanceof Error ? error.message : String(error);
  if (typeof wanted === 'string') return message.includes(wanted);
  if (wanted instanceof RegExp) return wanted.test(message);
  if (typeof wanted === 'function') return error instanceof (wanted as new () => unknown);
  return wanted instanceof Error && wanted.message === message;
}

function matchers(actual: any, negated: boolean, what: string): Matchers {
  const about = what ? `${what}: ` : '';
  const is = (pass: boolean, sentence: string) => check(pass, negated, about + sentence);
  const pair = (verb: string, wanted: unknown) => `${show(actual)} ${verb} ${show(wanted)}`;
  return {
    toBe: (wanted) => is(Object.is(actual, wanted), pair('to be', wanted)),
    toEqual: (wanted) => is(equals(actual, wanted), pair('to equal', wanted)),
    toStrictEqual: (wanted) => is(equals(actual, wanted), pair('to equal', wanted)),
    toMatchObject: (wanted) => is(matches(actual, wanted), pair('to match', wanted)),
    toBeUndefined: () => is(actual === undefined, `${show(actual)} to be undefined`),
    toBeDefined: () => is(actual !== undefined, 'something'),
    toBeNull: () => is(actual === null, `${show(actual)} to be null`),
    toBeTruthy: () => is(Boolean(actual), `${show(actual)} to be true`),
    toBeFalsy: () => is(!actual, `${show(actual)} to be false`),
    toBeNaN: () => is(Number.isNaN(actual), `${show(actual)} to be no number`),
    toBeGreaterThan: (wanted) => is(actual > wanted, pair('to be greater than', wanted)),
    toBeGreaterThanOrEqual: (wanted) => is(actual >= wanted, pair('to be at least', wanted)),
    toBeLessThan: (wanted) => is(actual < wanted, pair('to be less than', wanted)),
    toBeLessThanOrEqual: (wanted) => is(actual <= wanted, pair('to be at most', wanted)),
    toBeCloseTo: (wanted, digits = 2) =>
      is(Math.abs(actual - wanted) < 10 ** -digits / 2, pair('to be close to', wanted)),
    toBeInstanceOf: (wanted) => is(actual instanceof wanted, `an instance of ${wanted.name}`),
    toContain: (wanted) => is(contains(actual, wanted), pair('to contain', wanted)),
    toContainEqual: (wanted) =>
      is(
        [...actual].some((one: unknown) => equals(one, wanted)),
        pair('to contain', wanted),
      ),
    toHaveLength: (wanted) => is(actual.length === wanted, `${actual.length} entries to be ${wanted}`),
    toHaveProperty: (name) => is(name in actual, `${show(actual)} to have ${name}`),
    toMatch: (wanted) =>
      is(
        typeof wanted === 'string' ? actual.includes(wanted) : wanted.test(actual),
        pair('to match', wanted),
      ),
    toThrow: (wanted) => {
      const found = thrown(actual);
      is(errorFits(found, wanted), `${found ? show(found.error) : 'no error'} to be ${show(wanted)}`);
    },
  };
}

function contains(actual: any, wanted: unknown): boolean {
  if (typeof actual === 'string') return actual.includes(wanted as string);
  return [...actual].some((one) => Object.is(one, wanted));
}

async function settled(promise: unknown): Promise<{ value: unknown } | { error: unknown }> {
  try {
    return { value: await (typeof promise === 'function' ? promise() : promise) };
  } catch (error) {
    return { error };
  }
}

/** Every matcher on what the promise comes to. */
function awaited(promise: unknown, kind: 'resolves' | 'rejects', negated: boolean, what: string): Matchers {
  const all: Matchers = {};
  for (const name of Object.keys(matchers(undefined, false, ''))) {
    all[name] = (async (...words: unknown[]) => {
      const outcome = await settled(promise);
      if ('value' in outcome !== (kind === 'resolves'))
        throw new Error(`${what}: the promise did not ${kind}`);
      const value = 'value' in outcome ? outcome.value : outcome.error;
      // A rejection is matched as if it had been thrown.
      const subject = kind === 'rejects' && name === 'toThrow' ? () => Promise.reject(value) : value;
      if (kind === 'rejects' && name === 'toThrow') {
        check(errorFits({ error: value }, words[0]), negated, `${show(value)} to be ${show(words[0])}`);
      } else matchers(subject, negated, what)[name](...words);
    }) as (...words: any[]) => void;
  }
  return all;
}

export const expect = Object.assign(
  (actual: unknown, what = '') => ({
    ...matchers(actual, false, what),
    not: matchers(actual, true, what),
    resolves: { ...awaited(actual, 'resolves', false, what), not: awaited(actual, 'resolves', true, what) },
    rejects: { ...awaited(actual, 'rejects', false, what), not: awaited(actual, 'rejects', true, what) },
  }),
  {
    fail: (message = 'failed'): never => {
      throw new Error(message);
    },
    any: (type: new () => unknown) => ({ $fits: (value: unknown) => isA(value, type) }),
    anything: () => ({ $fits: (value: unknown) => value !== undefined && value !== null }),
    stringContaining: (part: string) => ({
      $fits: (value: unknown) => typeof value === 'string' && value.includes(part),
    }),
    stringMatching: (pattern: RegExp | string) => ({
      $fits: (value: unknown) => typeof value === 'string' && new RegExp(pattern).test(value),
    }),
    objectContaining: (part: object) => ({ $fits: (value: unknown) => matches(value, part) }),
    arrayContaining: (parts: readonly unknown[]) => ({
      $fits: (value: unknown) =>
        Array.isArray(value) && parts.every((part) => value.some((one) => equals(one, part))),
    }),
  },
);

function isA(value: unknown, type: unknown): boolean {
  if (type === Number) return typeof value === 'number';
  if (type === String) return typeof value === 'string';
  if (type === Boolean) return typeof value === 'boolean';
  if (type === Function) return typeof value === 'function';
  return value instanceof (type as new () => unknown);
}
