/** The plans that were made on the way to the one that was taken: what each objective would have cost. */
import type { Report } from './data.js';
import { type Section, section } from './figure.js';
import { joules } from './format.js';
import { type Column, sortedTable } from './table.js';

type Plan = Report['plans'][number];

const COLUMNS: readonly Column<Plan>[] = [
  { label: 'plan', value: ({ plan }) => plan },
  { label: 'taken', value: ({ isChosen }) => (isChosen ? 'taken' : '') },
  { label: 'DRAM B', value: ({ bytes }) => bytes },
  { label: 'cycles', value: ({ cycles }) => cycles },
  { label: 'energy', value: ({ picojoules }) => picojoules, text: ({ picojoules }) => joules(picojoules) },
];

export function plans({ objective, plans: rows }: Report): Section {
  const made = section(
    'plans',
    'Plans',
    `All plans that were made, and what a period of each takes; cycles and energy are predicted. The objective is ${objective}.`,
  );
  made.body.append(sortedTable({ label: 'plans', rows, columns: COLUMNS, onOpen: () => {} }).element);
  return made;
}
