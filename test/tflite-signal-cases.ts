/** Spectra, and parts of tensors that are replaced: models of a few operators each. */
import type { FileModel, FileTensor } from './tflite-builder.js';
import { act, i8, int32, type Kind, type OperatorCase } from './tflite-case-parts.js';

const RFFT = { code: 131 };
const IMAG = { code: 133 };
const REAL = { code: 134 };
const MAGNITUDE = { code: 135 };
const RESHAPE = { code: 22 };
const MODULO = { code: 95, optionsType: 72 };
const UPDATE = { code: 151 };
const SUB = { code: 41, optionsType: 28, options: { 0: i8(0) } };

const float = (name: string, shape: readonly number[]): FileTensor => ({ name, type: 'float32', shape });
const complex = (name: string, shape: readonly number[]): FileTensor => ({ name, type: 'complex64', shape });

/** Rows of `width` elements, of which `points` are transformed; the parts are made real in each way. */
function spectrum(width: number, points: number): OperatorCase {
  const bins = Math.floor(points / 2) + 1;
  const tensors = [
    float('x', [3, 1, width]),
    int32('length', [2], 1, points),
    complex('transform', [3, 1, bins]),
    int32('shape', [2], 3, bins),
    complex('rows', [3, bins]),
    float('magnitude', [3, bins]),
    float('real', [3, bins]),
    float('imaginary', [3, bins]),
  ];
  const operators = [
    { ...RFFT, inputs: [0, 1], outputs: [2] },
    { ...RESHAPE, inputs: [2, 3], outputs: [4] },
    { ...MAGNITUDE, inputs: [4], outputs: [5] },
    { ...REAL, inputs: [4], outputs: [6] },
    { ...IMAG, inputs: [4], outputs: [7] },
  ];
  const model: FileModel = { tensors, operators, inputs: [0], outputs: [5, 6, 7] };
  return { name: `RFFT2D float32 of ${points} points in ${width}`, model };
}

/** Starts that are known, or computed: from -2 on. */
function update(
  type: Kind,
  whole: readonly number[],
  part: readonly number[],
  starts?: readonly number[],
): OperatorCase {
  const tensors: FileTensor[] = [act('x', type, whole), act('part', type, part), act('y', type, whole)];
  const title = `DYNAMIC_UPDATE_SLICE ${type} [${part}] in [${whole}]`;
  if (starts !== undefined) {
    tensors.push(int32('starts', [starts.length], ...starts));
    const operators = [{ ...UPDATE, inputs: [0, 1, 3], outputs: [2] }];
    return { name: `${title} at ${starts}`, model: { tensors, operators, inputs: [0, 1], outputs: [2] } };
  }
  const given = (name: string): FileTensor => ({ name, type: 'int32', shape: [whole.length] });
  tensors.push(
    given('given'),
    int32('limit', [whole.length], ...whole.map((extent) => extent + 3)),
    given('limited'),
    int32('two', [1], 2),
    given('starts'),
  );
  const operators = [
    { ...MODULO, inputs: [3, 4], outputs: [5] },
    { ...SUB, inputs: [5, 6], outputs: [7] },
    { ...UPDATE, inputs: [0, 1, 7], outputs: [2] },
  ];
  return { name: `${title}, computed`, model: { tensors, operators, inputs: [0, 1, 3], outputs: [2] } };
}

export function signals(): OperatorCase[] {
  return [
    spectrum(64, 64),
    spectrum(30, 32),
    spectrum(40, 16),
    update('float32', [1, 9, 2, 4], [1, 1, 2, 4], [0, 5, 0, 0]),
    update('float32', [1, 9, 2, 4], [1, 3, 1, 4], [0, 8, -2, 0]),
    update('float32', [5, 6], [5, 6], [0, 0]),
    update('float32', [1, 9, 2, 4], [1, 1, 2, 4]),
    update('float32', [1, 9, 2, 4], [1, 4, 2, 4]),
    update('float32', [4, 6, 5], [2, 6, 1]),
    update('int8', [1, 9, 4], [1, 2, 4]),
    update('int8', [1, 9, 4], [1, 2, 4], [0, 3, 0]),
    knownShapes(),
  ];
}

/** What is known of tensors without their elements, and numbers made truths: (x is not 0) + range + rank + zeros, three times. */
function knownShapes(): OperatorCase {
  const shape = [2, 4];
  const tensors: FileTensor[] = [
    float('x', shape),
    { name: 'truth', type: 'bool', shape },
    float('number', shape),
    { name: 'rank', type: 'int32', shape: [] },
    float('real rank', []),
    ...[0, 4, 1].map((value, i) => int32(`range ${i}`, [], value)),
    { name: 'range', type: 'int32', shape: [4] },
    float('real range', [4]),
    float('zeros', shape),
    float('sum 1', shape),
    float('sum 2', shape),
    float('sum 3', shape),
    int32('one shape', [3], 3, 1, 4),
    int32('other shape', [2], 2, 1),
    { name: 'both shapes', type: 'int32', shape: [3] },
    float('y', [3, ...shape]),
  ];
  const add = { code: 0, optionsType: 11, options: { 0: i8(0) } };
  const cast = { code: 53 };
  const operators = [
    { ...cast, inputs: [0], outputs: [1] },
    { ...cast, inputs: [1], outputs: [2] },
    { code: 110, inputs: [0], outputs: [3] },
    { ...cast, inputs: [3], outputs: [4] },
    { code: 96, inputs: [5, 6, 7], outputs: [8] },
    { ...cast, inputs: [8], outputs: [9] },
    { code: 93, inputs: [0], outputs: [10] },
    { ...add, inputs: [2, 9], outputs: [11] },
    { ...add, inputs: [11, 4], outputs: [12] },
    { ...add, inputs: [12, 10], outputs: [13] },
    { code: 145, inputs: [14, 15], outputs: [16] },
    { code: 130, version: 2, inputs: [13, 16], outputs: [17] },
  ];
  return {
    name: 'CAST, RANK, RANGE, ZEROS_LIKE, BROADCAST_ARGS float32',
    model: { tensors, operators, inputs: [0], outputs: [17] },
  };
}
