/** What `inspect` finds out: sizes and work of the layers of a program; of a float one, as they would be in int8. */

import { runPasses } from '../../passes/pass.js';
import { PIPELINE } from '../../passes/pipeline.js';
import { operatorsInFloatOnly } from '../frontend/quantize/float-only.js';
import { elementCount, imageShape, macsOf, rootOf, sizeBytes, tensorOf } from '../ir/facts.js';
import type { DType, Op, Program, TensorId } from '../ir/types.js';
import type { Chip } from '../target/chip.js';
import { binarySize, type Column, formatTable, short } from './table.js';

export interface InspectedLayer {
  readonly step: number;
  readonly name: string;
  readonly kind: string;
  readonly dtype: DType; // of its result, as its bytes are counted
  readonly outputShape: readonly number[];
  readonly macs: number;
  readonly weights: number; // parameters, biases included
  readonly inputBytes: number; // of its first operand
  readonly outputBytes: number;
  readonly liveBytes: number; // activations that must exist while it runs, if each is kept whole
  /** With a chip: what takes longer, if every operand moved once. */
  readonly limitedBy?: 'compute' | 'dram';
}

interface Named {
  readonly name: string;
  readonly bytes: number;
}

export interface Inspection {
  readonly schema: 'spillway-inspection/1';
  readonly name: string;
  readonly source: string;
  readonly numbers: string; // whose bytes are counted
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly bytes: number }[];
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly bytes: number }[];
  readonly totals: {
    readonly layers: number;
    readonly macs: number;
    readonly weights: number; // parameters
    readonly weightBytes: number; // int8 weights, with four bytes of bias and four of scale per channel
    readonly activationBytes: number;
    readonly peakLiveBytes: number;
  };
  readonly largestActivation: Named;
  readonly largestConvolution: Named & { readonly inputBytes: number; readonly outputBytes: number };
  readonly peakLayer: string;
  readonly layers: readonly InspectedLayer[];
}

/** @param graph in float32, whose elements count as one byte each, as they will in int8; or in numbers of its own */
export function inspectProgram(graph: Program, chip?: Chip): Inspection {
  const passed = runPasses(graph, PIPELINE);
  const hasOwnNumbers = isQuantizedProgram(graph) || operatorsInFloatOnly(graph).length > 0;
  const program = hasOwnNumbers ? passed : sizedAsInt8(passed);
  const live = liveBytes(program);
  const layers = program.ops.map((op, step) => inspectLayer(program, op, step, live[step] ?? 0, chip));
  const roots = activationRoots(program);
  const largest = [...roots].sort((a, b) => sizeOf(program, b) - sizeOf(program, a))[0];
  const convolutions = layers.filter((layer) => layer.kind === 'conv2d' || layer.kind === 'dense');
  const [first = NO_LAYER] = [...convolutions].sort(
    (a, b) => b.inputBytes + b.outputBytes - a.inputBytes - a.outputBytes,
  );
  const peak = live.reduce((best, bytes, step) => (bytes > (live[best] ?? 0) ? step : best), 0);
  const port = (id: TensorId) => {
    const tensor = tensorOf(program, id);
    return { name: tensor.name, shape: tensor.shape, bytes: sizeBytes(tensor) };
  };
  const sum = (pick: (layer: InspectedLayer) => number): number =>
    layers.reduce((total, layer) => total + pick(layer), 0);
  return {
    schema: 'spillway-inspection/1',
    name: program.name,
    source: program.source,
    numbers: hasOwnNumbers ? "bytes are those of the file's own types" : 'bytes are those of int8',
    inputs: program.inputs.map(port),
    outputs: program.outputs.map(port),
    totals: {
      layers: layers.length,
      macs: sum((layer) => layer.macs),
      weights: sum((layer) => layer.weights),
      weightBytes: program.ops.reduce((total, op) => total + storedWeightBytes(program, op), 0),
      activationBytes: roots.reduce((total, root) => total + sizeOf(program, root), 0),
      peakLiveBytes: live[peak] ?? 0,
    },
    largestActivation: {
      name: largest === undefined ? '' : tensorOf(program, largest).name,
      bytes: largest === undefined ? 0 : sizeOf(program, largest),
    },
    largestConvolution: {
      name: first.name,
      bytes: first.inputBytes + first.outputBytes,
      inputBytes: first.inputBytes,
      outputBytes: first.outputBytes,
    },
    peakLayer: layers[peak]?.name ?? '',
    layers,
  };
}

const NO_LAYER = { name: '', inputBytes: 0, outputBytes: 0 };

function isQuantizedProgram(program: Program): boolean {
  return [...program.tensors.values()].some(({ id, quant }) => quant !== undefined && !program.constants.has(id));
}

/** The program with the types that quantisation will give its tensors. For sizes only. */
function sizedAsInt8(program: Program): Program {
  const tensors = new Map([...program.tensors].map(([id, tensor]) => [id, { ...tensor, dtype: 'int8' as const }]));
  return { ...program, tensors };
}

function sizeOf(program: Program, id: TensorId): number {
  return sizeBytes(tensorOf(program, id));
}

/** Tensors with storage of their own that are not constants, inputs first. */
function activationRoots(program: Program): TensorId[] {
  const roots = new Set<TensorId>(program.inputs);
  for (const op of program.ops) roots.add(rootOf(tensorOf(program, op.output)));
  return [...roots];
}

/** Weights and biases; a convolution's record has eight more bytes per channel for bias and scale. */
function parametersOf(program: Program, op: Op): number {
  if (op.kind !== 'conv2d' && op.kind !== 'dense') return 0;
  return op.inputs.slice(1, 3).reduce((total, id) => total + elementCount(tensorOf(program, id)), 0);
}

function storedWeightBytes(program: Program, op: Op): number {
  const weights = op.inputs[1];
  if ((op.kind !== 'conv2d' && op.kind !== 'dense') || weights === undefined) return 0;
  return sizeOf(program, weights) + 8 * (tensorOf(program, weights).shape[0] ?? 0);
}

/** Per step: bytes of every root between its first write and its last read; model outputs stay to the end. */
function liveBytes(program: Program): number[] {
  const lives = new Map<TensorId, { start: number; end: number }>();
  const touch = (id: TensorId, step: number): void => {
    if (program.constants.has(id)) return;
    const root = rootOf(tensorOf(program, id));
    const life = lives.get(root);
    if (life === undefined) lives.set(root, { start: step, end: step });
    else life.end = Math.max(life.end, step);
  };
  for (const id of program.inputs) touch(id, 0);
  program.ops.forEach((op, step) => {
    for (const id of op.inputs) touch(id, step);
    for (const stage of op.epilogue) if (stage.kind === 'add') touch(stage.operand, step);
    touch(op.output, step);
  });
  for (const id of program.outputs) touch(id, program.ops.length - 1);
  const bytes = new Array<number>(program.ops.length).fill(0);
  for (const [root, { start, end }] of lives) {
    for (let step = start; step <= end; step += 1) bytes[step] = (bytes[step] ?? 0) + sizeOf(program, root);
  }
  return bytes;
}

function inspectLayer(program: Program, op: Op, step: number, live: number, chip: Chip | undefined): InspectedLayer {
  const output = tensorOf(program, op.output);
  const [input] = op.inputs;
  const { h, w, c } = imageShape(output);
  const layer = {
    step,
    name: op.name,
    kind: op.kind,
    dtype: output.dtype,
    outputShape: [h, w, c],
    macs: macsOf(op, program),
    weights: parametersOf(program, op),
    inputBytes: input === undefined ? 0 : sizeOf(program, input),
    outputBytes: sizeBytes(output),
    liveBytes: live,
  };
  return chip === undefined ? layer : { ...layer, limitedBy: limitOf(layer, storedWeightBytes(program, op), chip) };
}

/** The roofline: cycles of the full MAC array against cycles of the DRAM interface. */
function limitOf(
  layer: Pick<InspectedLayer, 'macs' | 'inputBytes' | 'outputBytes'>,
  weightBytes: number,
  chip: Chip,
): 'compute' | 'dram' {
  const computeCycles = layer.macs / (chip.mac.rows * chip.mac.columns);
  const bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  const dramCycles = (layer.inputBytes + layer.outputBytes + weightBytes) / bytesPerCycle;
  return computeCycles >= dramCycles ? 'compute' : 'dram';
}

export function formatInspection(inspection: Inspection): string {
  const { totals, largestActivation, largestConvolution, layers } = inspection;
  const columns: Column<InspectedLayer>[] = [
    { title: 'step', align: 'right', cell: (row) => String(row.step) },
    { title: 'layer', align: 'left', cell: (row) => row.name },
    { title: 'kind', align: 'left', cell: (row) => row.kind },
    { title: 'type', align: 'left', cell: (row) => row.dtype },
    { title: 'output', align: 'right', cell: (row) => row.outputShape.join('x') },
    { title: 'MACs', align: 'right', cell: (row) => short(row.macs) },
    { title: 'weights', align: 'right', cell: (row) => String(row.weights) },
    { title: 'input B', align: 'right', cell: (row) => String(row.inputBytes) },
    { title: 'output B', align: 'right', cell: (row) => String(row.outputBytes) },
    { title: 'live B', align: 'right', cell: (row) => String(row.liveBytes) },
  ];
  if (layers.some((layer) => layer.limitedBy !== undefined)) {
    columns.push({ title: 'limited by', align: 'left', cell: (row) => row.limitedBy ?? '' });
  }
  const port = (kind: string) => (p: { readonly name: string; readonly shape: readonly number[] }) =>
    `${kind} ${p.name}: ${p.shape.join('x')}`;
  const lines = [
    `${inspection.name} (${inspection.source}); ${inspection.numbers}`,
    ...inspection.inputs.map(port('input')),
    ...inspection.outputs.map(port('output')),
    '',
    formatTable(columns, layers),
    `layers                            ${totals.layers}`,
    `multiply-accumulates a frame      ${totals.macs} (${short(totals.macs)})`,
    `weights                           ${totals.weights} (${short(totals.weights)}), ${totals.weightBytes} B as stored`,
    `activations together              ${totals.activationBytes} B`,
    `largest activation                ${largestActivation.bytes} B (${largestActivation.name})`,
    `largest convolution input+output  ${largestConvolution.bytes} B (${largestConvolution.name}: ${largestConvolution.inputBytes} + ${largestConvolution.outputBytes})`,
    `peak of live activations          ${totals.peakLiveBytes} B = ${binarySize(Math.ceil(totals.peakLiveBytes / 1024) * 1024)} (at ${inspection.peakLayer})`,
  ];
  return `${lines.join('\n')}\n`;
}
