/**
 * Our own settings, beside the wg-quick file that stock tools must go on reading: plain values from the command
 * line or from JSON, checked all at once.
 */

import type { LogLevel } from '../ports.js';
import { type Expose, type Forward, parseExpose, parseForward } from './forwards.js';
import { error, hasErrors, type Problem } from './problem.js';
import { nearestWord } from './suggestion.js';

/** How packets reach the host: see the README. `auto` takes the first that the host's rights allow. */
export type Mode = 'auto' | 'tun' | 'rootless' | 'minimal';

/** Limits by their names, as `src/wireguard/limits.ts` has them. */
export type NamedLimits<L> = { readonly [Name in keyof L]: number };

export interface GatewaySettings<L extends NamedLimits<L>> {
  readonly mode: Mode;
  readonly logLevel: LogLevel;
  readonly logFormat: 'human' | 'json';
  readonly forwards: readonly Forward[];
  readonly exposes: readonly Expose[];
  /** Those limits that differ from their defaults. */
  readonly limits: Partial<L>;
}

export interface GatewaySettingsResult<L extends NamedLimits<L>> {
  /** `undefined` when any problem is an error. */
  readonly settings: GatewaySettings<L> | undefined;
  readonly problems: readonly Problem[];
}

const MODES: readonly Mode[] = Object.freeze(['auto', 'tun', 'rootless', 'minimal'] as const);
const LEVELS: readonly LogLevel[] = Object.freeze(['error', 'warn', 'info', 'debug'] as const);
const FORMATS = Object.freeze(['human', 'json'] as const);
const KEYS = Object.freeze(['mode', 'logLevel', 'logFormat', 'forward', 'expose', 'limits']);

/**
 * Reads `{ mode, logLevel, logFormat, forward: string[], expose: string[], limits: { name: count } }`, each of them
 * optional. `knownLimits` has every limit's name with its default. Never throws.
 */
export function readGatewaySettings<L extends NamedLimits<L>>(
  raw: unknown,
  knownLimits: L,
): GatewaySettingsResult<L> {
  const problems: Problem[] = [];
  if (!isRecord(raw)) {
    const remedy = 'write an object, as in { "mode": "auto" }';
    return {
      settings: undefined,
      problems: [error({ line: 0 }, '', 'the settings are not an object', remedy)],
    };
  }
  for (const key of Object.keys(raw)) {
    if (!KEYS.includes(key)) problems.push(unknownName('', 'this setting is not known', key, KEYS));
  }
  const settings: GatewaySettings<L> = {
    mode: readWord(raw, 'mode', MODES, 'auto', problems),
    logLevel: readWord(raw, 'logLevel', LEVELS, 'info', problems),
    logFormat: readWord(raw, 'logFormat', FORMATS, 'human', problems),
    forwards: readTexts(raw, 'forward', parseForward, problems),
    exposes: readTexts(raw, 'expose', parseExpose, problems),
    limits: readLimits(own(raw, 'limits'), knownLimits, problems),
  };
  return { settings: hasErrors(problems) ? undefined : settings, problems };
}

function readWord<T extends string>(
  raw: Record<string, unknown>,
  key: string,
  words: readonly T[],
  usual: T,
  problems: Problem[],
): T {
  const value = own(raw, key);
  if (value === undefined) return usual;
  const word = words.find((candidate) => candidate === value);
  if (word !== undefined) return word;
  const nearest = typeof value === 'string' ? nearestWord(value, words) : undefined;
  problems.push(
    error(
      { line: 0 },
      key,
      'this value is not known',
      nearest === undefined ? `write one of ${words.join(', ')}` : `did you mean ${nearest}?`,
    ),
  );
  return usual;
}

function readTexts<T>(
  raw: Record<string, unknown>,
  key: string,
  parse: (text: string, problems: Problem[]) => T | undefined,
  problems: Problem[],
): T[] {
  const value = own(raw, key);
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
    problems.push(error({ line: 0 }, key, 'the value is not a list of texts', 'write it as in ["..."]'));
    return [];
  }
  return value.map((text) => parse(text, problems)).filter((item) => item !== undefined);
}

function readLimits<L extends NamedLimits<L>>(value: unknown, known: L, problems: Problem[]): Partial<L> {
  const limits: Partial<Record<string, number>> = {};
  if (value === undefined) return {};
  if (!isRecord(value)) {
    problems.push(
      error({ line: 0 }, 'limits', 'the value is not an object', 'write it as in { "maxPeers": 100 }'),
    );
    return {};
  }
  const names = Object.keys(known);
  for (const name of Object.keys(value)) {
    const limit = value[name];
    if (!names.includes(name)) problems.push(unknownName('limits', 'this limit is not known', name, names));
    else if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 0) {
      problems.push(
        error(
          { line: 0 },
          `limits.${name}`,
          'the limit is not a whole number of 0 or more',
          `the usual value is ${known[name as keyof L]}`,
        ),
      );
    } else limits[name] = limit;
  }
  // Only names of `known` were taken.
  return limits as Partial<L>;
}

function unknownName(key: string, message: string, name: string, known: readonly string[]): Problem {
  const nearest = nearestWord(name, known);
  const remedy = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`;
  return error({ line: 0 }, key, message, remedy);
}

function own(raw: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(raw, key) ? raw[key] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
