/** Einsum of two operands whose labels appear once in each: a matrix product of operands with their axes in groups. */

import { unsupported } from '../import-problems.js';
import { stringAttribute } from './attributes.js';
import { elementCountOf } from './constant.js';
import { constantView, product } from './matmul.js';
import { malformed } from './problems.js';
import { activation, computed, type NodeContext, reshapeView, type Value } from './value.js';
import { dimsOf, transposed, type View } from './view.js';

export function importEinsum(ctx: NodeContext): Value[] {
  const equation = stringAttribute(ctx.node, 'equation', '').replaceAll(' ', '');
  const match = /^([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]*)$/.exec(equation);
  if (match === null || ctx.operands.length !== 2) return unsupported(`the equation '${equation}'`);
  const [a, b, result] = match.slice(1).map((labels) => [...labels]) as [string[], string[], string[]];
  if ([a, b, result].some((labels) => new Set(labels).size !== labels.length))
    unsupported(`the equation '${equation}'`);
  const operand = (position: number): View =>
    ctx.operands[position]?.kind === 'constant' ? constantView(ctx, position) : activation(ctx, position);
  const [left, right] = [operand(0), operand(1)];
  const sizes = new Map<string, number>();
  for (const [labels, view] of [
    [a, left],
    [b, right],
  ] as const) {
    const dims = dimsOf(view);
    if (dims.length !== labels.length) malformed('SW2007', ctx.node.loc, `Einsum '${equation}' of ${dims.length} axes`);
    labels.forEach((label, axis) => {
      const size = dims[axis] ?? 1;
      if ((sizes.get(label) ?? size) !== size)
        malformed('SW2007', ctx.node.loc, `Einsum '${equation}': sizes of ${label} differ`);
      sizes.set(label, size);
    });
  }
  const batch = a.filter((label) => b.includes(label) && result.includes(label));
  const summed = a.filter((label) => b.includes(label) && !result.includes(label));
  const [rows, columns] = [a.filter((label) => !b.includes(label)), b.filter((label) => !a.includes(label))];
  if ([...rows, ...columns].some((label) => !result.includes(label))) unsupported(`the equation '${equation}'`);
  const count = (labels: readonly string[]): number => elementCountOf(labels.map((label) => sizes.get(label) ?? 1));
  const grouped = (view: View, labels: readonly string[], groups: readonly (readonly string[])[]): View => {
    const perm = groups.flat().map((label) => labels.indexOf(label));
    return reshapeView(ctx, transposed(view, perm), groups.map(count));
  };
  const sums = product(ctx, grouped(left, a, [batch, rows, summed]), grouped(right, b, [batch, summed, columns]));
  const order = [...batch, ...rows, ...columns];
  const whole = reshapeView(
    ctx,
    sums,
    order.map((label) => sizes.get(label) ?? 1),
  );
  return [
    computed(
      transposed(
        whole,
        result.map((label) => order.indexOf(label)),
      ),
    ),
  ];
}
