/** A process that goes on by itself once it has told whoever started it how it went. */

/**
 * Goes on in the background, without output when `silent`: there 0. Here this does not return: the program ends with
 * the code, and after the words, of `reportStart`, or with an error of its own after `patience` ms. Negative errno: it
 * could not be.
 */
export function enterBackground(this: void, patience: number, silent: boolean): number {
  return native('xs_background_enter').call(this, patience, silent);
}

/** Tells whoever waits in the foreground how the start went, 0 for well; whether anybody did. */
export function reportStart(this: void, code: number, sentence: string): boolean {
  return native('xs_background_report').call(this, code, sentence);
}
