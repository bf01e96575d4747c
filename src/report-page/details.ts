/** The pane beside the page: all about the tensor or the layer that was clicked. */
import { type Explanation, explain } from '../driver/explain.js';
import { layerAt, type PageDocuments, type PlacedBuffer, tensorAt } from './data.js';
import { button, h } from './element.js';
import { decimalBytes, exactBytes, hex, integer, steps } from './format.js';
import { BUFFER_KINDS } from './map-plot.js';
import { loadedAhead } from './memory-map.js';
import type { Selected, Selection } from './selection.js';

export function details(documents: PageDocuments, selection: Selection): HTMLElement {
  const pane = h('aside', { class: 'details', 'aria-label': 'Details', tabindex: -1, hidden: true });
  let opener: Element | null = null;
  const close = (): void => selection.select(undefined);
  selection.onChange((selected) => {
    document.body.classList.toggle('has-details', selected !== undefined);
    if (selected === undefined) {
      pane.hidden = true;
      if (opener instanceof HTMLElement || opener instanceof SVGElement) opener.focus({ preventScroll: true });
      opener = null;
      return;
    }
    if (pane.hidden) opener = document.activeElement;
    pane.hidden = false;
    pane.replaceChildren(
      ...(selected.kind === 'tensor' ? tensorDetails : layerDetails)(documents, selected.index, selection, close),
    );
    pane.scrollTop = 0;
    pane.focus({ preventScroll: true });
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !pane.hidden) close();
  });
  return pane;
}

function head(title: string, close: () => void): HTMLElement {
  return h('header', {}, h('h2', {}, title), button('Close', close, { 'aria-label': 'Close the details' }));
}

function facts(rows: readonly (readonly [string, string])[]): HTMLElement {
  return h('dl', {}, ...rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

function tensorDetails(documents: PageDocuments, index: number, selection: Selection, close: () => void): Node[] {
  const { plan } = documents;
  const tensor = tensorAt(documents, index);
  if (tensor === undefined) return [];
  const buffers = plan.buffers.filter((buffer) => buffer.tensor === index);
  const explanation = explain(documents.report, plan, index);
  const layers = (steps: readonly number[] = []) =>
    steps.map((step) => h('li', {}, layerLink(documents, step, selection)));
  return [
    head(tensor.name, close),
    facts([
      ['class', tensor.class],
      ['size', exactBytes(tensor.bytes)],
      ['home', { sram: 'SRAM', dram: 'DRAM', 'sram+dram': 'SRAM and DRAM' }[tensor.home]],
      ['read', `${exactBytes(tensor.readBytes)} a period`],
      ['written', `${exactBytes(tensor.writeBytes)} a period`],
    ]),
    h('h3', {}, 'Why'),
    h('p', {}, tensor.why),
    ...list(
      'In SRAM',
      buffers.map((buffer) => h('li', {}, describe(documents, buffer))),
    ),
    ...list('Made by', layers(explanation?.madeAt)),
    ...list('Read by', layers(explanation?.readAt)),
    ...(explanation === undefined ? [] : meets(documents, explanation, selection)),
  ];
}

/** The words of `spillway explain`, from the same numbers. */
function meets({ report }: PageDocuments, { fullest, keeping, margin }: Explanation, selection: Selection): Node[] {
  if (fullest === null) return [];
  const beside = fullest.beside.map(({ tensor, name, kind, bytes }) =>
    h(
      'li',
      {},
      tensor < 0 ? name : link(name, { kind: 'tensor', index: tensor }, selection),
      `, ${decimalBytes(bytes)} (${BUFFER_KINDS[kind].label})`,
    ),
  );
  const worth =
    keeping === null
      ? undefined
      : `Kept in SRAM it would save at most ${decimalBytes(keeping.savedBytes)} of traffic a frame. The SRAM that this takes is worth about ${decimalBytes(keeping.worthBytes)} elsewhere, by the dual values of the relaxation.`;
  const more =
    margin === null
      ? ''
      : `${exactBytes(margin.bytes)} more SRAM would save at most ${decimalBytes(margin.moreSavesBytes)} of traffic a frame, by the dual values; as much less would cost at least ${decimalBytes(margin.lessCostsBytes)}. `;
  return [
    h('h3', {}, 'What keeping it meets'),
    h(
      'p',
      {},
      `The SRAM is fullest at step ${fullest.step} (${fullest.layer}): ${exactBytes(fullest.freeBytes)} of ${exactBytes(report.sram.capacityBytes)} are free, beside ${exactBytes(fullest.residentBytes)} of resident weights.`,
    ),
    ...(worth === undefined ? [] : [h('p', {}, worth)]),
    h('p', {}, `${more}spillway explain --what-if solves again with another SRAM, or with a tensor elsewhere.`),
    ...list(`Largest buffers at step ${fullest.step}`, beside),
  ];
}

function layerDetails(documents: PageDocuments, step: number, selection: Selection, close: () => void): Node[] {
  const { plan, report } = documents;
  const layer = layerAt(documents, step);
  if (layer === undefined) return [];
  const here = plan.buffers
    .filter((b) => b.startStep <= step && step < b.endStep && b.kind !== 'resident')
    .sort((a, b) => b.sizeBytes - a.sizeBytes);
  const classes = Object.entries(layer.byClass).filter(([, bytes]) => bytes > 0);
  return [
    head(`${step}: ${layer.name}`, close),
    facts([
      ['kind', layer.kind],
      ['output', layer.outputShape.join(' \u00d7 ')],
      ['source', layer.source],
      ['runs', layer.tiling],
      ['MACs', integer(layer.macs)],
      ['read', `${exactBytes(layer.readBytes)} a period`],
      ['written', `${exactBytes(layer.writeBytes)} a period`],
      ...classes.map(([name, bytes]) => [`  ${name}`, exactBytes(bytes)] as const),
      ['weights', `${exactBytes(layer.weightBytes)}, ${exactBytes(layer.residentBytes)} of them resident`],
      ['SRAM in use', `${exactBytes(layer.sramBytes)} of ${exactBytes(report.sram.capacityBytes)}`],
      [
        'cycles',
        `${integer(layer.cycles)} a frame (estimated): compute ${integer(layer.computeCycles)}, DRAM ${integer(layer.dramCycles)}`,
      ],
      [
        'SRAM value',
        layer.sramValue === 0
          ? 'none: more SRAM here would save nothing'
          : `${layer.sramValue.toFixed(3)} B of traffic a frame for each byte`,
      ],
    ]),
    ...list(
      'In SRAM meanwhile, beside the resident weights',
      here.map((b) =>
        h(
          'li',
          {},
          tensorLink(documents, b.tensor, selection),
          `, ${decimalBytes(b.sizeBytes)} at ${hex(b.offsetBytes)}: ${b.note}`,
        ),
      ),
    ),
  ];
}

function list(title: string, items: readonly HTMLElement[]): Node[] {
  return items.length === 0 ? [] : [h('h3', {}, title), h('ul', {}, ...items)];
}

function describe(documents: PageDocuments, buffer: PlacedBuffer): string {
  const life = buffer.kind === 'resident' ? 'for ever' : steps(buffer.startStep, buffer.endStep);
  const name = layerAt(documents, buffer.startStep)?.name ?? '';
  const from = buffer.kind === 'resident' ? '' : `, from ${name}${loadedAhead(documents, buffer)}`;
  return `${life}${from}: ${exactBytes(buffer.sizeBytes)} at ${hex(buffer.offsetBytes)}, ${buffer.note}`;
}

function link(text: string, to: Selected, selection: Selection): HTMLElement {
  return button(text, () => selection.select(to), { class: 'link' });
}

function layerLink(documents: PageDocuments, step: number, selection: Selection): HTMLElement {
  return link(`step ${step}: ${layerAt(documents, step)?.name ?? ''}`, { kind: 'layer', index: step }, selection);
}

function tensorLink(documents: PageDocuments, index: number, selection: Selection): HTMLElement {
  const tensor = tensorAt(documents, index);
  return tensor === undefined ? h('span', {}, 'unnamed') : link(tensor.name, { kind: 'tensor', index }, selection);
}
