/**
 * Damaged and hostile ONNX files end in diagnostics, never in another error. SPILLWAY_FUZZ_RUNS multiplies the number of damaged
 * files, SPILLWAY_FUZZ_SEED says where they begin.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { MODEL_PROTO } from '../src/frontend/onnx/schema.js';
import { damaged, outcomeOf, random } from './damaged-files.js';
import { BEYOND_CASES } from './onnx-beyond-cases.js';
import { encodeModel, floats, ints, node, valueInfo } from './onnx-models.js';
import { OPERATOR_CASES } from './onnx-operator-cases.js';

jest.setTimeout(3_600_000); // a loaded machine must not fail them

const RUNS = 3 * Number(process.env.SPILLWAY_FUZZ_RUNS ?? 1);
const outcome = (bytes: Uint8Array, folder = '.'): string =>
  outcomeOf(() => importOnnx(bytes, 'hostile.onnx', folder), 'SW20');

const NUMBERS = [-(2 ** 31), -65, -2, -1, 0, 1, 2, 3, 7, 64, 4097, 2 ** 24, 2 ** 31 - 1, 2 ** 40];

type Message = { [key: string]: unknown };

/** Numbers, names and lists of the decoded file changed: what stays a readable file. */
function altered(file: Uint8Array): Uint8Array {
  const model = MODEL_PROTO.toObject(MODEL_PROTO.decode(file), { longs: Number, arrays: true }) as Message;
  const graph = model.graph as Message;
  const nodes = graph.node as Message[];
  const tensors = graph.initializer as Message[];
  const names = nodes.flatMap((one) => [...(one.input as string[]), ...(one.output as string[])]);
  const number = (): number => NUMBERS[random(NUMBERS.length)] ?? 0;
  const pick = <T>(list: readonly T[]): T | undefined => list[random(list.length)];
  for (let left = 1 + random(3); left > 0; left--) {
    const one = pick(nodes);
    const tensor = pick(tensors);
    switch (random(8)) {
      case 0:
        if (one !== undefined) (one.input as string[])[random((one.input as string[]).length)] = pick(names) ?? '';
        break;
      case 1:
        for (const attribute of (one?.attribute as Message[] | undefined) ?? []) {
          const list = attribute.ints as number[];
          if (list.length > 0) list[random(list.length)] = number();
          else if (attribute.type === 2) attribute.i = number();
          else if (attribute.type === 1) attribute.f = [Number.NaN, -1, 0, 1e38][random(4)];
        }
        break;
      case 2:
        if (tensor !== undefined)
          tensor.dims = (tensor.dims as number[]).map((dim) => (random(3) === 0 ? number() : dim));
        break;
      case 3:
        if (tensor !== undefined) tensor.dataType = random(17);
        break;
      case 4: {
        const values = tensor?.int64Data as number[] | undefined;
        if (values !== undefined && values.length > 0) values[random(values.length)] = number();
        break;
      }
      case 5: {
        const type = (pick(graph.input as Message[])?.type as Message | undefined)?.tensorType as Message | undefined;
        const dims = ((type?.shape as Message | undefined)?.dim as Message[] | undefined) ?? [];
        const dim = pick(dims);
        if (dim !== undefined) dim.dimValue = number();
        break;
      }
      case 6:
        if (one !== undefined) one.opType = pick(nodes)?.opType ?? 'Relu';
        break;
      default:
        if (one !== undefined) (one.input as string[]).splice(random((one.input as string[]).length + 1), random(2));
    }
  }
  return MODEL_PROTO.encode(MODEL_PROTO.fromObject(model)).finish();
}

const files = [...OPERATOR_CASES, ...BEYOND_CASES].map(({ model }) => model);

test('bits, bytes and numbers changed', () => {
  for (const file of files) for (let run = 0; run < RUNS; run++) outcome(damaged(file));
});

test('names, attributes, shapes and types changed', () => {
  for (const file of files) for (let run = 0; run < RUNS; run++) outcome(altered(file));
});

describe('claims', () => {
  const relu = node('Relu', ['x'], ['y']);
  const image = valueInfo('x', [1, 4, 5, 6]);
  const claim = (dims: readonly number[], inputs = [image]) =>
    encodeModel({
      nodes: [node('Add', ['x', 'w'], ['y'])],
      initializers: [{ name: 'w', dims, dataType: 1, rawData: new Uint8Array(16) }],
      inputs,
      outputs: ['y'],
    });
  const nested = (depth: number): object => {
    const branch = (name: string, inner: object) => ({
      name,
      type: 5,
      g: { name, node: [inner], output: [{ name: 'y' }] },
    });
    const attribute = [branch('then_branch', depth === 0 ? relu : nested(depth - 1)), branch('else_branch', relu)];
    return { opType: 'If', name: `if${depth}`, input: ['c'], output: ['y'], attribute };
  };
  const yes = { name: 'c', dims: [], dataType: 9, int32Data: [1] };
  const model = (nodes: readonly object[], initializers: readonly object[] = [], inputs: readonly object[] = [image]) =>
    encodeModel({ nodes, initializers, inputs, outputs: ['y'] });
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['4 GiB of weights in a file of 100 bytes', claim([1024, 1024, 1024]), 'SW2010'],
    ['a dimension of 2^62', claim([2 ** 62]), 'SW2004'],
    ['elements of 2^53 dimensions times nothing', claim([2 ** 52, 0]), 'SW2004'],
    ['an input of a terabyte', model([relu], [], [valueInfo('x', [1, 2 ** 20, 2 ** 20, 1])]), 'SW2010'],
    ['a negative dimension', model([relu], [], [valueInfo('x', [1, -7, 2])]), 'SW2006'],
    ['an input without a shape', model([relu], [], [{ name: 'x', type: { tensorType: { elemType: 1 } } }]), 'SW2006'],
    ['a cycle', model([node('Add', ['x', 'y'], ['z']), node('Relu', ['z'], ['y'])]), 'SW2003'],
    ['a value made twice', model([relu, node('Abs', ['x'], ['y'])]), 'SW2003'],
    ['a repeat of 2^40', model([node('Tile', ['x', 'r'], ['y'])], [ints('r', [1, 1, 1, 2 ** 40])]), 'SW2010'],
    ['padding by 2^40', model([node('Pad', ['x', 'p'], ['y'])], [ints('p', [0, 0, 2 ** 40, 0, 0, 0, 0, 0])]), 'SW2005'],
    [
      'a Range without an end',
      model(
        [node('Range', ['a', 'b', 'd'], ['r']), node('Add', ['x', 'r'], ['y'])],
        [floats('a', [], [0]), floats('b', [], [1]), floats('d', [], [0])],
      ),
      'SW2004',
    ],
    ['If, twenty deep', model([nested(20)], [yes]), 'SW2010'],
    [
      'a scale of 0',
      model(
        [node('QuantizeLinear', ['x', 's', 'z'], ['y'])],
        [floats('s', [], [0]), { name: 'z', dims: [], dataType: 2, int32Data: [0] }],
      ),
      'SW2007',
    ],
  ];
  test.each(cases)('%s', (_name, file, code) => {
    expect(outcome(file).split(' ')).toContain(code);
  });

  test('external data that is shorter than it says, or elsewhere', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
    try {
      writeFileSync(join(folder, 'w.bin'), new Uint8Array(64));
      for (const [location, offset, length] of [
        ['w.bin', '0', '480'],
        ['w.bin', '60', '16'],
        ['w.bin', '-4', '16'],
        ['w.bin', '99999999999999999999', '16'],
        ['../w.bin', '0', '16'],
        ['none.bin', '0', '16'],
      ]) {
        const externalData = [
          { key: 'location', value: location },
          { key: 'offset', value: offset },
          { key: 'length', value: length },
        ];
        const w = { name: 'w', dims: [1, 4, 5, 6], dataType: 1, dataLocation: 1, externalData };
        expect(outcome(model([node('Add', ['x', 'w'], ['y'])], [w]), folder)).toMatch(/SW20(04|09)/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
