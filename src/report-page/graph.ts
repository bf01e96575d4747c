/** The graph of layers in the order in which they run, its blocks as frames around them, its tensors as arrows and arcs. */
import type { LayerEdge, PageDocuments } from './data.js';
import { tensorAt } from './data.js';
import { h, svg } from './element.js';
import { legend, type Section, section } from './figure.js';
import { decimalBytes, exactBytes } from './format.js';
import { connectShapes, hideHover } from './hover.js';
import type { Selection } from './selection.js';

const ROW = 22;
const ARCS = 170; // width of the column of arcs
const NAME = ARCS + 84;
const WIDTH = 1000;

const WAYS = {
  rolling: { label: 'rolls through SRAM inside a block', colour: '--mac', dash: undefined },
  sram: { label: 'stays in SRAM', colour: '--tensor', dash: undefined },
  dram: { label: 'goes through DRAM', colour: '--dram', dash: '5 3' },
} as const;

export function graph(documents: PageDocuments, selection: Selection): Section {
  const { report, plan } = documents;
  const made = section(
    'graph',
    'Graph and blocks',
    'Layers from top to bottom in the order in which they run. A frame is a block: its layers run depth-first, stripe by stripe. Arcs are tensors that a later layer reads.',
  );
  const height = report.layers.length * ROW + 24;
  const rolling = new Set(plan.buffers.filter(({ kind }) => kind === 'rolling').map(({ tensor }) => tensor));
  const wayOf = ({ tensor }: LayerEdge): keyof typeof WAYS =>
    rolling.has(tensor) ? 'rolling' : tensorAt(documents, tensor)?.home === 'sram' ? 'sram' : 'dram';
  const rows = report.layers.map((_, step) => layerRow(documents, step));
  const edges = plan.edges.map((edge, i) => {
    const way = WAYS[wayOf(edge)];
    return svg('path', {
      d: arc(edge),
      'data-edge': i,
      fill: 'none',
      stroke: `var(${way.colour})`,
      'stroke-width': 1.75,
      'stroke-dasharray': way.dash,
      'pointer-events': 'stroke',
    });
  });
  const drawing = svg(
    'svg',
    {
      width: WIDTH,
      height,
      viewBox: `0 0 ${WIDTH} ${height}`,
      role: 'group',
      'aria-label': 'Layers in the order of execution; arrow keys move between them, Enter opens one',
    },
    ...plan.blocks.map((block, i) => blockFrame(block, i)),
    ...rows,
    svg('g', { class: 'edges' }, ...edges),
  );
  connectShapes(
    drawing,
    (shape) => (shape.hasAttribute('data-edge') ? Number(shape.getAttribute('data-edge')) : undefined),
    (index) => edgeText(documents, plan.edges[index]),
    (index) => {
      const tensor = plan.edges[index]?.tensor ?? -1;
      if (tensor >= 0) selection.select({ kind: 'tensor', index: tensor });
    },
  );
  connectRows(rows, selection);
  made.body.append(legend(Object.values(WAYS)), h('div', { class: 'graph-scroll plot' }, drawing));
  return made;
}

const middle = (step: number): number => 12 + (step + 0.5) * ROW;

/** To the left of the rows; the longer the wider, from the model's input from above. */
function arc({ from, to }: LayerEdge): string {
  const [y1, y2] = [from < 0 ? 2 : middle(from) + 4, middle(to) - 4];
  const x = ARCS - 6;
  if (to - from === 1) return `M${x} ${y1}L${x} ${y2}`;
  const wide = Math.min(ARCS - 12, 8 + 19 * Math.log2(to - from));
  return `M${x} ${y1}C${x - wide} ${y1} ${x - wide} ${y2} ${x} ${y2}`;
}

function layerRow({ report }: PageDocuments, step: number): SVGGElement {
  const layer = report.layers[step];
  const y = middle(step);
  const text = (x: number, content: string, attributes: Record<string, string | number> = {}): SVGTextElement =>
    svg('text', { x, y: y + 4, 'font-size': 12, ...attributes }, content);
  const moved = layer === undefined ? 0 : layer.readBytes + layer.writeBytes;
  const resident =
    layer === undefined || layer.weightBytes === 0
      ? ''
      : layer.residentBytes === layer.weightBytes
        ? 'weights resident'
        : layer.residentBytes === 0
          ? 'weights from DRAM'
          : 'weights resident in part';
  return svg(
    'g',
    {
      class: 'graph-row',
      tabindex: step === 0 ? 0 : -1,
      role: 'button',
      'data-step': step,
      'aria-label': `step ${step}, ${layer?.name}, ${layer?.kind}, ${decimalBytes(moved)} of DRAM traffic`,
    },
    svg('rect', {
      class: 'row',
      x: ARCS + 2,
      y: y - ROW / 2 + 1,
      width: WIDTH - ARCS - 4,
      height: ROW - 2,
      rx: 4,
      fill: 'transparent',
    }),
    svg('circle', { cx: ARCS - 6, cy: y, r: 3.5, fill: 'currentColor' }),
    text(ARCS + 66, String(step), { 'text-anchor': 'end', opacity: 0.65 }),
    text(NAME, clipped(layer?.name ?? '', 40)),
    text(NAME + 270, `${layer?.kind ?? ''} ${layer?.outputShape.join('\u00d7') ?? ''}`, { opacity: 0.75 }),
    text(NAME + 500, resident, { opacity: 0.75 }),
    text(WIDTH - 16, moved === 0 ? 'no DRAM traffic' : `${decimalBytes(moved)}`, {
      'text-anchor': 'end',
      opacity: moved === 0 ? 0.5 : 1,
    }),
  );
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}\u2026`;
}

function blockFrame({ first, last }: { readonly first: number; readonly last: number }, index: number): SVGGElement {
  const top = middle(first) - ROW / 2 + 1;
  const height = (last - first + 1) * ROW - 2;
  return svg(
    'g',
    {},
    svg('rect', { class: 'block', x: ARCS + 2, y: top, width: WIDTH - ARCS - 4, height, rx: 6 }),
    svg('text', { x: ARCS + 8, y: top + 13, 'font-size': 11, class: 'block-name' }, `b${index}`),
  );
}

function edgeText(documents: PageDocuments, edge: LayerEdge | undefined) {
  const tensor = edge === undefined ? undefined : tensorAt(documents, edge.tensor);
  if (edge === undefined || tensor === undefined) return undefined;
  const from = edge.from < 0 ? 'given' : `made at step ${edge.from}`;
  return { title: tensor.name, lines: [`${exactBytes(tensor.bytes)}, ${from}, read at step ${edge.to}`, tensor.why] };
}

/** One stop for the tab key; arrows move between the rows. */
function connectRows(rows: readonly SVGGElement[], selection: Selection): void {
  rows.forEach((row, step) => {
    row.addEventListener('click', () => selection.select({ kind: 'layer', index: step }));
    row.addEventListener('keydown', (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === 'Enter' || event.key === ' ') selection.select({ kind: 'layer', index: step });
      else if (by === undefined) return;
      else {
        const next = rows[step + by];
        if (next === undefined) return;
        row.setAttribute('tabindex', '-1');
        next.setAttribute('tabindex', '0');
        next.focus();
      }
      event.preventDefault();
    });
    row.addEventListener('blur', hideHover);
  });
  selection.onChange((selected) => {
    rows.forEach((row, step) => {
      row.classList.toggle('selected', selected?.kind === 'layer' && selected.index === step);
    });
  });
}
