import type { Random } from './random.js';

/** A parser under fire. */
export interface Target {
  readonly name: string;
  /** How many of the campaign's messages it gets, against the other targets' weights. */
  readonly weight: number;
  /** Real messages; what is fed are these after mutation. */
  readonly samples: readonly Uint8Array[];
  /** Pieces that mutation writes into messages: keywords, magic numbers. */
  readonly words: readonly Uint8Array[];
  /** Feeds a message, which is the caller's again afterwards. Throws when the parser does or an invariant breaks. */
  run(message: Uint8Array, random: Random): void;
  /**
   * After the last message: throws when the parser is not as it was, otherwise counts how far messages got. A count
   * of 0 says that the campaign did not try what it was meant to.
   */
  finish(): Readonly<Record<string, number>>;
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** For texts that mutation made: every byte a character of the same number. */
export function latin1(message: Uint8Array): string {
  return Buffer.from(message.buffer, message.byteOffset, message.length).toString('latin1');
}

export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
