/** Einsum of one or two operands whose labels appear once in each: a matrix product of operands with their axes in groups. */

import { unsupported } from '../import-problems.js';
import { stringAttribute } from './attributes.js';
import { elementCountOf } from './constant.js';
import { constantView, product } from './matmul.js';
import { malformed } from './problems.js';
import {
  activation,
  computed,
  type NodeContext,
  reshapeView,
  settled,
  type Value,
  valueDims,
  wholes,
  withOperands,
} from './value.js';
import { dimsOf, transposed, type View } from './view.js';

export function importEinsum(ctx: NodeContext): Value[] {
  const text = stringAttribute(ctx.node, 'equation', '').replaceAll(' ', '');
  const operands = ctx.operands.map((_, i) => settled(ctx, i));
  const equation = withoutEllipsis(
    text,
    operands.map((value) => valueDims(value).length),
  );
  const match = /^([a-zA-Z]+)(?:,([a-zA-Z]+))?->([a-zA-Z]*)$/.exec(equation);
  const [first = '', second, result = ''] = match?.slice(1) ?? [];
  const isKnown = match !== null && operands.length === (second === undefined ? 1 : 2);
  const isPlain = [first, second ?? '', result].every((labels) => new Set(labels).size === labels.length);
  if (!isKnown || !isPlain) return unsupported(`the equation '${text}'`);
  const summed = operands.map((value, i) => {
    const [own = '', others = ''] = i === 0 ? [first, second] : [second, first];
    return summedAway(ctx, value, own, `${others}${result}`);
  });
  const [a, b] = summed;
  if (a === undefined) return unsupported('no operands');
  if (b === undefined) return [ctx.apply('Transpose', [a.value], { perm: placesOf(result, a.labels, text) })];
  return pairwise(withOperands(ctx, [a.value, b.value]), text, [...a.labels], [...b.labels], [...result]);
}

/** The equation with letters of its own for the axes that an ellipsis stands for, and with a result. */
function withoutEllipsis(equation: string, ranks: readonly number[]): string {
  const [left = '', given] = equation.split('->');
  const terms = left.split(',');
  const spare = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((letter) => !equation.includes(letter));
  const widths = terms.map((term, i) => (term.includes('...') ? (ranks[i] ?? 0) - (term.length - 3) : 0));
  const width = Math.max(0, ...widths);
  const letters = (count: number): string => spare.slice(width - count, width).join('');
  const written = terms.map((term, i) => term.replace('...', letters(Math.max(0, widths[i] ?? 0))));
  const all = written.join('');
  const once = [...new Set(all)].filter((letter) => all.split(letter).length === 2 && !spare.includes(letter)).sort();
  const result = given === undefined ? `${letters(width)}${once.join('')}` : given.replace('...', letters(width));
  return `${written.join(',')}->${result}`;
}

/** An operand without the axes that nothing else names. */
function summedAway(ctx: NodeContext, value: Value, own: string, others: string) {
  const axes = [...own].flatMap((label, axis) => (others.includes(label) ? [] : [axis]));
  const labels = [...own].filter((label) => others.includes(label)).join('');
  if (axes.length === 0) return { value, labels };
  return { value: ctx.apply('ReduceSum', [value, wholes(axes)], { keepdims: 0 }), labels };
}

function placesOf(result: string, labels: string, equation: string): number[] {
  const places = [...result].map((label) => labels.indexOf(label));
  if (places.includes(-1)) unsupported(`the equation '${equation}'`);
  return places;
}

function pairwise(
  ctx: NodeContext,
  equation: string,
  a: readonly string[],
  b: readonly string[],
  result: readonly string[],
): Value[] {
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
