/** The result as a table for people and as JSON for machines. */

import { isMet, type Mark, markOf, markText } from './marks.js';
import { MEASURES, type Values } from './measures.js';
import { median } from './statistics.js';

export interface Result {
  readonly name: string;
  readonly version: string;
  readonly notes: string;
  /** What `status` calls the tier; ours only. */
  readonly tier?: string;
  readonly values: Values;
}

export interface Surroundings {
  readonly date: string;
  readonly machine: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Load of the machine when it began: other people's work. */
  readonly load: number;
  readonly command: string;
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(value >= 10 ? 3 : 2);
}

function times(value: number): string {
  return Number.isNaN(value) ? '–' : `${value.toFixed(2)} x`;
}

/** How many times the first program's value; NaN where there is nothing to divide. */
function ratio(value: number, reference: number): number {
  return reference === 0 ? Number.NaN : value / reference;
}

function marked(mark: Mark | undefined, value: number, times: number): string {
  return mark ? `${markText(mark)}: ${isMet(mark, value, times) ? 'yes' : 'no'}` : '';
}

/** Markdown. Ratios are to the first program; behind those of a tier that has marks stands whether it meets them. */
export function table(results: readonly Result[], surroundings: Surroundings): string {
  const [reference, ...others] = results;
  const rows = MEASURES.filter(({ id }) => results.some(({ values }) => values.has(id)));
  const hasMarks = (result: Result): boolean =>
    rows.some(({ id }) => result.values.has(id) && markOf(result.tier, id));
  const head = [
    'measure',
    reference.name,
    ...others.flatMap((other) => [
      other.name,
      `${other.name} ÷ ${reference.name}`,
      ...(hasMarks(other) ? ['mark'] : []),
    ]),
  ];
  const body = rows.map(({ id, title, unit, better }) => {
    const of = (result: Result): number => median(result.values.get(id) ?? []);
    const first = of(reference);
    const cells = others.flatMap((other) => {
      const value = of(other);
      const compared = ratio(value, first);
      const mark = other.values.has(id) ? markOf(other.tier, id) : undefined;
      return [figure(value), times(compared), ...(hasMarks(other) ? [marked(mark, value, compared)] : [])];
    });
    return [`${title} (${unit}, ${better} is better)`, figure(first), ...cells];
  });
  const rule = head.map((title, i) => (i === 0 || title === 'mark' ? '---' : '---:'));
  const { date, machine, rounds, seconds, load, command } = surroundings;
  return [
    ...[head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Medians of ${rounds} interleaved rounds of ${seconds} s, ${date}, \`${command}\``,
    `${machine}; load ${load.toFixed(2)} at the start`,
    ...results.map(({ version, notes }) => `${version}${notes && `: ${notes}`}`),
  ].join('\n');
}

export function json(results: readonly Result[], surroundings: Surroundings): string {
  const [reference] = results;
  const medianOf = (result: Result, id: string): number => median(result.values.get(id) ?? []);
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return JSON.stringify(
    {
      ...surroundings,
      programs: results.map((result) => ({
        name: result.name,
        version: result.version,
        notes: result.notes,
        tier: result.tier,
        measures: Object.fromEntries(
          MEASURES.filter(({ id }) => result.values.has(id)).map(({ id, unit, better }) => {
            const value = medianOf(result, id);
            const compared = ratio(value, medianOf(reference, id));
            const mark = markOf(result.tier, id);
            return [
              id,
              {
                unit,
                better,
                median: finite(value),
                ratio: finite(compared),
                ...(mark && { mark: markText(mark), met: isMet(mark, value, compared) }),
                values: result.values.get(id)!.map(finite),
              },
            ];
          }),
        ),
      })),
    },
    null,
    2,
  );
}
