/** Operators on images, given a batch of them: one image after the other, with the same weights. */
import { unsupported } from '../import-problems.js';
import { elementCountOf } from './constant.js';
import { type NodeContext, settled, type Value, valueDims, wholes, withOperands } from './value.js';

const ON_IMAGES: ReadonlySet<string> = new Set([
  'Conv',
  'ConvTranspose',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'LRN',
]);
/** One after the other, so code and steps grow with them. */
const MOST_IMAGES = 64;

type Run = (ctx: NodeContext) => readonly Value[];

export function importEachImage(ctx: NodeContext, run: Run): readonly Value[] {
  const operand = ctx.operands[0];
  if (!ON_IMAGES.has(ctx.node.operator) || operand?.kind !== 'activation') return run(ctx);
  const [images = 1, ...rest] = valueDims(operand);
  if (images <= 1 || rest.length < 2 || elementCountOf(rest) < 1) return run(ctx);
  if (ctx.usesOfOutput(1) > 0) return run(ctx); // indices are those of the whole batch
  if (images > MOST_IMAGES) unsupported(`a batch of ${images} inside the graph, at most ${MOST_IMAGES}`);
  const whole = settled(ctx, 0);
  const parts = ctx.builder.repeat(images, (i) => {
    const image = ctx.apply('Slice', [whole, wholes([i]), wholes([i + 1]), wholes([0])]);
    const [result] = run(withOperands(ctx, [image, ...ctx.operands.slice(1)]));
    if (result === undefined) throw new Error(`${ctx.node.operator} has a result`);
    return result;
  });
  return [ctx.apply('Concat', parts, { axis: 0 })];
}
