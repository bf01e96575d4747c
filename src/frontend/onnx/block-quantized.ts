/** com.microsoft's MatMulNBits: weights of few bits, with a scale for each block of a column. */
import { unsupported } from '../import-problems.js';
import { intAttribute } from './attributes.js';
import { type Const, elementCountOf, lazyConst } from './constant.js';
import { malformed } from './problems.js';
import { constantOperand, type NodeContext, requiredConstant, settled, type Value } from './value.js';

/** A [.., K] times the weights, which are [N, blocks, bytes], low bits first. They become float32 at import. */
export function importMatMulNBits(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const [inner, columns] = [intAttribute(node, 'K', 0), intAttribute(node, 'N', 0)];
  const [bits, block] = [intAttribute(node, 'bits', 4), intAttribute(node, 'block_size', 32)];
  if (bits !== 4 && bits !== 8) unsupported(`${bits} bits`);
  if (ctx.operands[4] !== undefined) unsupported('reordered groups');
  const blocks = Math.ceil(inner / block);
  const [packed, scales] = [requiredConstant(ctx, 1), requiredConstant(ctx, 2)];
  const zeros = constantOperand(ctx, 3);
  const isFitting =
    inner >= 1 &&
    columns >= 1 &&
    block >= 16 &&
    packed.elementCount === (columns * blocks * block * bits) / 8 &&
    scales.elementCount === columns * blocks;
  if (!isFitting) malformed('SW2007', node.loc, `${node.operator} of ${packed.elementCount} B for ${inner}x${columns}`);
  const zeroOf = zeroPoints(ctx, zeros, columns, blocks, bits);
  const weights: Const = lazyConst('float32', [inner, columns], () => {
    const [bytes, factors] = [packed.elements(), scales.elements()];
    const result = new Float32Array(elementCountOf([inner, columns]));
    for (let n = 0; n < columns; n++) {
      for (let k = 0; k < inner; k++) {
        const at = n * blocks + Math.floor(k / block);
        const stored = valueAt(bytes, n * blocks * block + k, bits);
        result[k * columns + n] = (stored - zeroOf(at)) * (factors[at] ?? 0);
      }
    }
    return result;
  });
  const product = ctx.apply('MatMul', [settled(ctx, 0), { kind: 'constant', constant: weights }]);
  return [ctx.operands[5] === undefined ? product : ctx.apply('Add', [product, settled(ctx, 5)])];
}

function valueAt(bytes: ArrayLike<number>, index: number, bits: number): number {
  if (bits === 8) return bytes[index] ?? 0;
  return ((bytes[index >> 1] ?? 0) >> (4 * (index & 1))) & 15;
}

/** Of each block: packed like the weights, each column from a whole byte on; real numbers; or the middle of the range. */
function zeroPoints(
  ctx: NodeContext,
  zeros: Const | undefined,
  columns: number,
  blocks: number,
  bits: number,
): (at: number) => number {
  if (zeros === undefined) return () => 2 ** (bits - 1);
  const bytesOfColumn = Math.ceil((blocks * bits) / 8);
  const isPacked = zeros.dtype === 'uint8';
  if (zeros.elementCount !== columns * (isPacked ? bytesOfColumn : blocks)) {
    malformed('SW2007', ctx.node.loc, `${zeros.elementCount} zero points for ${columns * blocks} block(s)`);
  }
  if (!isPacked) return (at) => zeros.elements()[at] ?? 0;
  const slots = (bytesOfColumn * 8) / bits;
  return (at) => valueAt(zeros.elements(), Math.floor(at / blocks) * slots + (at % blocks), bits);
}
