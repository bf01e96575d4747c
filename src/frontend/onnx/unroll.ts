/** Loop and Scan whose number of turns is known: the graph inside, written out once for each turn. */
import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute, normaliseAxis } from './attributes.js';
import { constOf } from './constant.js';
import { malformed } from './problems.js';
import { constantOperand, type NodeContext, settled, type Value, valueDims, wholes } from './value.js';

/** One turn: the values of the inner graph's outputs; undefined where something in it is not supported. */
type Turn = (given: readonly Value[]) => readonly Value[] | undefined;

const MOST_TURNS = 1024;

const truth = (value: boolean): Value => ({ kind: 'constant', constant: constOf('bool', [], [value ? 1 : 0]) });

/** Inner inputs: turn, condition, carried ones; inner outputs: condition, carried ones, parts of the scanned results. */
export function unrolledLoop(ctx: NodeContext, turn: Turn): readonly Value[] | undefined {
  const trips = constantOperand(ctx, 0)?.elements()[0];
  let goesOn = (constantOperand(ctx, 1)?.elements()[0] ?? 1) !== 0;
  let carried = ctx.operands.slice(2).map((_, i) => settled(ctx, i + 2));
  const scanned: Value[][] = ctx.node.outputs.slice(carried.length).map(() => []);
  for (let i = 0; goesOn && i < (trips ?? Number.POSITIVE_INFINITY); i++) {
    if (i === MOST_TURNS) unsupported(`more than ${MOST_TURNS} turns`);
    const results = turn([wholes([i], []), truth(true), ...carried]);
    if (results === undefined) return undefined;
    const [condition] = results;
    if (condition?.kind !== 'constant') return unsupported('a condition that is computed from data');
    goesOn = (condition.constant.elements()[0] ?? 0) !== 0;
    carried = results.slice(1, 1 + carried.length).map((value) => ready(ctx, value));
    scanned.forEach((parts, k) => {
      const part = results[1 + carried.length + k];
      if (part === undefined) malformed('SW2007', ctx.node.loc, 'Loop: the graph inside has too few outputs');
      parts.push(ctx.apply('Unsqueeze', [ready(ctx, part), wholes([0])], { axes: [0] }));
    });
  }
  return [...carried, ...scanned.map((parts) => stacked(ctx, parts, 0))];
}

/** Inner inputs: states, then one element of each scanned operand; inner outputs: states, one element of each result. */
export function unrolledScan(ctx: NodeContext, turn: Turn): readonly Value[] | undefined {
  const { node } = ctx;
  if (ctx.opset < 9) unsupported('the form of opset 8');
  const scannedCount = intAttribute(node, 'num_scan_inputs', 1);
  const stateCount = ctx.operands.length - scannedCount;
  if (stateCount < 0 || scannedCount < 1) malformed('SW2007', node.loc, `Scan of ${scannedCount} operands`);
  const operands = ctx.operands.map((_, i) => settled(ctx, i));
  const sources = operands.slice(stateCount).map((value, k) => {
    const axis = intsAttribute(node, 'scan_input_axes')?.[k] ?? 0;
    const isBackward = intsAttribute(node, 'scan_input_directions')?.[k] === 1;
    return { value, axis: normaliseAxis(node, axis, valueDims(value).length), isBackward };
  });
  const turns = valueDims(sources[0]?.value ?? wholes([])).at(sources[0]?.axis ?? 0) ?? 0;
  if (turns > MOST_TURNS) unsupported(`${turns} turns, at most ${MOST_TURNS}`);
  let states = operands.slice(0, stateCount);
  const scanned: Value[][] = node.outputs.slice(stateCount).map(() => []);
  for (let i = 0; i < turns; i++) {
    const elements = sources.map(({ value, axis, isBackward }) =>
      ctx.apply('Gather', [value, wholes([isBackward ? turns - 1 - i : i], [])], { axis }),
    );
    const results = turn([...states, ...elements]);
    if (results === undefined) return undefined;
    states = results.slice(0, stateCount).map((value) => ready(ctx, value));
    scanned.forEach((parts, k) => {
      const part = results[stateCount + k];
      if (part === undefined) malformed('SW2007', node.loc, 'Scan: the graph inside has too few outputs');
      parts.push(ready(ctx, part));
    });
  }
  return [
    ...states,
    ...scanned.map((parts, k) => {
      const rank = valueDims(parts[0] ?? wholes([])).length + 1;
      const axis = normaliseAxis(node, intsAttribute(node, 'scan_output_axes')?.[k] ?? 0, rank);
      const isBackward = intsAttribute(node, 'scan_output_directions')?.[k] === 1;
      const apart = parts.map((part) => ctx.apply('Unsqueeze', [part, wholes([axis])], { axes: [axis] }));
      return stacked(ctx, isBackward ? apart.reverse() : apart, axis);
    }),
  ];
}

/** A value of the inner graph as an operand: nothing outside may absorb what reads it, and no padding waits beside it. */
function ready(ctx: NodeContext, value: Value): Value {
  if (value.kind === 'constant') return value;
  return value.pad === undefined ? { ...value, sole: false } : ctx.apply('Identity', [value]);
}

function stacked(ctx: NodeContext, parts: readonly Value[], axis: number): Value {
  if (parts.length === 0) return unsupported('no turns');
  return parts.length === 1 ? (parts[0] ?? wholes([])) : ctx.apply('Concat', parts, { axis });
}
