/** The result as a table for people and as JSON for machines. */

import { MEASURES, type Values } from './measures.js';
import { median } from './statistics.js';

export interface Result {
  readonly name: string;
  readonly version: string;
  readonly notes: string;
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

/** Markdown. Ratios are to the first program. */
export function table(results: readonly Result[], surroundings: Surroundings): string {
  const [reference, ...others] = results;
  const head = [
    'measure',
    reference.name,
    ...others.flatMap(({ name }) => [name, `${name} ÷ ${reference.name}`]),
  ];
  const rows = MEASURES.filter(({ id }) => results.some(({ values }) => values.has(id))).map(
    ({ id, title, unit, better }) => {
      const values = results.map((result) => median(result.values.get(id) ?? []));
      const cells = others.flatMap((_, i) => [figure(values[i + 1]), times(ratio(values[i + 1], values[0]))]);
      return [`${title} (${unit}, ${better} is better)`, figure(values[0]), ...cells];
    },
  );
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows];
  const { date, machine, rounds, seconds, load, command } = surroundings;
  return [
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
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
        measures: Object.fromEntries(
          MEASURES.filter(({ id }) => result.values.has(id)).map(({ id, unit, better }) => [
            id,
            {
              unit,
              better,
              median: finite(medianOf(result, id)),
              ratio: finite(ratio(medianOf(result, id), medianOf(reference, id))),
              values: result.values.get(id)!.map(finite),
            },
          ]),
        ),
      })),
    },
    null,
    2,
  );
}
