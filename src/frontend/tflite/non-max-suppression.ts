/**
 * NON_MAX_SUPPRESSION_V4 and V5: as many times as there are results, the best box that is left is taken, and those that overlap it
 * too much go. Results that there are no boxes for are 0. Source: non_max_suppression.h of TFLite.
 */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { realInput } from './real-numbers.js';
import { Vectors } from './vectors.js';

const MOST_RESULTS = 256;

interface Corners {
  readonly low: readonly [TensorId, TensorId]; // y, x
  readonly high: readonly [TensorId, TensorId];
  readonly area: TensorId;
}

export const nonMaxSuppression: Importer = (node) => {
  const [count = 0, four] = node.shape(0);
  if (four !== 4 || node.shape(0).length !== 2 || node.shape(1)[0] !== count || node.shape(1).length !== 1) {
    malformed('SW2107', node.loc, `boxes [${node.shape(0).join(', ')}] of scores [${node.shape(1).join(', ')}]`);
  }
  const most = node.integers(2, 'numbers of results')[0] ?? 0;
  if (!(most >= 1 && most <= MOST_RESULTS)) unsupported(`${most} results, at most ${MOST_RESULTS}`);
  const [overlap, least] = [numberOf(node, 3, 'thresholds'), numberOf(node, 4, 'thresholds')];
  if (!(overlap > 0 && overlap <= 1)) unsupported(`a threshold of ${overlap}`);
  if (node.has(5) && numberOf(node, 5, 'deviations') !== 0) unsupported('scores that are lowered');
  const v = new Vectors(node, count);
  const { places, scores, flags } = taken(v, cornersOf(v), { most, overlap, least });
  const indices = node.reshape(v.integer(places), [most]);
  const found = node.reshape(v.integer(v.reduce('sum', flags)), []);
  const results = node.results.length > 2 ? [indices, node.reshape(scores, [most]), found] : [indices, found];
  return results.map(activation);
};

const numberOf = (node: NodeContext, position: number, what: string): number =>
  realsOf(node.constant(position, what))[0] ?? 0;

/** Corners may be given in any order. */
function cornersOf(v: Vectors): Corners {
  const { node, count } = v;
  const boxes = node.builder.tensor(realInput(node, 0).id);
  const columns = node.reshape(node.permute(boxes, [1, 0]), [1, 1, 4, count]);
  const row = (i: number): TensorId =>
    node.emit({ kind: 'slice', axis: 2, start: i, inputs: [columns] }, { shape: [1, 1, 1, count] });
  const rows = [0, 1, 2, 3].map(row) as [TensorId, TensorId, TensorId, TensorId];
  const low = [v.binary('min', rows[0], rows[2]), v.binary('min', rows[1], rows[3])] as const;
  const high = [v.binary('max', rows[0], rows[2]), v.binary('max', rows[1], rows[3])] as const;
  const area = v.arithmetic('mul', v.arithmetic('sub', high[0], low[0]), v.arithmetic('sub', high[1], low[1]));
  return { low, high, area };
}

interface Limits {
  readonly most: number;
  readonly overlap: number;
  readonly least: number;
}

/** Vectors of one number for each result: its place, its score, and 1 where there is one. */
function taken(v: Vectors, box: Corners, limits: Limits): { places: TensorId; scores: TensorId; flags: TensorId } {
  const { node, count } = v;
  const given = node.reshape(realInput(node, 1).id, [1, 1, 1, count]);
  const numbers = v.constant(
    Float32Array.from({ length: count }, (_, n) => n),
    'places',
  );
  const table = v.concat(2, [numbers, given, ...box.low, ...box.high, box.area]);
  // What is left: 1, or 0. Scores may be of any sign, so what is gone is put below all of them.
  let left = v.binary('greater', given, v.number(limits.least));
  const gone = v.number(-3.0e38);
  const rows: TensorId[] = [];
  const flags: TensorId[] = [];
  for (let i = 0; i < limits.most; i++) {
    const scores = node.emit({ kind: 'select', inputs: [left, given, gone] });
    const isBest = v.binary('equal', numbers, v.real(v.reduce('argMax', scores)));
    const best = node.emit({ kind: 'matmul', transposeB: true, inputs: [isBest, table] });
    const isFound = v.reduce('max', left);
    flags.push(isFound);
    rows.push(v.arithmetic('mul', v.slice(best, 0, 2), isFound));
    if (i + 1 === limits.most) break;
    left = v.arithmetic(
      'mul',
      v.arithmetic('mul', left, v.unary('not', isBest)),
      staysIn(v, box, best, limits.overlap),
    );
  }
  const all = v.concat(1, rows); // [1, results, 1, 2]
  const column = (start: number): TensorId => v.slice(all, start, 1);
  return { places: column(0), scores: column(1), flags: v.concat(3, flags) };
}

/** 1 for boxes whose intersection with the taken one is less than that share of their union. Two that do not touch share nothing. */
function staysIn(v: Vectors, box: Corners, best: TensorId, overlap: number): TensorId {
  const side = (axis: 0 | 1): TensorId =>
    v.atLeastZero(
      v.arithmetic(
        'sub',
        v.binary('min', box.high[axis], v.slice(best, 4 + axis, 1)),
        v.binary('max', box.low[axis], v.slice(best, 2 + axis, 1)),
      ),
    );
  const common = v.arithmetic('mul', side(0), side(1));
  const both = v.arithmetic('sub', v.arithmetic('add', box.area, v.slice(best, 6, 1)), common);
  const isLittle = v.binary('less', v.binary('div', common, both), v.number(overlap));
  return v.binary('or', isLittle, v.binary('lessOrEqual', common, v.number(0)));
}
