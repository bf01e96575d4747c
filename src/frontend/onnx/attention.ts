/** Attention in one operator, spelled out: products of queries and keys, a softmax, products with values. */
import { unsupported } from '../import-problems.js';
import { floatAttribute, intAttribute } from './attributes.js';
import { type NodeContext, real, requiredConstant, settled, type Value, valueDims, wholes } from './value.js';

interface Heads {
  readonly q: Value; // [N, heads, L, size]
  readonly k: Value;
  readonly v: Value;
  readonly scale: number;
  readonly isCausal: boolean;
  readonly mask: Value | undefined; // added to the scores
}

/** Rows [N, L, heads * size] as [N, heads, L, size], and back. */
function apart(ctx: NodeContext, rows: Value, heads: number): Value {
  const [n = 1, length = 1, width = 1] = valueDims(rows);
  const cut = ctx.apply('Reshape', [rows, wholes([n, length, heads, width / heads])]);
  return ctx.apply('Transpose', [cut], { perm: [0, 2, 1, 3] });
}

function together(ctx: NodeContext, value: Value): Value {
  const [n = 1, heads = 1, length = 1, size = 1] = valueDims(value);
  const turned = ctx.apply('Transpose', [value], { perm: [0, 2, 1, 3] });
  return ctx.apply('Reshape', [turned, wholes([n, length, heads * size])]);
}

function attended(ctx: NodeContext, { q, k, v, scale, isCausal, mask }: Heads): Value {
  const turned = ctx.apply('Transpose', [k], { perm: [0, 1, 3, 2] });
  let scores = ctx.apply('Mul', [ctx.apply('MatMul', [q, turned]), real(scale)]);
  if (mask !== undefined) scores = ctx.apply('Add', [scores, mask]);
  if (isCausal) {
    const [rows = 1, columns = 1] = valueDims(scores).slice(-2);
    const elements = Array.from({ length: rows * columns }, (_, i) => (i % columns <= Math.floor(i / columns) ? 1 : 0));
    const sees = ctx.apply('Cast', [wholes(elements, [rows, columns])], { to: 9 });
    scores = ctx.apply('Where', [sees, scores, real(-3.4e38)]);
  }
  return ctx.apply('MatMul', [ctx.apply('Softmax', [scores], { axis: -1 }), v]);
}

function refuse(ctx: NodeContext, names: Readonly<Record<number, string>>): void {
  for (const [position, what] of Object.entries(names))
    if (ctx.operands[Number(position)] !== undefined) unsupported(what);
  for (const [i, name] of ctx.node.outputs.entries()) {
    if (i > 0 && name !== '' && ctx.usesOfOutput(i) > 0) unsupported('results beside the first');
  }
}

/** com.microsoft Attention: one matrix for queries, keys and values. */
function importPackedAttention(ctx: NodeContext): Value[] {
  refuse(ctx, { 3: 'a mask', 4: 'a past', 5: 'a bias of the scores', 6: 'a past' });
  const { node } = ctx;
  const heads = intAttribute(node, 'num_heads', 1);
  if (node.attributes.has('qkv_hidden_sizes')) unsupported('qkv_hidden_sizes');
  if (intAttribute(node, 'do_rotary', 0) !== 0) unsupported('do_rotary');
  const product = ctx.apply('MatMul', [settled(ctx, 0), settled(ctx, 1)]);
  const rows = ctx.operands[2] === undefined ? product : ctx.apply('Add', [product, settled(ctx, 2)]);
  const width = (valueDims(rows)[2] ?? 3) / 3;
  const part = (i: number): Value =>
    apart(ctx, ctx.apply('Slice', [rows, wholes([i * width]), wholes([(i + 1) * width]), wholes([2])]), heads);
  const scale = scaleOf(ctx, width / heads);
  const isCausal = intAttribute(node, 'unidirectional', 0) !== 0;
  const result = attended(ctx, { q: part(0), k: part(1), v: part(2), scale, isCausal, mask: undefined });
  return [together(ctx, result)];
}

const scaleOf = (ctx: NodeContext, size: number): number => {
  const given = floatAttribute(ctx.node, 'scale', 0);
  return given === 0 ? 1 / Math.sqrt(size) : given;
};

/** com.microsoft MultiHeadAttention: queries, keys and values apart, [N, L, width] each. */
function importMultiHeadAttention(ctx: NodeContext): Value[] {
  refuse(ctx, { 4: 'a mask', 6: 'a past', 7: 'a past' });
  if (ctx.operands[1] === undefined || ctx.operands[2] === undefined) unsupported('packed operands');
  const heads = intAttribute(ctx.node, 'num_heads', 1);
  const operands = [0, 1, 2].map((position) => settled(ctx, position));
  const width = valueDims(operands[0] ?? real(0))[2] ?? 1;
  let start = 0;
  const [q, k, v] = operands.map((rows) => {
    const own = valueDims(rows);
    if (own.length !== 3) unsupported('operands in heads');
    if (ctx.operands[3] === undefined) return apart(ctx, rows, heads);
    const end = start + (own[2] ?? 0);
    const bias = ctx.apply('Slice', [settled(ctx, 3), wholes([start]), wholes([end]), wholes([0])]);
    start = end;
    return apart(ctx, ctx.apply('Add', [rows, bias]), heads);
  });
  if (q === undefined || k === undefined || v === undefined) return unsupported('missing operands');
  const mask = ctx.operands[5] === undefined ? undefined : settled(ctx, 5);
  const isCausal = intAttribute(ctx.node, 'unidirectional', 0) !== 0;
  return [together(ctx, attended(ctx, { q, k, v, scale: scaleOf(ctx, width / heads), isCausal, mask }))];
}

/** Attention of the standard: operands in heads, or as rows with the numbers of heads as attributes. */
function importAttention(ctx: NodeContext): Value[] {
  refuse(ctx, { 4: 'a past', 5: 'a past' });
  if (floatAttribute(ctx.node, 'softcap', 0) !== 0) unsupported('softcap');
  const given = [0, 1, 2].map((position) => settled(ctx, position));
  const isRows = valueDims(given[0] ?? real(0)).length === 3;
  const counts = [0, 1, 1].map((i) => intAttribute(ctx.node, i === 0 ? 'q_num_heads' : 'kv_num_heads', 1));
  const [q, k, v] = given.map((value, i) => (isRows ? apart(ctx, value, counts[i] ?? 1) : value));
  if (q === undefined || k === undefined || v === undefined) return unsupported('missing operands');
  if (valueDims(q)[1] !== valueDims(k)[1]) unsupported('fewer heads of keys than of queries');
  let mask: Value | undefined;
  if (ctx.operands[3] !== undefined) {
    const own = settled(ctx, 3);
    mask = ctx.isTruth(3) ? ctx.apply('Where', [own, real(0), real(-3.4e38)]) : own;
  }
  const isCausal = intAttribute(ctx.node, 'is_causal', 0) !== 0;
  const result = attended(ctx, { q, k, v, scale: scaleOf(ctx, valueDims(q)[3] ?? 1), isCausal, mask });
  return [isRows ? together(ctx, result) : result];
}

/** Words, positions and segments looked up, added, normalised. */
function importEmbedding(ctx: NodeContext): Value[] {
  refuse(ctx, { 8: 'position ids' });
  const words = ctx.apply('Gather', [settled(ctx, 2), settled(ctx, 0)], { axis: 0 });
  const length = valueDims(words)[1] ?? 1;
  const places = ctx.apply('Slice', [settled(ctx, 3), wholes([0]), wholes([length]), wholes([0])]);
  let sum = ctx.apply('Add', [words, places]);
  if (ctx.operands[4] !== undefined) {
    const segments = ctx.operands[1] === undefined ? undefined : settled(ctx, 1);
    const rows =
      segments === undefined
        ? ctx.apply('Gather', [settled(ctx, 4), wholes([0], [])], { axis: 0 })
        : ctx.apply('Gather', [settled(ctx, 4), segments], { axis: 0 });
    sum = ctx.apply('Add', [sum, rows]);
  }
  const epsilon = floatAttribute(ctx.node, 'epsilon', 1e-12);
  const operands = [sum, settled(ctx, 5), settled(ctx, 6)];
  return [ctx.apply('LayerNormalization', operands, { axis: -1, epsilon: { real: epsilon } })];
}

/** x + skip (+ bias), by its root mean square. */
function importSkipRms(ctx: NodeContext): Value[] {
  const sum = ctx.apply('Add', [settled(ctx, 0), settled(ctx, 1)]);
  const whole = ctx.operands[3] === undefined ? sum : ctx.apply('Add', [sum, settled(ctx, 3)]);
  const epsilon = floatAttribute(ctx.node, 'epsilon', 1e-12);
  const operands = [whole, settled(ctx, 2)];
  const result = ctx.apply('SimplifiedLayerNormalization', operands, { axis: -1, epsilon: { real: epsilon } });
  return [result, result, result, whole];
}

/** x turned by angles whose cosines and sines are constants: halves of the last axis, or neighbours. */
function importRotary(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const dims = valueDims(x);
  if (dims.length !== 4 || intAttribute(ctx.node, 'interleaved', 0) !== 0) unsupported('this form');
  if (intAttribute(ctx.node, 'rotary_embedding_dim', 0) !== 0) unsupported('rotary_embedding_dim');
  const length = dims[2] ?? 1;
  const positions = requiredConstant(ctx, 1);
  const first = positions.elements()[0] ?? 0;
  const rows = positions.elementCount === 1 ? Array.from({ length }, (_, i) => first + i) : [...positions.elements()];
  if (rows.length !== length) unsupported('positions of several sequences');
  const table = (position: number): Value => ctx.apply('Gather', [settled(ctx, position), wholes(rows)], { axis: 0 });
  const half = (dims[3] ?? 2) / 2;
  const part = (from: number, to: number): Value => ctx.apply('Slice', [x, wholes([from]), wholes([to]), wholes([3])]);
  const [left, right] = [part(0, half), part(half, 2 * half)];
  const [cos, sin] = [table(2), table(3)];
  const times = (a: Value, b: Value): Value => ctx.apply('Mul', [a, b]);
  const turned = [
    ctx.apply('Sub', [times(left, cos), times(right, sin)]),
    ctx.apply('Add', [times(right, cos), times(left, sin)]),
  ];
  return [ctx.apply('Concat', turned, { axis: 3 })];
}

export const ATTENTION: readonly (readonly [string, (ctx: NodeContext) => readonly Value[]])[] = [
  ['com.microsoft::Attention', importPackedAttention],
  ['com.microsoft::MultiHeadAttention', importMultiHeadAttention],
  ['Attention', importAttention],
  ['com.microsoft::EmbedLayerNormalization', importEmbedding],
  ['com.microsoft::SkipSimplifiedLayerNormalization', importSkipRms],
  ['com.microsoft::RotaryEmbedding', importRotary],
];
