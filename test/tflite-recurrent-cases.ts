/** Small TFLite files of recurrent operators. They have variable tensors, which LiteRT's build for Node does not take. */
import type { FileModel, FileTensor, OptionValue } from './tflite-builder.js';
import { floats, quantised } from './tflite-case-parts.js';

export const STEPS = 3;
export const INPUTS = 4;
export const UNITS = 5;

const GATES = ['i', 'f', 'c', 'o'];

const real = (name: string, shape: number[]): FileTensor => ({ name, type: 'float32', shape });
const constant = (name: string, shape: number[]): FileTensor => ({ ...real(name, shape), data: floats(shape) });
const stateOf = (name: string, units: number): FileTensor => ({ ...real(name, [1, units]), isVariable: true });

/** Tensors of a file in the order in which they are named, and operands by name; '' is left out. */
function fileOf(
  tensors: readonly FileTensor[],
  operands: readonly string[],
  results: readonly string[],
  operator: { code: number; optionsType: number; options: Record<number, OptionValue>; intermediates?: string[] },
): FileModel {
  const place = (name: string): number => tensors.findIndex((tensor) => tensor.name === name);
  const { intermediates = [], ...rest } = operator;
  const inner = intermediates.length > 0 ? { intermediates: intermediates.map(place) } : {};
  const inputs = operands.map(place);
  const outputs = results.map(place);
  return { tensors, operators: [{ ...rest, ...inner, inputs, outputs }], inputs: [0], outputs };
}

const none = (count: number): string[] => new Array<string>(count).fill('');
const named = (prefix: string): string[] => GATES.map((gate) => prefix + gate);
const weights = (side: string): FileTensor[] => [
  ...named(`${side}w`).map((name) => constant(name, [UNITS, INPUTS])),
  ...named(`${side}r`).map((name) => constant(name, [UNITS, UNITS])),
  ...named(`${side}b`).map((name) => constant(name, [UNITS])),
];

/** @param clip of the cell; 0 for none */
export function lstmModel(clip: number): FileModel {
  const tensors = [
    real('x', [1, STEPS, INPUTS]),
    ...weights(''),
    stateOf('h', UNITS),
    stateOf('c', UNITS),
    real('y', [1, STEPS, UNITS]),
  ];
  const operands = ['x', ...named('w'), ...named('r'), ...none(3), ...named('b'), ...none(2), 'h', 'c', ...none(4)];
  const options = { 0: { i8: 4 }, 1: { f32: clip }, 2: { f32: 0 }, 3: { i8: 0 } };
  return fileOf(tensors, operands, ['y'], { code: 44, optionsType: 71, options });
}

export function bidirectionalLstmModel(isMerged: boolean): FileModel {
  const side = (s: string): string[] => [
    ...named(`${s}w`),
    ...named(`${s}r`),
    ...none(3),
    ...named(`${s}b`),
    ...none(2),
  ];
  const states = ['fh', 'fc', 'bh', 'bc'];
  const results = isMerged ? [real('y', [1, STEPS, 2 * UNITS])] : ['fy', 'by'].map((y) => real(y, [1, STEPS, UNITS]));
  const tensors = [
    real('x', [1, STEPS, INPUTS]),
    ...weights('f'),
    ...weights('b'),
    ...states.map((name) => stateOf(name, UNITS)),
    ...results,
  ];
  const operands = ['x', ...side('f'), ...side('b'), ...states, ...none(9)];
  const options = { 0: { i8: 4 }, 1: { f32: 0.7 }, 2: { f32: 0 }, 3: { i8: isMerged ? 1 : 0 }, 4: { i8: 0 } };
  const names = results.map(({ name }) => name);
  return fileOf(tensors, operands, names, { code: 52, optionsType: 69, options });
}

const rnnParts = (side: string): FileTensor[] => [
  constant(`${side}w`, [UNITS, INPUTS]),
  constant(`${side}r`, [UNITS, UNITS]),
  constant(`${side}b`, [UNITS]),
  stateOf(`${side}h`, UNITS),
];
const rnnNames = (side: string): string[] => ['w', 'r', 'b', 'h'].map((name) => side + name);

/** One step, of relu. */
export function rnnModel(): FileModel {
  const tensors = [real('x', [1, INPUTS]), ...rnnParts(''), real('y', [1, UNITS])];
  return fileOf(tensors, ['x', ...rnnNames('')], ['y'], { code: 24, optionsType: 7, options: { 0: { i8: 1 } } });
}

/** Time first, of tanh. */
export function sequenceRnnModel(): FileModel {
  const tensors = [real('x', [STEPS, 1, INPUTS]), ...rnnParts(''), real('y', [STEPS, 1, UNITS])];
  const options = { 0: { i8: 1 }, 1: { i8: 4 } };
  return fileOf(tensors, ['x', ...rnnNames('')], ['y'], { code: 35, optionsType: 31, options });
}

export function bidirectionalRnnModel(isMerged: boolean): FileModel {
  const results = isMerged ? [real('y', [1, STEPS, 2 * UNITS])] : ['fy', 'by'].map((y) => real(y, [1, STEPS, UNITS]));
  const tensors = [real('x', [1, STEPS, INPUTS]), ...rnnParts('f'), ...rnnParts('b'), ...results];
  const options = { 0: { i8: 0 }, 1: { i8: 4 }, 2: { i8: isMerged ? 1 : 0 } };
  const operands = ['x', ...rnnNames('f'), ...rnnNames('b'), ...none(3)];
  const names = results.map(({ name }) => name);
  return fileOf(tensors, operands, names, { code: 46, optionsType: 70, options });
}

/** The model with its matrices of int8 before float32, the same on every call. @param asymmetric the option of operands with a zero point */
export function hybrid(model: FileModel, asymmetric: Record<number, OptionValue> = {}): FileModel {
  const rounded = (tensor: FileTensor, i: number): FileTensor => {
    if (!(tensor.data instanceof Float32Array)) return tensor;
    if (tensor.shape.length < 2)
      return { ...tensor, data: tensor.data.map((_, k) => (((k * 37 + i * 11) % 19) - 9) / 16) };
    const scale = 0.006 + 0.001 * i;
    const data = Int8Array.from(tensor.data, (_, k) => ((k * 73 + i * 101) % 255) - 127);
    return { ...tensor, type: 'int8', scales: [scale], zeroPoints: [0], data };
  };
  const operators = model.operators.map((own) => ({ ...own, options: { ...own.options, ...asymmetric } }));
  return { ...model, tensors: model.tensors.map(rounded), operators };
}

/** Features of int8 before float32. */
export function hybridSvdfModel(asymmetric: number): FileModel {
  const matrix = (name: string, scale: number): FileTensor => ({
    name,
    type: 'int8',
    shape: [6, INPUTS],
    scales: [scale],
    zeroPoints: [0],
    data: Int8Array.from({ length: 6 * INPUTS }, (_, k) => ((k * 73) % 255) - 127),
  });
  const tensors = [
    real('x', [1, INPUTS]),
    matrix('features', 0.01),
    matrix('time', 0.02),
    { ...real('bias', [3]), data: Float32Array.of(0.3, -0.2, 0.1) },
    stateOf('state', 6 * INPUTS),
    real('y', [1, 3]),
  ];
  const options = { 0: { i32: 2 }, 1: { i8: 0 }, 2: { i8: asymmetric } };
  return fileOf(tensors, ['x', 'features', 'time', 'bias', 'state'], ['y'], { code: 27, optionsType: 6, options });
}

/** In integers: zero points of inputs and results, a limited cell. */
export function integerLstmModel(): FileModel {
  const matrices = (prefix: string, columns: number): FileTensor[] =>
    named(prefix).map((name, i) => ({
      ...quantised(name, [UNITS, columns], 0.006 + 0.001 * i),
      data: Int8Array.from({ length: UNITS * columns }, (_, k) => ((k * 73 + columns * 41 + i * 101) % 255) - 127),
    }));
  const biases = named('b').map(
    (name, i): FileTensor => ({
      name,
      type: 'int32',
      shape: [UNITS],
      data: Int32Array.from({ length: UNITS }, (_, k) => 900 * (i - 1) - 350 * k),
    }),
  );
  const tensors = [
    quantised('x', [1, STEPS, INPUTS], 0.02, -11),
    ...matrices('w', INPUTS),
    ...matrices('r', UNITS),
    ...biases,
    { ...quantised('h', [1, UNITS], 0.0075, 4), isVariable: true },
    { ...quantised('c', [1, UNITS], 2 ** -11), type: 'int16', isVariable: true } as const,
    ...['m0', 'm1', 'm2', 'm3'].map((name) => real(name, [0])),
    quantised('m4', [0], 0.0075, 4),
    quantised('y', [1, STEPS, UNITS], 0.0075, 4),
  ];
  const operands = ['x', ...named('w'), ...named('r'), ...none(3), ...named('b'), ...none(2), 'h', 'c', ...none(4)];
  const options = { 0: { i8: 4 }, 1: { f32: 0.9 }, 2: { f32: 0 }, 3: { i8: 0 } };
  const intermediates = ['m0', 'm1', 'm2', 'm3', 'm4'];
  return fileOf(tensors, operands, ['y'], { code: 44, optionsType: 71, options, intermediates });
}
