/** "Did you mean": the known word nearest to a misspelt one. */

/** Changes of one letter that still count as a slip. */
const MOST_CHANGES = 3;
/** Longer words are not compared, so that hostile text costs nothing. */
const MOST_LETTERS = 40;

/**
 * The nearest of `known` by insertions, deletions, replacements and exchanges of neighbours, without regard to case.
 * `undefined` when none is nearer than `MOST_CHANGES` or than half of the word.
 */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  if (word.length > MOST_LETTERS) return undefined;
  const wanted = word.toLowerCase();
  let nearest: string | undefined;
  let least = Math.min(MOST_CHANGES, word.length >> 1) + 1;
  for (const candidate of known) {
    const changes = distance(wanted, candidate.toLowerCase());
    if (changes < least) {
      least = changes;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Damerau's distance with adjacent exchanges ("optimal string alignment"), by three rows of the usual table. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last: number[] = [];
  for (let j = 0; j <= b.length; j++) last.push(j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let changes = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        changes = Math.min(changes, before[j - 2] + 1);
      }
      row.push(changes);
    }
    before = last;
    last = row;
  }
  return last[b.length];
}
