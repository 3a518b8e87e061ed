// biome-ignore-all lint/suspicious/noExplicitAny: a stand-in takes whatever the tests give it
/** Deep comparison as `toEqual` and `toMatchObject` mean it: by content, properties that are undefined left out. */

interface Fitting {
  readonly $fits: (value: unknown) => boolean;
}

function isFitting(value: unknown): value is Fitting {
  return typeof value === 'object' && value !== null && typeof (value as Fitting).$fits === 'function';
}

export function equals(a: unknown, b: unknown): boolean {
  return compare(a, b, equals, true);
}

/** Whether `actual` has at least what `wanted` has. */
export function matches(actual: unknown, wanted: unknown): boolean {
  return compare(actual, wanted, matches, false);
}

function compare(a: any, b: any, inner: (a: unknown, b: unknown) => boolean, whole: boolean): boolean {
  if (isFitting(b)) return b.$fits(a);
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return false;
  if (a instanceof Error) return a.message === b.message;
  if (a instanceof Date || a instanceof RegExp) return String(a) === String(b);
  if (Array.isArray(a) || ArrayBuffer.isView(a)) {
    const [left, right] = [a as unknown as unknown[], b as unknown as unknown[]];
    if (left.length !== right.length) return false;
    for (let i = 0; i < left.length; i++) if (!inner(left[i], right[i])) return false;
    return true;
  }
  if (a instanceof Set || a instanceof Map) return inner([...a], [...b]);
  const names = (value: object) =>
    Object.keys(value).filter((name) => (value as Record<string, unknown>)[name] !== undefined);
  const wanted = names(b);
  if (whole && names(a).length !== wanted.length) return false;
  return wanted.every((name) => inner(a[name], b[name]));
}

/** For messages. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return value.name || 'a function';
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (ArrayBuffer.isView(value)) return `[${Array.from(value as unknown as number[]).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return (
      JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one))?.slice(0, 400) ?? ''
    );
  } catch {
    return 'an object';
  }
}
