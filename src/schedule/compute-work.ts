/** What a layer asks of the MAC array and the vector unit. */
import { gateCount } from '../ir/facts.js';
import type { Layer } from '../schedule/layer.js';
import type { Chip } from '../target/chip.js';

/** Cycles of all layers of one frame, each in one command: no schedule on this machine computes in less. */
export function computeFloorCycles(layers: readonly Layer[], chip: Chip): number {
  return layers.reduce((total, layer) => total + Math.ceil(computeWork(layer, 1, 0, undefined, chip).cycles), 0);
}

/**
 * @param pieces that the rows and columns are cut into: in each, every run of channels fills and drains the MAC array once
 * @param resident channels that are computed in one go
 * @param chunks of channels that come after them
 */
export function computeWork(
  layer: Layer,
  pieces: number,
  resident: number,
  chunks: { readonly count: number; readonly channels: number } | undefined,
  chip: Chip,
): { cycles: number; macs: number } {
  const { output, op } = layer;
  const pixels = output.h * output.w;
  const elements = pixels * output.c;
  const { lanes } = chip.vector;
  if (layer.kind === 'pool') {
    const taps = op.kind === 'maxPool' || op.kind === 'avgPool' ? op.window.kernel[0] * op.window.kernel[1] : 1;
    return { cycles: (elements * taps) / lanes, macs: 0 };
  }
  if (layer.kind === 'softmax' || layer.kind === 'lrn' || layer.kind === 'layerNorm') {
    return { cycles: (3 * elements) / lanes, macs: 0 };
  }
  const inner = layer.operands[0]?.c ?? 1;
  if (layer.kind === 'reduce') return { cycles: (pixels * inner) / lanes, macs: 0 };
  if (op.kind === 'recurrent') {
    const gates = gateCount(op.cell) * op.hidden;
    const taps = inner + op.hidden;
    const passes = Math.ceil(taps / chip.mac.rows) * Math.ceil(gates / chip.mac.columns);
    return { cycles: pixels * (passes + chip.mac.rows + chip.mac.columns), macs: pixels * gates * taps };
  }
  if (layer.kind === 'matmul') {
    const passes = Math.ceil(inner / chip.mac.rows) * Math.ceil(output.c / chip.mac.columns);
    return { cycles: pixels * passes + pieces * (chip.mac.rows + chip.mac.columns), macs: elements * inner };
  }
  if (layer.kind !== 'conv') return { cycles: elements / lanes, macs: 0 };
  const groups = op.kind === 'conv2d' ? op.groups : 1;
  const taps = op.kind === 'conv2d' ? op.window.kernel[0] * op.window.kernel[1] : 1;
  const inputChannels = (layer.operands[0]?.c ?? 1) / groups;
  const macs = elements * taps * inputChannels;
  if (groups > 1 && inputChannels === 1) return { cycles: macs / lanes, macs };
  const groupChannels = output.c / groups;
  const passesOf = (from: number, channels: number): number =>
    columnPasses(from, channels, groupChannels, chip.mac.columns);
  const { count, channels } = chunks ?? { count: 0, channels: 0 };
  let passes = passesOf(0, chunks === undefined ? output.c : resident);
  if (groups === 1) passes += count * passesOf(0, Math.min(channels, output.c));
  else
    for (let from = resident; from < resident + count * channels && from < output.c; from += channels)
      passes += passesOf(from, Math.min(channels, output.c - from));
  const runs = (chunks === undefined || resident > 0 ? 1 : 0) + (chunks?.count ?? 0);
  const rowPasses = Math.ceil(inputChannels / chip.mac.rows);
  return {
    cycles: pixels * taps * rowPasses * passes + pieces * runs * (chip.mac.rows + chip.mac.columns),
    macs,
  };
}

/** Passes of the array over its columns for some output channels; groups do not share one, where the channels begin in a group either. */
export function columnPasses(from: number, channels: number, groupChannels: number, columns: number): number {
  const end = from + channels;
  let passes = 0;
  for (let at = from; at < end; ) {
    const to = Math.min(end, (Math.floor(at / groupChannels) + 1) * groupChannels);
    passes += Math.ceil((to - at) / columns);
    at = to;
  }
  return passes;
}
