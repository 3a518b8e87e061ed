/**
 * Shapes of JSON values, as data: what a message may hold, with a bound on everything. One description serves the
 * validator here, which a microcontroller can afford, and the server's schemas and documents, which are made from it.
 * All of it is frozen: chips keep it in flash.
 */

export type Shape =
  | {
      readonly kind: 'text';
      readonly most: number;
      readonly oneOf?: readonly string[];
      readonly doc?: string;
    }
  | {
      readonly kind: 'number';
      readonly least: number;
      readonly most: number;
      readonly integer?: boolean;
      readonly doc?: string;
    }
  | { readonly kind: 'flag'; readonly doc?: string }
  | { readonly kind: 'list'; readonly of: Shape; readonly most: number; readonly doc?: string }
  | { readonly kind: 'record'; readonly fields: Fields; readonly doc?: string };

export interface Field {
  readonly shape: Shape;
  readonly optional?: boolean;
}

export type Fields = Readonly<Record<string, Field>>;

export type Value = string | number | boolean | Value[] | { [name: string]: Value };
export type RecordValue = { [name: string]: Value };

export function text(most: number, doc?: string): Shape {
  return Object.freeze({ kind: 'text', most, doc });
}

export function oneOf(values: readonly string[], doc?: string): Shape {
  return Object.freeze({ kind: 'text', most: 64, oneOf: Object.freeze([...values]), doc });
}

export function integer(least: number, most: number, doc?: string): Shape {
  return Object.freeze({ kind: 'number', least, most, integer: true, doc });
}

export function number(least: number, most: number, doc?: string): Shape {
  return Object.freeze({ kind: 'number', least, most, doc });
}

export function flag(doc?: string): Shape {
  return Object.freeze({ kind: 'flag', doc });
}

export function list(of: Shape, most: number, doc?: string): Shape {
  return Object.freeze({ kind: 'list', of, most, doc });
}

export function record(fields: Readonly<Record<string, Shape | Field>>, doc?: string): Shape {
  return Object.freeze({ kind: 'record', fields: asFields(fields), doc });
}

/** Marks a field that may be absent. */
export function optional(shape: Shape): Field {
  return Object.freeze({ shape, optional: true });
}

export function asFields(fields: Readonly<Record<string, Shape | Field>>): Fields {
  const complete: Record<string, Field> = {};
  for (const name of Object.keys(fields)) {
    const field = fields[name];
    complete[name] = 'kind' in field ? Object.freeze({ shape: field }) : field;
  }
  return Object.freeze(complete);
}

/**
 * Compares a parsed JSON value with a shape. Undefined when it fits, otherwise one phrase that names the place and
 * the fault, never the value. Unknown fields are passed over, so that a newer other end can say more.
 */
export function mismatch(value: unknown, shape: Shape, at = 'data'): string | undefined {
  switch (shape.kind) {
    case 'text':
      if (typeof value !== 'string') return `${at} is not text`;
      if (value.length > shape.most) return `${at} is longer than ${shape.most}`;
      return shape.oneOf && !shape.oneOf.includes(value) ? `${at} is none of its values` : undefined;
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) return `${at} is not a number`;
      if (shape.integer && !Number.isInteger(value)) return `${at} is not a whole number`;
      return value < shape.least || value > shape.most ? `${at} is out of range` : undefined;
    case 'flag':
      return typeof value === 'boolean' ? undefined : `${at} is not true or false`;
    case 'list':
      return listMismatch(value, shape.of, shape.most, at);
    case 'record':
      return recordMismatch(value, shape.fields, at);
  }
}

function listMismatch(value: unknown, of: Shape, most: number, at: string): string | undefined {
  if (!Array.isArray(value)) return `${at} is not a list`;
  if (value.length > most) return `${at} has more than ${most} entries`;
  for (let i = 0; i < value.length; i++) {
    const fault = mismatch(value[i], of, `${at}[${i}]`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function recordMismatch(value: unknown, fields: Fields, at: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${at} is not an object`;
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    // Own members only: `constructor` and its like are nobody's data.
    if (!Object.hasOwn(members, name) || members[name] === undefined) {
      if (fields[name].optional) continue;
      return `${at}.${name} is missing`;
    }
    const fault = mismatch(members[name], fields[name].shape, `${at}.${name}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
