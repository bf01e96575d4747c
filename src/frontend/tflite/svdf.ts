/** SVDF: what it keeps of earlier frames is an input and an output of the program that belong together. */
import { elementCountOf } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { POINT } from './binary-constant.js';
import { type Constant, integersOf, realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { hybridDense } from './convolution.js';
import { isHybrid } from './hybrid.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { malformed } from './problems.js';
import { sliced } from './slicing.js';

const SVDF = { rank: 0, activation: 1, asymmetric: 2 } as const;
const SVDF_STATE = 4;

/**
 * The newest features join the state, and each filter's are summed over time: a dense layer, and a convolution over the state,
 * which is kept time first.
 */
export const svdf: Importer = (node) => {
  const x = node.input(0);
  const features = node.constant(1, 'weights');
  const overTime = node.constant(2, 'weights');
  const bias = node.has(3) ? node.constant(3, 'biases') : undefined;
  const rank = node.options.int32(SVDF.rank);
  const [filters = 0, inputs = 0] = features.shape;
  const [, memory = 0] = overTime.shape;
  if (rank < 1 || filters % rank !== 0 || elementCountOf(x.shape) !== inputs || overTime.shape[0] !== filters) {
    malformed('SW2107', node.loc, `${filters} filters of rank ${rank} over [${x.shape.join(', ')}]`);
  }
  const units = filters / rank;
  const state = node.builder.tensor(node.state(SVDF_STATE, [1, memory, filters]));
  if (state.dtype !== x.dtype) return unsupported(`${x.dtype} features of ${state.dtype} state`);
  const newest = isHybrid(x.dtype, features)
    ? hybridDense(node, node.reshape(x.id, [1, 1, 1, inputs]), features, {
        bias: undefined,
        isSymmetric: !node.options.bool(SVDF.asymmetric),
      })
    : node.emit(
        {
          kind: 'dense',
          inputs: [
            node.reshape(x.id, [1, inputs]),
            ...svdfWeights(node, x, state, features, undefined, [filters, inputs]),
          ],
        },
        state.quant === undefined ? {} : { quant: state.quant },
      );
  const row = node.reshape(newest, [1, 1, filters]);
  const older = memory > 1 ? [sliced(node, state.id, 1, 1, memory - 1)] : [];
  const all = older.length === 0 ? row : node.emit({ kind: 'concat', axis: 1, inputs: [...older, row] });
  node.keepState(SVDF_STATE, all);
  const result: Pick<Tensor, 'quant'> = x.quant === undefined ? {} : { quant: node.resultQuant() };
  const turned = timeMajor(overTime, units, rank);
  const weights = svdfWeights(node, state, result, turned, bias, [units, memory, 1, rank]);
  const summed = node.emit(
    {
      kind: 'conv2d',
      window: { ...POINT, kernel: [memory, 1] },
      groups: units,
      inputs: [node.reshape(all, [1, memory, 1, filters]), ...weights],
    },
    result.quant === undefined ? {} : { quant: result.quant },
  );
  return [activation(withFused(node, node.reshape(summed, [1, units]), node.activationOption(SVDF.activation)))];
};

/** [filters, memory] as [units, memory, 1, rank]. */
function timeMajor(weights: Constant, units: number, rank: number): Constant {
  const [, memory = 0] = weights.shape;
  const elements = (): ReturnType<Constant['elements']> => {
    const data = weights.elements();
    const out = data.slice() as typeof data;
    for (let unit = 0; unit < units; unit++) {
      for (let r = 0; r < rank; r++) {
        for (let t = 0; t < memory; t++) {
          out[(unit * memory + t) * rank + r] = data[(unit * rank + r) * memory + t] ?? 0;
        }
      }
    }
    return out;
  };
  return { ...weights, elements };
}

function svdfWeights(
  node: NodeContext,
  x: Pick<Tensor, 'quant'>,
  result: Pick<Tensor, 'quant'>,
  weights: Constant,
  bias: Constant | undefined,
  shape: readonly number[],
): TensorId[] {
  const { builder, loc } = node;
  const [channels = 1] = shape;
  const name = `${weights.name}:bias`;
  if (x.quant === undefined) {
    const data = bias === undefined ? new Float32Array(channels) : realsOf(bias);
    return [
      builder.addConstant({ name: weights.name, shape, data: realsOf(weights), loc }),
      builder.addConstant({ name, shape: [channels], data, loc }),
    ];
  }
  const data = weights.elements();
  const { quantization } = weights;
  if (!(data instanceof Int8Array) || quantization === undefined || result.quant === undefined) {
    return unsupported(`${weights.type} weights`);
  }
  const [scale = 1] = quantization.scales;
  const { multiplier, shift } = fixedPoint((scaleOf(x.quant) * Math.fround(scale)) / scaleOf(result.quant));
  const requant = Int32Array.from({ length: 2 * channels }, (_, i) => (i % 2 === 0 ? multiplier : shift));
  const offsets = bias === undefined ? new Int32Array(channels) : Int32Array.from(integersOf(bias));
  return [
    builder.addConstant({ name: weights.name, shape, data, quant: { scales: [scale], zeroPoint: 0 }, loc }),
    builder.addConstant({ name, shape: [channels], data: offsets, loc }),
    builder.addConstant({ name: `${weights.name}:requant`, shape: [channels, 2], data: requant, loc }),
  ];
}
