/** Sums, products and positions of constants: what exports compute of masks, position ids and normalised weights. */
import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis } from './attributes.js';
import { allocate, type Const, checkConstantDims, constOf, elementCountOf, lazyConst, shapeText } from './constant.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';

type Operands = readonly (Const | undefined)[];

function required(node: OnnxNode, operands: Operands, position: number): Const {
  const operand = operands[position];
  if (operand === undefined) malformed('SW2007', node.loc, `${node.operator} lacks operand ${position}`);
  return operand;
}

export function foldCumulativeSum(node: OnnxNode, operands: Operands): Const[] {
  const x = required(node, operands, 0);
  const axis = normaliseAxis(node, required(node, operands, 1).elements()[0] ?? 0, x.dims.length);
  const isExclusive = intAttribute(node, 'exclusive', 0) !== 0;
  const isReverse = intAttribute(node, 'reverse', 0) !== 0;
  const size = x.dims[axis] ?? 1;
  const step = elementCountOf(x.dims.slice(axis + 1));
  const sums = lazyConst(x.dtype, x.dims, () => {
    const source = x.elements();
    const result = allocate(x.dtype, x.elementCount);
    for (let start = 0; start < x.elementCount; start++) {
      if (Math.floor(start / step) % size !== 0) continue;
      let sum = 0;
      for (let i = 0; i < size; i++) {
        const at = start + (isReverse ? size - 1 - i : i) * step;
        if (isExclusive) result[at] = sum;
        sum += source[at] ?? 0;
        if (!isExclusive) result[at] = sum;
      }
    }
    return result;
  });
  return [sums];
}

/** Places of elements that are not 0, an axis a row: the shape depends on the elements, so these are computed now. */
export function foldNonZero(node: OnnxNode, operands: Operands): Const[] {
  const x = required(node, operands, 0);
  const places: number[] = [];
  x.elements().forEach((value, i) => {
    if (value !== 0) places.push(i);
  });
  const rows = x.dims.map((dim, axis) => {
    const step = elementCountOf(x.dims.slice(axis + 1));
    return places.map((place) => Math.floor(place / step) % dim);
  });
  return [constOf('int64', [x.dims.length, places.length], rows.flat())];
}

export function foldEyeLike(node: OnnxNode, operands: Operands): Const[] {
  const [rows = 0, columns = 0, ...more] = required(node, operands, 0).dims;
  if (more.length > 0) malformed('SW2007', node.loc, 'EyeLike of more than two dimensions');
  const k = intAttribute(node, 'k', 0);
  const eye = lazyConst('float32', [rows, columns], () => {
    const result = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) if (row + k >= 0 && row + k < columns) result[row * columns + row + k] = 1;
    return result;
  });
  return [eye];
}

/** Multiplications that are done for constants at most. */
const MOST_PRODUCTS = 2 ** 28;

/** Products of constant matrices; batches only where both have the same, or one has none. */
export function foldMatMul(node: OnnxNode, operands: Operands): Const[] {
  const [a, b] = [required(node, operands, 0), required(node, operands, 1)];
  const [rows = 1, inner = 1] = a.dims.slice(-2);
  const [innerB = 1, columns = 1] = b.dims.slice(-2);
  if (a.dims.length < 2 || b.dims.length < 2) return unsupported('of constant vectors');
  if (inner !== innerB) {
    malformed('SW2007', node.loc, `MatMul of ${shapeText(a.dims)} and ${shapeText(b.dims)}`);
  }
  const [outerA, outerB] = [a.dims.slice(0, -2), b.dims.slice(0, -2)];
  const outer = outerA.length >= outerB.length ? outerA : outerB;
  const isSame = outerA.join() === outerB.join();
  if (!isSame && elementCountOf(outerA) !== 1 && elementCountOf(outerB) !== 1) {
    return unsupported(`of constants ${shapeText(a.dims)} and ${shapeText(b.dims)}`);
  }
  const batch = Math.max(elementCountOf(outerA), elementCountOf(outerB));
  if (batch * rows * columns * inner > MOST_PRODUCTS) return unsupported('of large constants');
  const dims = [...outer, rows, columns];
  checkConstantDims(dims, 'the result of MatMul', node.loc);
  const product = lazyConst(a.dtype, dims, () => {
    const [x, y] = [a.elements(), b.elements()];
    const result = allocate(a.dtype, elementCountOf(dims));
    for (let n = 0; n < batch; n++) {
      const fromA = elementCountOf(outerA) === 1 ? 0 : n * rows * inner;
      const fromB = elementCountOf(outerB) === 1 ? 0 : n * inner * columns;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let sum = 0;
          for (let k = 0; k < inner; k++) {
            sum += (x[fromA + row * inner + k] ?? 0) * (y[fromB + k * columns + column] ?? 0);
          }
          result[(n * rows + row) * columns + column] = sum;
        }
      }
    }
    return result;
  });
  return [product];
}
