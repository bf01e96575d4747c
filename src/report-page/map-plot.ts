/** The drawing of the memory map. */
import * as Plot from '@observablehq/plot';
import type { BufferKind } from '../driver/page-data.js';
import type { PageBlock, PageDocuments, PlacedBuffer } from './data.js';
import { binaryBytes } from './format.js';
import { binaryTicks } from './ticks.js';

export const BUFFER_KINDS: Readonly<Record<BufferKind, { readonly label: string; readonly colour: string }>> = {
  resident: { label: 'resident weights', colour: '--resident' },
  weights: { label: 'weights passing through', colour: '--passing' },
  tensor: { label: 'tensors', colour: '--tensor' },
  rolling: { label: 'rolling buffers of blocks', colour: '--rolling' },
  staging: { label: 'rows on their way in or out', colour: '--staging' },
  sums: { label: 'running sums', colour: '--sums' },
};

const HEIGHT = 480;
const [LEFT, RIGHT, TOP, BOTTOM] = [72, 16, 26, 36];
/** A buffer has its name on it where there is room for a few letters. */
const [LEAST_NAME_PIXELS, NAME_HEIGHT_PIXELS, LETTER_PIXELS] = [56, 14, 6.3];
const LEAST_LABEL_PIXELS = 46; // of a block, for its name to stand above it

/** Steps and addresses that are shown. */
export interface MapWindow {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

interface NamedBuffer {
  readonly buffer: PlacedBuffer;
  readonly text: string;
}

/** Steps that it shares with one that lies at its place are divided between the two. */
function startOf({ startStep, overUntil }: PlacedBuffer): number {
  return overUntil === undefined ? startStep : (startStep + overUntil) / 2;
}

/** From where on its bytes are taken: a load may run ahead. */
function takenFrom(buffer: PlacedBuffer): number {
  return buffer.loadedFrom ?? startOf(buffer);
}

function endOf({ endStep, underFrom }: PlacedBuffer): number {
  return underFrom === undefined ? endStep : (underFrom + endStep) / 2;
}

function shownLength(from: number, to: number, [low, high]: readonly [number, number]): number {
  return Math.min(high, to) - Math.max(low, from);
}

function middleOf(from: number, to: number, [low, high]: readonly [number, number]): number {
  return (Math.max(low, from) + Math.min(high, to)) / 2;
}

export type Plotted = ReturnType<typeof Plot.plot>;

/** @returns the plot, and for each rectangle in it, and each load ahead of one, the index of its buffer */
export function plotBuffers(
  { report, plan }: PageDocuments,
  buffers: readonly PlacedBuffer[],
  { x, y }: MapWindow,
  width: number,
): { readonly plot: Plotted; readonly shown: readonly number[]; readonly ahead: readonly number[] } {
  const isShown = (b: PlacedBuffer): boolean =>
    takenFrom(b) < x[1] && b.endStep > x[0] && b.offsetBytes < y[1] && b.offsetBytes + b.sizeBytes > y[0];
  const shown: number[] = [];
  const ahead: number[] = [];
  const rects: PlacedBuffer[] = [];
  buffers.forEach((buffer, i) => {
    if (!isShown(buffer)) return;
    shown.push(i);
    rects.push(buffer);
    if (buffer.loadedFrom !== undefined) ahead.push(i);
  });
  const early = ahead.flatMap((i) => buffers[i] ?? []);
  const pixels = (width - LEFT - RIGHT) / (x[1] - x[0]);
  const [from, to] = [
    ({ first }: PageBlock) => Math.max(x[0], first),
    ({ last }: PageBlock) => Math.min(x[1], last + 1),
  ];
  const blocks = plan.blocks.filter((block) => from(block) < to(block));
  const labelled = blocks.filter((block) => (to(block) - from(block)) * pixels > LEAST_LABEL_PIXELS);
  const borders = blocks.flatMap(({ first, last }) => [first, last + 1]).filter((step) => step > x[0] && step < x[1]);
  const { capacityBytes } = report.sram;
  const pixelsHigh = (HEIGHT - TOP - BOTTOM) / (y[1] - y[0]);
  const named = rects.flatMap((buffer): NamedBuffer[] => {
    const wide = shownLength(startOf(buffer), endOf(buffer), x) * pixels;
    const high = shownLength(buffer.offsetBytes, buffer.offsetBytes + buffer.sizeBytes, y) * pixelsHigh;
    if (wide < LEAST_NAME_PIXELS || high < NAME_HEIGHT_PIXELS) return [];
    const name = (report.tensors[buffer.tensor]?.name ?? buffer.note).replace(/ \(weights\)$/, '');
    const most = Math.floor((wide - 6) / LETTER_PIXELS);
    return [{ buffer, text: name.length <= most ? name : `\u2026${name.slice(name.length - most + 1)}` }];
  });
  const plot = Plot.plot({
    width,
    height: HEIGHT,
    marginLeft: LEFT,
    marginRight: RIGHT,
    marginTop: TOP,
    marginBottom: BOTTOM,
    style: { background: 'transparent', fontSize: '12px' },
    x: {
      domain: [...x],
      label: 'step, in the order of execution',
      ticks: Math.min(x[1] - x[0], width / 70),
      tickFormat: (d: number) => (Number.isInteger(d) ? String(d) : ''),
    },
    y: { domain: [...y], label: null, ticks: binaryTicks(y[0], y[1]), tickFormat: (d: number) => binaryBytes(d) },
    marks: [
      Plot.gridY({ ticks: binaryTicks(y[0], y[1]), strokeOpacity: 0.12 }),
      Plot.rect(rects, {
        className: 'buffers',
        x1: startOf,
        x2: endOf,
        y1: 'offsetBytes',
        y2: (b: PlacedBuffer) => b.offsetBytes + b.sizeBytes,
        fill: { value: rects.map(({ kind }) => `var(${BUFFER_KINDS[kind].colour})`), scale: null },
        clip: true,
      }),
      Plot.rect(early, {
        className: 'early-loads',
        x1: takenFrom,
        x2: startOf,
        y1: 'offsetBytes',
        y2: (b: PlacedBuffer) => b.offsetBytes + b.sizeBytes,
        fill: { value: early.map(({ kind }) => `var(${BUFFER_KINDS[kind].colour})`), scale: null },
        fillOpacity: 0.45,
        clip: true,
      }),
      Plot.text(named, {
        className: 'buffer-names',
        x: ({ buffer }: NamedBuffer) => middleOf(startOf(buffer), endOf(buffer), x),
        y: ({ buffer }: NamedBuffer) => middleOf(buffer.offsetBytes, buffer.offsetBytes + buffer.sizeBytes, y),
        text: 'text',
        fontSize: 11,
        fill: {
          value: named.map(({ buffer }) => (buffer.kind === 'resident' ? 'var(--on-resident)' : '#000')),
          scale: null,
        },
      }),
      Plot.ruleX(borders, { stroke: 'currentColor', strokeOpacity: 0.6, strokeDasharray: '3 3' }),
      Plot.text(labelled, {
        x: (block: PageBlock) => (from(block) + to(block)) / 2,
        frameAnchor: 'top',
        dy: -14,
        text: (block: PageBlock) => `block ${plan.blocks.indexOf(block)}`,
      }),
      ...(capacityBytes <= y[1] && capacityBytes > y[0] ? [Plot.ruleY([capacityBytes], { strokeWidth: 1.5 })] : []),
    ],
  });
  return { plot, shown, ahead };
}
