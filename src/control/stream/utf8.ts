/** UTF-8 (RFC 3629) for engines without TextEncoder: some count text in UTF-16 units, XS in code points. */

const REPLACEMENT = 0xfffd;
/** Characters put together at a time: an engine that copies on every `+=` would take the square of the length. */
const PIECE = 256;

export function utf8Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  let at = 0;
  for (const character of text) {
    const code = scalar(character);
    if (code < 0x80) bytes[at++] = code;
    else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >>> 6);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else if (code < 0x1_0000) {
      bytes[at++] = 0xe0 | (code >>> 12);
      bytes[at++] = 0x80 | ((code >>> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else {
      bytes[at++] = 0xf0 | (code >>> 18);
      bytes[at++] = 0x80 | ((code >>> 12) & 0x3f);
      bytes[at++] = 0x80 | ((code >>> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes;
}

/** The text of the bytes; undefined when they are not well-formed UTF-8 (RFC 3629 section 4). */
export function utf8Text(bytes: Uint8Array): string | undefined {
  const pieces: string[] = [];
  let codes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    const more =
      first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
    if (more < 0 || at + more > bytes.length) return undefined;
    let code = more === 0 ? first : first & (0x3f >>> more);
    for (let i = 0; i < more; i++) {
      const next = bytes[at++];
      if ((next & 0xc0) !== 0x80) return undefined;
      code = (code << 6) | (next & 0x3f);
    }
    // Too long a form, a surrogate, or beyond Unicode.
    if (more === 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return undefined;
    if (more === 3 && (code < 0x1_0000 || code > 0x10_ffff)) return undefined;
    codes.push(code);
    if (codes.length < PIECE) continue;
    pieces.push(String.fromCodePoint(...codes));
    codes = [];
  }
  pieces.push(String.fromCodePoint(...codes));
  return pieces.join('');
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = scalar(character);
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return length;
}

/** Half of a surrogate pair alone has no UTF-8. */
function scalar(character: string): number {
  const code = character.codePointAt(0) ?? REPLACEMENT;
  return code >= 0xd800 && code < 0xe000 ? REPLACEMENT : code;
}
