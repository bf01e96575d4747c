/** Boxes that are found and thrown away. */
import type { FileTensor } from './tflite-builder.js';
import { act, int32, type OperatorCase, one } from './tflite-case-parts.js';

const number = (name: string, value: number): FileTensor => ({
  name,
  type: 'float32',
  shape: [],
  data: Float32Array.of(value),
});
const integers = (name: string, shape: readonly number[]): FileTensor => ({ name, type: 'int32', shape });

/** @param least score of a result */
function suppression(boxes: number, most: number, overlap: number, least: number): OperatorCase[] {
  const operands = [
    act('boxes', 'float32', [boxes, 4]),
    act('scores', 'float32', [boxes]),
    int32('most', [], most),
    number('overlap', overlap),
    number('least', least),
  ];
  const [indices, found] = [integers('indices', [most]), integers('found', [])];
  const name = `${most} of ${boxes}, ${overlap} and ${least}`;
  return [
    one(`NON_MAX_SUPPRESSION_V4 ${name}`, { code: 120, optionsType: 94 }, operands, [indices, found]),
    one(
      `NON_MAX_SUPPRESSION_V5 ${name}`,
      { code: 121, optionsType: 95 },
      [...operands, number('deviation', 0)],
      [indices, act('kept', 'float32', [most]), found],
    ),
  ];
}

export const BOX_CASES: readonly OperatorCase[] = [
  ...suppression(30, 6, 0.3, 0.1),
  ...suppression(12, 10, 0.2, -2),
  ...suppression(5, 4, 0.5, 0.99),
];
