/** What requests carry, checked: a Refusal says what is wrong. */

import type { RecordValue } from '../../src/control/shape.js';
import { Refusal } from './refusal.js';

export function text(body: Readonly<Record<string, unknown>>, name: string, most = 512): string {
  const value = body[name];
  if (typeof value !== 'string' || value === '' || value.length > most) {
    throw new Refusal(400, 'bad_request', `${name} is text of 1 to ${most} characters`);
  }
  return value;
}

export function record(body: Readonly<Record<string, unknown>>, name: string): RecordValue {
  const value = body[name];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(400, 'bad_request', `${name} is an object`);
  }
  return value as RecordValue;
}

export function tagList(value: unknown): string[] {
  if (value === undefined) return [];
  const good =
    Array.isArray(value) && value.length <= 16 && value.every((tag) => /^[\w.:-]{1,64}$/.test(String(tag)));
  if (!good) throw new Refusal(400, 'bad_tags', 'tags are at most 16 words');
  return value as string[];
}

/** What a device says about itself: shown, never believed. */
export function deviceInfo(value: unknown): Record<string, string> {
  const info: Record<string, string> = {};
  for (const name of ['hostname', 'os', 'arch', 'version']) {
    const said = (value as Record<string, unknown> | undefined)?.[name];
    if (typeof said === 'string') info[name] = said.replace(/[^\x20-\x7e]/g, '?').slice(0, 64);
  }
  return info;
}
