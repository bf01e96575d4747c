/** The memory map: SRAM addresses upwards, steps to the right, every buffer a rectangle. Zooms by dragging, moves by keys. */
import { layerAt, type PageDocuments, type PlacedBuffer, tensorAt } from './data.js';
import { button, h } from './element.js';
import { drawAtWidth, legend, type Section, section } from './figure.js';
import { binaryBytes, exactBytes, hex, integer, steps } from './format.js';
import { connectShapes, type HoverText, hideHover, indexInMark, showHover } from './hover.js';
import { type Brushed, connectBrush } from './map-brush.js';
import { connectKeys } from './map-keys.js';
import { BUFFER_KINDS, type MapWindow, type Plotted, plotBuffers } from './map-plot.js';
import type { Selection } from './selection.js';

/** Residents beyond this share of the memory leave too little of the picture to the rest: it is shown alone at first. */
const MUCH_RESIDENT = 0.5;

export function memoryMap(documents: PageDocuments, selection: Selection): Section {
  const { report, plan } = documents;
  const made = section(
    'memory',
    'Memory map over time',
    'SRAM addresses upwards, layers in the order in which they run to the right. Point at a buffer for its tensor, click for the details, drag to zoom.',
  );
  const { buffers } = plan;
  const last = report.layers.length;
  const residentEnd = buffers.reduce(
    (end, b) => (b.kind === 'resident' ? Math.max(end, b.offsetBytes + b.sizeBytes) : end),
    0,
  );
  const { capacityBytes, peakBytes } = report.sram;
  const isFull = peakBytes > 0.55 * capacityBytes;
  const top = isFull ? capacityBytes : Math.max(1, peakBytes * 1.04);
  const everything: MapWindow = { x: [0, last], y: [0, top] };
  const above: MapWindow = { x: [0, last], y: [residentEnd, top] };
  let window = residentEnd > MUCH_RESIDENT * top && residentEnd < 0.999 * top ? above : everything;

  const status = h('p', { class: 'note', role: 'status' });
  const place = h('div', {
    class: 'plot zoomable',
    tabindex: 0,
    role: 'application',
    'aria-label':
      'Memory map. Left and right: from buffer to buffer in time. Up and down: to the next one above or below. Enter: details. Plus and minus: zoom. 0: everything.',
  });
  const spoken = h('div', { class: 'visually-hidden', 'aria-live': 'polite' });
  const presets = [
    { name: 'Everything', window: everything },
    ...(residentEnd > 0 ? [{ name: 'Above the resident weights', window: above }] : []),
  ].map((preset) => ({ ...preset, button: button(preset.name, () => zoomTo(preset.window)) }));

  let shapes = new Map<number, Element>(); // by buffer, of those that are drawn
  let indexOf: (shape: Element) => number | undefined = () => undefined;
  const draw = (width: number): Node => {
    const { plot, shown, ahead } = plotBuffers(documents, buffers, window, width);
    const [inMark, inEarly] = [indexInMark('buffers'), indexInMark('early-loads')];
    indexOf = (shape) => shown[inMark(shape) ?? -1] ?? ahead[inEarly(shape) ?? -1];
    shapes = new Map();
    for (const rect of plot.querySelectorAll('.buffers rect')) {
      const index = indexOf(rect);
      if (index !== undefined) shapes.set(index, rect);
    }
    connectShapes(plot, indexOf, (index) => hoverText(documents, buffers[index]));
    connectBrush(plot, (brushed) => finishBrush(plot, brushed));
    return plot;
  };
  const finishBrush = (plot: Plotted, { from, to, target }: Brushed): void => {
    const isClick = Math.abs(to.x - from.x) < 4 && Math.abs(to.y - from.y) < 4;
    if (isClick) {
      const index = indexOf(target);
      const tensor = index === undefined ? undefined : buffers[index]?.tensor;
      if (tensor !== undefined && tensor >= 0) selection.select({ kind: 'tensor', index: tensor });
      return;
    }
    const [x, y] = [plot.scale('x'), plot.scale('y')];
    if (x?.invert === undefined || y?.invert === undefined) return;
    const columns = [Number(x.invert(from.x)), Number(x.invert(to.x))].sort((a, b) => a - b);
    const rows = [Number(y.invert(from.y)), Number(y.invert(to.y))].sort((a, b) => a - b);
    zoomTo({
      x: [Math.max(0, columns[0] ?? 0), Math.min(last, columns[1] ?? last)],
      y: [Math.max(0, rows[0] ?? 0), Math.min(top, rows[1] ?? top)],
    });
  };
  const describeWindow = (): void => {
    const [low, high] = window.y;
    const [from, to] = window.x;
    const below =
      low === residentEnd && residentEnd > 0 ? ` ${binaryBytes(residentEnd)} of resident weights are below.` : '';
    const room = isFull ? '' : ` The SRAM goes on to ${binaryBytes(capacityBytes)}.`;
    status.textContent = `${integer(buffers.length)} buffers. Shown: addresses ${binaryBytes(low)} to ${binaryBytes(high)}, ${steps(Math.floor(from), Math.ceil(to))}.${below}${room}`;
    for (const preset of presets) preset.button.setAttribute('aria-pressed', String(preset.window === window));
  };
  /** Rings the buffers of what is selected. */
  const mark = (): void => {
    const { current } = selection;
    let found = false;
    for (const [index, shape] of shapes) {
      const isSelected = current?.kind === 'tensor' && buffers[index]?.tensor === current.index;
      shape.classList.toggle('selected', isSelected);
      found ||= isSelected;
    }
    place.querySelector('.buffers')?.classList.toggle('has-selection', found);
  };

  made.body.append(
    legend([
      ...Object.values(BUFFER_KINDS).filter((_, i) => buffers.some((b) => b.kind === Object.keys(BUFFER_KINDS)[i])),
      ...(buffers.some(({ loadedFrom }) => loadedFrom !== undefined)
        ? [{ label: 'paler: loaded ahead', colour: '--ahead' }]
        : []),
    ]),
    h('div', { class: 'tools' }, ...presets.map((preset) => preset.button)),
    place,
    status,
    spoken,
  );
  let redraw = (): void => {};
  const zoomTo = (next: MapWindow): void => {
    if (next.x[1] - next.x[0] <= 0 || next.y[1] - next.y[0] <= 0) return;
    window = next;
    hideHover();
    redraw();
    describeWindow();
  };
  describeWindow();
  selection.onChange(mark);
  connectKeys(place, {
    buffers,
    show: (index) => {
      const text = hoverText(documents, buffers[index]);
      const box = shapes.get(index)?.getBoundingClientRect();
      if (text === undefined) return;
      spoken.textContent = [text.title, ...text.lines].join(', ');
      if (box !== undefined) showHover(text, box.x + box.width / 2, box.y + box.height / 2);
    },
    open: (index) => {
      const tensor = buffers[index]?.tensor ?? -1;
      if (tensor >= 0) selection.select({ kind: 'tensor', index: tensor });
    },
    zoom: (factor) => zoomTo(factor === undefined ? everything : scaled(window, factor, everything)),
  });
  made.onShown = () => {
    redraw = drawAtWidth(place, draw, mark);
    mark();
  };
  return made;
}

/** The window a factor smaller or larger around its middle, within the largest one. */
function scaled({ x, y }: MapWindow, factor: number, within: MapWindow): MapWindow {
  const around = (
    [low, high]: readonly [number, number],
    [least, most]: readonly [number, number],
  ): [number, number] => {
    const half = ((high - low) / 2) * factor;
    const middle = (low + high) / 2;
    return [Math.max(least, middle - half), Math.min(most, middle + half)];
  };
  return { x: around(x, within.x), y: around(y, within.y) };
}

export function loadedAhead(documents: PageDocuments, { loadedFrom }: PlacedBuffer): string {
  if (loadedFrom === undefined) return '';
  const step = Math.floor(loadedFrom);
  return `; loaded ahead, from step ${step} (${layerAt(documents, step)?.name ?? ''}) on`;
}

export function hoverText(documents: PageDocuments, buffer: PlacedBuffer | undefined): HoverText | undefined {
  if (buffer === undefined) return undefined;
  const tensor = tensorAt(documents, buffer.tensor);
  const names = [buffer.startStep, buffer.endStep - 1].map((step) => layerAt(documents, step)?.name ?? '');
  const life = buffer.kind === 'resident' ? 'for ever' : steps(buffer.startStep, buffer.endStep);
  const between = buffer.endStep - buffer.startStep === 1 ? `${names[0]}` : `${names[0]} to ${names[1]}`;
  const whole =
    tensor === undefined || tensor.bytes === buffer.sizeBytes ? '' : ` of a tensor of ${exactBytes(tensor.bytes)}`;
  return {
    title: tensor?.name ?? buffer.note,
    lines: [
      `${exactBytes(buffer.sizeBytes)}${whole} at ${hex(buffer.offsetBytes)}`,
      `${BUFFER_KINDS[buffer.kind].label}: ${buffer.note}`,
      buffer.kind === 'resident' ? 'in SRAM for ever' : `${life} (${between})${loadedAhead(documents, buffer)}`,
      ...(tensor === undefined ? [] : [tensor.why]),
    ],
  };
}
