/**
 * RFFT2D of rows, and what makes real numbers of its complex ones: REAL, IMAG, COMPLEX_ABS. A complex tensor [..., K] is one of
 * [..., 2K]: K real parts, then K imaginary ones. The transform is a product with a constant matrix of cosines and sines.
 */
import { elementCountOf } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { POINT } from './binary-constant.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { malformed } from './problems.js';
import { sliced } from './slicing.js';

const MOST_POINTS = 4096;

/** The real transform of the last axis, where the other length is 1; rows are cut or filled with zeros to the length. */
export const rfft: Importer = (node) => {
  const x = node.input(0);
  const [height = 1, length = 1] = node.integers(1, 'lengths');
  if (x.dtype !== 'float32') return unsupported(`${x.dtype} operands`);
  if (height !== 1) return unsupported(`of ${height} rows together`);
  if (!(length >= 1 && length <= MOST_POINTS)) return unsupported(`of ${length} points, at most ${MOST_POINTS}`);
  if (x.shape.length < 2) malformed('SW2107', node.loc, `of [${x.shape.join(', ')}], which has no two axes`);
  if (x.shape.at(-2) !== 1) return unsupported(`one of ${x.shape.at(-2)} rows`);
  const last = x.shape.length - 1;
  const points = Math.min(x.shape[last] ?? 1, length);
  const bins = Math.floor(length / 2) + 1;
  const rows = elementCountOf(x.shape) / (x.shape[last] ?? 1);
  const image = node.reshape(sliced(node, x.id, last, 0, points), [1, rows, 1, points]);
  const { loc } = node;
  const weights = {
    name: `${node.resultName}:waves`,
    shape: [2 * bins, 1, 1, points],
    data: waves(bins, points, length),
  };
  const bias = { name: `${node.resultName}:zeros`, shape: [2 * bins], data: new Float32Array(2 * bins) };
  const inputs = [image, node.builder.addConstant({ ...weights, loc }), node.builder.addConstant({ ...bias, loc })];
  const made = node.emit({ kind: 'conv2d', window: POINT, groups: 1, inputs });
  return [{ ...activation(node.reshape(made, x.shape.with(last, 2 * bins))), isComplex: true }];
};

/** Row k holds cos(2 pi k n / length), row bins + k holds -sin. */
function waves(bins: number, points: number, length: number): Float32Array {
  const data = new Float32Array(2 * bins * points);
  for (let k = 0; k < bins; k++) {
    for (let n = 0; n < points; n++) {
      const angle = (2 * Math.PI * ((k * n) % length)) / length;
      data[k * points + n] = Math.cos(angle);
      data[(bins + k) * points + n] = -Math.sin(angle);
    }
  }
  return data;
}

/** Both parts of a complex operand. */
function partsOf(node: NodeContext): readonly [TensorId, TensorId] {
  const id = node.complex(0);
  const { shape } = node.builder.tensor(id);
  const last = shape.length - 1;
  const half = (shape[last] ?? 2) / 2;
  return [sliced(node, id, last, 0, half), sliced(node, id, last, half, half)];
}

export const realPart: Importer = (node) => [activation(partsOf(node)[0])];

export const imaginaryPart: Importer = (node) => [activation(partsOf(node)[1])];

export const magnitude: Importer = (node) => {
  const [real, imaginary] = partsOf(node);
  const squares = [real, imaginary].map((id) => node.emit({ kind: 'mul', inputs: [id, id] }));
  const sum = node.emit({ kind: 'add', inputs: squares });
  return [activation(node.emit({ kind: 'unary', fn: 'sqrt', alpha: 0, beta: 0, inputs: [sum] }))];
};

/** A complex tensor under another shape of the same last axis. */
export function reshapedComplex(node: NodeContext, shape: readonly number[]): Value {
  const own = node.shape(0);
  const bins = own.at(-1) ?? 1;
  if (shape.at(-1) !== bins) return unsupported(`complex [${own.join(', ')}] as [${shape.join(', ')}]`);
  return { ...activation(node.reshape(node.complex(0), shape.with(shape.length - 1, 2 * bins))), isComplex: true };
}
