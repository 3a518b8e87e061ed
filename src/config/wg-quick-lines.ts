/** The line structure of wg-quick text: sections, settings, comments, and where each stands. */

/** A piece of text and where it begins; lines and columns count from 1. */
export interface Placed {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

export interface Setting {
  readonly key: Placed;
  readonly value: Placed;
}

export type Line =
  /** `[Name]`; the text is the name without its brackets. */
  | { readonly kind: 'section'; readonly name: Placed }
  | { readonly kind: 'setting'; readonly setting: Setting }
  /** A setting of our own: `#@ Name = value`, a comment to stock tools. */
  | { readonly kind: 'reach'; readonly setting: Setting }
  /** Neither; the text is not kept, for it may be a key. */
  | { readonly kind: 'other'; readonly line: number; readonly column: number };

/**
 * Splits a file into its lines, leaving out blank ones and comments. As in wg-quick, `#` begins a comment anywhere,
 * also in a command; a comment that is a line of its own and begins with `#@` holds a setting of ours. Ends of line may be LF, CRLF or CR; a byte order mark is skipped.
 */
export function readLines(text: string): Line[] {
  const lines: Line[] = [];
  let number = 1;
  const add = (line: string): void => {
    const read = readLine(line, number++);
    if (read !== undefined) lines.push(read);
  };
  // Split, not scanned by index: where strings are kept as UTF-8 (XS), every index is counted from the start.
  const whole = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  for (const line of whole.split('\n')) {
    if (!line.includes('\r')) add(line);
    else for (const part of (line.endsWith('\r') ? line.slice(0, -1) : line).split('\r')) add(part);
  }
  return lines;
}

/** The parts of a comma-separated value, each trimmed and placed. An empty value has none. */
export function splitList(value: Placed): Placed[] {
  if (value.text === '') return [];
  const parts: Placed[] = [];
  let at = 0;
  for (const part of value.text.split(',')) {
    parts.push(trimmed(part, value.line, value.column + at));
    at += part.length + 1;
  }
  return parts;
}

/** The words of a value between commas and spaces, as the shell in wg-quick takes them apart; none is empty. */
export function splitWords(value: Placed): Placed[] {
  const words: Placed[] = [];
  for (const part of splitList(value)) {
    let at = 0;
    for (const word of part.text.split(/[ \t]/)) {
      if (word !== '') words.push({ text: word, line: part.line, column: part.column + at });
      at += word.length + 1;
    }
  }
  return words;
}

function readLine(raw: string, number: number): Line | undefined {
  const hash = raw.indexOf('#');
  const line = trimmed(hash < 0 ? raw : raw.slice(0, hash), number, 1);
  if (line.text === '')
    return hash >= 0 && raw[hash + 1] === '@' ? readOwn(raw, hash + 2, number) : undefined;
  if (line.text.startsWith('[')) {
    if (!line.text.endsWith(']')) return { kind: 'other', line: number, column: line.column };
    return { kind: 'section', name: trimmed(line.text.slice(1, -1), number, line.column + 1) };
  }
  const equals = line.text.indexOf('=');
  if (equals < 0) return { kind: 'other', line: number, column: line.column };
  return { kind: 'setting', setting: splitSetting(line, equals) };
}

/** What follows `#@`; a second `#` begins a remark there, too. */
function readOwn(raw: string, from: number, number: number): Line {
  const hash = raw.indexOf('#', from);
  const line = trimmed(raw.slice(from, hash < 0 ? raw.length : hash), number, from + 1);
  const equals = line.text.indexOf('=');
  if (equals < 0) return { kind: 'other', line: number, column: line.column };
  return { kind: 'reach', setting: splitSetting(line, equals) };
}

function splitSetting(line: Placed, equals: number): Setting {
  return {
    key: trimmed(line.text.slice(0, equals), line.line, line.column),
    value: trimmed(line.text.slice(equals + 1), line.line, line.column + equals + 1),
  };
}

function trimmed(text: string, line: number, column: number): Placed {
  const front = text.trimStart();
  return { text: front.trimEnd(), line, column: column + text.length - front.length };
}
