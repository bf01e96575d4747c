/** The three kinds of bytes, in SRAM and in DRAM. */
import type { Report } from './data.js';
import { h } from './element.js';
import { type Section, section } from './figure.js';
import { decimalBytes, exactBytes } from './format.js';

const KINDS = [
  { name: 'weights', colour: '--weights' },
  { name: 'activations', colour: '--activations' },
  { name: 'code', colour: '--code' },
] as const;

const PLACES = [
  { name: 'sramBytes', label: 'in SRAM' },
  { name: 'dramBytes', label: 'stored in DRAM' },
  { name: 'periodBytes', label: 'moved a period' },
] as const;

export function kinds({ budget, sram }: Report): Section {
  const made = section(
    'kinds',
    'Weights, activations, code',
    `Where the three kinds of bytes are. In SRAM: at the fullest step, ${budget.fullestStep}, of ${decimalBytes(sram.capacityBytes)}; code goes through the command FIFO and takes none of it. Activations are those of the model's inputs and outputs, too.`,
  );
  const most = (place: (typeof PLACES)[number]['name']): number =>
    Math.max(1, ...KINDS.map(({ name }) => budget[name][place]));
  const rows = KINDS.map(({ name, colour }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      ...PLACES.map((place) => {
        const bytes = budget[name][place.name];
        const bar = h(
          'div',
          { class: 'meter', 'aria-hidden': 'true' },
          h('span', { style: `width: ${(100 * bytes) / most(place.name)}%; background: var(${colour})` }),
        );
        return h('td', { class: 'number', 'data-value': bytes }, exactBytes(bytes), bar);
      }),
    ),
  );
  made.body.append(
    h(
      'div',
      { class: 'plain' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', { scope: 'col' }, 'kind'),
            ...PLACES.map(({ label }) => h('th', { scope: 'col', class: 'number' }, label)),
          ),
        ),
        h('tbody', {}, ...rows),
      ),
    ),
  );
  return made;
}
