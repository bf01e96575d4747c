/** What the forms of LSTMs have in common: which operands are whose, and the matrices of the four gates. */
import type { OpSpec, ResultSpec } from '../../ir/builder.js';
import { elementCountOf, sizeBytes } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { runsOf, stepsOfRun } from '../recurrent-sizes.js';
import { type Constant, realsOf, remembered } from './constant.js';
import type { NodeContext } from './context.js';
import { malformed } from './problems.js';
import type { FusedActivation } from './schema.js';
import { sliced } from './slicing.js';

/** Operands of one direction. Gates in the order input, forget, cell, output. */
export interface Places {
  readonly ofInput: number; // the first of four
  readonly ofState: number;
  readonly biases: number;
  readonly outputState: number;
  readonly cellState: number;
  readonly isReverse: boolean;
  /** Operands that only other forms have: peepholes, projections, layer normalisation. */
  readonly others: readonly number[];
}

export interface LstmForm {
  readonly steps: number;
  readonly inputs: number;
  readonly units: number;
  readonly isTimeMajor: boolean;
  readonly fn: FusedActivation;
  readonly clip: number; // largest size of the cell; 0 for none
  /** Of weights of 8 bits: the operands are brought to 8 bits without a zero point. */
  readonly isSymmetric: boolean;
}

/** The matrices of the four gates, their rows one after the other, as real numbers. */
export function joined(node: NodeContext, first: number, each: number): Float32Array {
  const data = new Float32Array(4 * each);
  for (const [gate, part] of gateConstants(node, first, each).entries()) data.set(realsOf(part), gate * each);
  return data;
}

/** The four gates' matrices of int8 as one, whose every row has its gate's scale. @returns [4 * units, columns] */
export function joinedRows(node: NodeContext, first: number, units: number, columns: number): Constant {
  const gates = gateConstants(node, first, units * columns);
  const scales = gates.flatMap(({ name, quantization }) => {
    const own = quantization?.scales ?? [];
    if (own.length === units) return [...own];
    if (own.length === 1) return new Array<number>(units).fill(own[0] ?? 1);
    return malformed('SW2109', node.loc, `weights '${name}' have ${own.length} scales, not 1 or ${units}`);
  });
  const elements = (): Int8Array => {
    const data = new Int8Array(4 * units * columns);
    for (const [gate, part] of gates.entries()) data.set(part.elements(), gate * units * columns);
    return data;
  };
  const quantization = { scales, zeroPoints: scales.map(() => 0), axis: 0 };
  const name = `${node.resultName}:${first}`;
  return remembered({ name, type: 'int8', shape: [4 * units, columns], quantization, elements });
}

/** Four constants of that many elements. @throws SpillwayError SW2107 if one has others */
export function gateConstants(node: NodeContext, first: number, elements: number): Constant[] {
  return [0, 1, 2, 3].map((gate) => {
    const part = node.constant(first + gate, 'weights');
    if (elementCountOf(part.shape) === elements) return part;
    return malformed('SW2107', node.loc, `'${part.name}' [${part.shape.join(', ')}] for ${elements} elements`);
  });
}

export function biasesOf(node: NodeContext, places: Places, units: number): Float32Array {
  const biases = new Float32Array(4 * units);
  for (let gate = 0; gate < 4; gate++) {
    if (!node.has(places.biases + gate)) continue;
    const bias = node.constant(places.biases + gate, 'biases');
    if (elementCountOf(bias.shape) !== units) malformed('SW2107', node.loc, `a bias of [${bias.shape.join(', ')}]`);
    biases.set(realsOf(bias), gate * units);
  }
  return biases;
}

type Cell = Omit<Extract<OpSpec, { kind: 'recurrent' }>, 'inputs' | 'name' | 'loc'>;

/** One operator, or several that hand the state on. @returns [1, steps, 1, elements of the state] */
export function inRuns(
  node: NodeContext,
  [x, initial, table]: readonly [TensorId, TensorId, TensorId],
  { steps, rowBytes }: { readonly steps: number; readonly rowBytes: number },
  cell: Cell,
  result: ResultSpec = {},
): TensorId {
  const length = stepsOfRun(steps, rowBytes, sizeBytes(node.builder.tensor(table)));
  let state = initial;
  const parts: TensorId[] = [];
  for (const { start, size } of runsOf(steps, length, cell.isReverse)) {
    const inputs = [sliced(node, x, 1, start, size), state, table];
    const part = node.emit({ ...cell, inputs }, result);
    parts.push(part);
    if (size < steps) state = sliced(node, part, 1, cell.isReverse ? 0 : size - 1, 1);
  }
  const [only = x] = parts;
  if (parts.length === 1) return only;
  return node.emit({ kind: 'concat', axis: 1, inputs: cell.isReverse ? parts.reverse() : parts });
}
