/** STRIDED_SLICE: what its lists and masks say of each axis. */
import type { NodeContext } from './context.js';
import { malformed } from './problems.js';

const OPTIONS = { beginMask: 0, endMask: 1, ellipsisMask: 2, newAxisMask: 3, shrinkMask: 4, offset: 5 } as const;

export interface AxisRange {
  readonly begin: number;
  readonly count: number;
  readonly stride: number;
  readonly isDropped: boolean;
}

export interface StridedRanges {
  /** For each axis of the operand. */
  readonly ranges: readonly AxisRange[];
  /** Positions in the result where an axis of extent 1 comes in, in order. */
  readonly newAxes: readonly number[];
}

/** Begin, count and stride of each axis. @param shape of the operand */
export function stridedRanges(node: NodeContext, shape: readonly number[]): StridedRanges {
  const { options } = node;
  const masks = (['beginMask', 'endMask', 'ellipsisMask', 'newAxisMask', 'shrinkMask'] as const).map((name) =>
    options.int32(OPTIONS[name]),
  );
  const [beginMask = 0, endMask = 0, ellipsisMask = 0, newAxisMask = 0, shrinkMask = 0] = masks;
  const [begins = [], ends = [], strides = []] = [1, 2, 3].map((position) => node.integers(position, 'ranges'));
  const has = (mask: number, entry: number): boolean => ((mask >> entry) & 1) === 1;
  const entries = begins.map((_, entry) => entry);
  const named = entries.filter((entry) => !has(ellipsisMask, entry) && !has(newAxisMask, entry)).length;
  const ranges: AxisRange[] = [];
  const newAxes: number[] = [];
  let kept = 0;
  const whole = (): void => {
    ranges.push({ begin: 0, count: shape[ranges.length] ?? 1, stride: 1, isDropped: false });
    kept++;
  };
  for (const entry of entries) {
    if (has(ellipsisMask, entry)) for (let left = shape.length - named; left > 0; left--) whole();
    else if (has(newAxisMask, entry)) newAxes.push(kept++);
    else if (ranges.length < shape.length) {
      const given = {
        begin: has(beginMask, entry) ? undefined : (begins[entry] ?? 0),
        end: has(endMask, entry)
          ? undefined
          : (ends[entry] ?? 0) + (options.bool(OPTIONS.offset) ? (begins[entry] ?? 0) : 0),
        stride: strides[entry] ?? 1,
      };
      const range = rangeOf(node, shape[ranges.length] ?? 1, given, has(shrinkMask, entry));
      ranges.push(range);
      if (!range.isDropped) kept++;
    } else malformed('SW2107', node.loc, `ranges of more than the ${shape.length} axes that there are`);
  }
  while (ranges.length < shape.length) whole();
  return { ranges, newAxes };
}

interface Given {
  readonly begin: number | undefined; // all of the axis from its start
  readonly end: number | undefined; // to its end
  readonly stride: number;
}

function rangeOf(node: NodeContext, extent: number, { begin, end, stride }: Given, isDropped: boolean): AxisRange {
  if (stride === 0) malformed('SW2107', node.loc, 'a stride of 0');
  const inside = (position: number): number => {
    const value = position < 0 ? position + extent : position;
    return stride > 0 ? Math.min(Math.max(value, 0), extent) : Math.min(Math.max(value, -1), extent - 1);
  };
  const first = begin === undefined ? (stride > 0 ? 0 : extent - 1) : inside(begin);
  if (isDropped) return { begin: first, count: 1, stride: 1, isDropped };
  const last = end === undefined ? (stride > 0 ? extent : -1) : inside(end);
  return { begin: first, count: Math.max(0, Math.ceil((last - first) / stride)), stride, isDropped };
}
