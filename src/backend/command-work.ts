/**
 * What one command of the compute queue costs on the machine of docs/timing.md, from its fields. The simulator knows which bytes a
 * command touches; here it is worked out from the shapes.
 */
import { columnPasses } from '../schedule/compute-work.js';
import type { Chip } from '../target/chip.js';

/** A field of a command in one iteration of the loops around it; 0 where it has none of that name. */
export type FieldOf = (name: string) => number;

export interface CommandWork {
  /** With the DRAM interface, or the SRAM ports, for itself; without set-up and latency. */
  readonly cycles: number;
  readonly portBytes: number; // through the SRAM ports
  readonly macs?: number;
}

const NOTHING: CommandWork = { cycles: 0, portBytes: 0 };

/** By the number of a type in the field `dtype`. */
const ELEMENT_BYTES = [1, 4, 1, 2, 4];

/** Elements of [start, start + length) in [0, limit). */
function clipped(start: number, length: number, limit: number): number {
  return Math.max(0, Math.min(limit, start + length) - Math.max(0, start));
}

/** A command of the compute queue. */
export function computeCommandWork(op: string, field: FieldOf, chip: Chip): CommandWork {
  if (op === 'permute') {
    let elements = 1;
    for (const d of [0, 1, 2, 3]) elements *= Math.max(1, field(`count${d}`));
    return vector(elements, 2 * elements * field('elementBytes'), chip);
  }
  const bytes = ELEMENT_BYTES[field('dtype')] ?? 1;
  if (op === 'poolRows') {
    const elements = clipped(field('row0'), field('rows'), field('inH')) * field('inW') * field('inC');
    return vector(elements, elements * bytes + 8 * field('inC'), chip);
  }
  const rows = clipped(field('row0'), field('rows'), field('outH'));
  const columns = clipped(field('col0'), field('cols'), field('outW'));
  const channels = op === 'conv' ? clipped(field('ch0'), field('chs'), field('outC')) : field('outC');
  const pixels = rows * columns;
  const elements = pixels * channels;
  if (elements === 0) return NOTHING;
  const tables = tableBytes(op, field, channels);
  /** The output, what the epilogue adds to it, and tables: through the ports in any case. */
  const written = elements * bytes * (field('addMode') === 0 ? 1 : 2) + tables;
  /** Of an operand that has one row, column or channel for all where the mask says so. */
  const repeated = (mask: number): number =>
    ((mask & 1) === 0 ? rows : 1) * ((mask & 2) === 0 ? columns : 1) * ((mask & 4) === 0 ? channels : 1);
  /** Weights of a channel, its bias and its scale. */
  const recordBytes = (taps: number): number =>
    field('dtype') === 1 ? 4 + 4 * taps : (field('recordForm') === 1 ? 9 : 8) + taps;
  const windowPixels = (): number => underWindows(field, 'H', rows) * underWindows(field, 'W', columns);
  switch (op) {
    case 'conv': {
      const groups = Math.max(1, field('groups'));
      const inner = field('inC') / groups;
      const ofGroup = field('outC') / groups;
      const taps = field('kernelH') * field('kernelW');
      if (inner === 1 && groups > 1)
        return {
          ...vector(elements * taps, windowPixels() * channels * bytes + written + channels * recordBytes(taps), chip),
          macs: elements * taps,
        };
      const passes = columnPasses(field('ch0'), channels, ofGroup, chip.mac.columns);
      const macs = elements * taps * inner;
      return { ...array(pixels * taps, passes, inner, pixels * taps * passes * inner * bytes + written, chip), macs };
    }
    case 'matmul': {
      const inner = field('inC');
      const passes = Math.ceil(channels / chip.mac.columns);
      const macs = elements * inner;
      return { ...array(pixels, passes, inner, pixels * passes * inner * bytes + written, chip), macs };
    }
    case 'recurrent': {
      const gates = (field('mode') % 2 === 0 ? 4 : 3) * field('hidden');
      const inner = field('inC') + field('hidden');
      const passes = Math.ceil(gates / chip.mac.columns);
      const step = array(1, passes, inner, passes * inner * (field('dtype') === 1 ? 4 : 1), chip);
      const macs = pixels * gates * inner;
      return { ...ported(pixels * step.cycles, pixels * step.portBytes + written, chip), macs };
    }
    case 'pool':
      return vector(elements * field('kernelH') * field('kernelW'), windowPixels() * channels * bytes + written, chip);
    case 'reduce':
      return vector(pixels * field('inC'), pixels * field('inC') * inputBytes(field, bytes) + written, chip);
    case 'softmax':
    case 'lrn':
    case 'layerNorm':
      return vector(3 * elements, elements * bytes + written, chip);
    case 'binary':
      return vector(elements, (repeated(field('aRepeat')) + repeated(field('bRepeat'))) * bytes + written, chip);
    case 'select': {
      const read = repeated(field('aRepeat')) + repeated(field('bRepeat')) + repeated(field('inRepeat'));
      return vector(elements, read * bytes + written, chip);
    }
    case 'map': {
      const scale = Math.max(1, field('scaleH')) * Math.max(1, field('scaleW'));
      return vector(elements, (repeated(field('inRepeat')) * inputBytes(field, bytes)) / scale + written, chip);
    }
    default: {
      // resize, pad: the same share of the input as of the output.
      const share = (field('inH') * field('inW')) / Math.max(1, field('outH') * field('outW'));
      const read = Math.min(elements * share, field('inH') * field('inW') * field('inC'));
      return vector(elements, read * bytes + written, chip);
    }
  }
}

/** Of an element of the input, where it may be of another type than the output. */
function inputBytes(field: FieldOf, outputBytes: number): number {
  const inDtype = field('inDtype');
  return inDtype === 0 ? outputBytes : (ELEMENT_BYTES[inDtype - 1] ?? 1);
}

/** Of the activations of the epilogue, and of the instruction itself. */
function tableBytes(op: string, field: FieldOf, channels: number): number {
  const each = field('dtype') === 3 ? 2 * 65536 : 256;
  const activations = each * ['act1', 'act2'].filter((name) => field(name) === 2).length;
  if (op === 'layerNorm') return activations + 8 * channels;
  if (field('dtype') === 1) return activations;
  if (op === 'lrn') return activations + 4 * 1024;
  if (op === 'softmax' && field('multiplier') === 0) return activations + 4 * 256;
  return activations;
}

/** Input rows or columns under the windows of so many outputs, all of which lie inside. */
function underWindows(field: FieldOf, side: 'H' | 'W', outputs: number): number {
  const reach = (field(`kernel${side}`) - 1) * Math.max(1, field(`dilation${side}`)) + 1;
  const stride = field(`stride${side}`);
  const touched = reach >= stride ? (outputs - 1) * stride + reach : outputs * reach;
  return Math.min(field(`in${side}`), touched);
}

function ported(cycles: number, portBytes: number, chip: Chip): CommandWork {
  return { cycles: Math.max(cycles, portBytes / chip.sram.bytesPerCycle), portBytes };
}

function vector(work: number, portBytes: number, chip: Chip): CommandWork {
  return ported(Math.ceil(work / chip.vector.lanes), portBytes, chip);
}

function array(positions: number, passes: number, inner: number, portBytes: number, chip: Chip): CommandWork {
  const { rows, columns } = chip.mac;
  return ported(positions * passes * Math.ceil(inner / rows) + rows + columns, portBytes, chip);
}
