/** What imported programs look like: layouts, folding, diagnostics, and files that mean harm. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { type Diagnostic, SpillwayError } from '../src/base/diagnostic.js';
import { importOnnx, loadOnnx } from '../src/frontend/onnx/load-onnx.js';
import { tensorOf } from '../src/ir/facts.js';
import type { Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import {
  encodeModel,
  floats,
  int8s,
  ints,
  type ModelSpec,
  node,
  product,
  randomFloats,
  valueInfo,
} from './onnx-models.js';
import { OPERATOR_CASES } from './onnx-operator-cases.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const X = valueInfo('x', [1, 4, 5, 6]);
const weights = (name: string, dims: readonly number[]): object => floats(name, dims, randomFloats(product(dims), 3));

function importModel(spec: Partial<ModelSpec>): Program {
  return importOnnx(encodeModel({ nodes: [], inputs: [X], outputs: ['y'], ...spec }), 'net.onnx', '.');
}

function problemsOf(run: () => unknown): readonly Diagnostic[] {
  try {
    run();
  } catch (error) {
    if (error instanceof SpillwayError) return error.diagnostics;
    throw error;
  }
  return [];
}

const codesOf = (spec: Partial<ModelSpec>): string[] => problemsOf(() => importModel(spec)).map((d) => d.code);
const kindsOf = (program: Program): string[] => program.ops.map((op) => op.kind);

describe('layouts', () => {
  const conv = node('Conv', ['x', 'w'], ['c']);
  const w6 = weights('w', [6, 4, 1, 1]);

  test('images are stored channels last and keep the order of the model outside', () => {
    const program = importModel({ nodes: [node('Relu', ['x'], ['y'])] });
    expect(program.inputs.concat(program.outputs).map((id) => tensorOf(program, id))).toMatchObject([
      { name: 'x', shape: [1, 5, 6, 4], outsideAxes: [0, 3, 1, 2] },
      { name: 'y', shape: [1, 5, 6, 4], outsideAxes: [0, 3, 1, 2] },
    ]);
  });

  test('the Transpose and Reshape of a detector head move nothing', () => {
    const head = [conv, node('Transpose', ['c'], ['t'], { perm: [0, 2, 3, 1] }), node('Reshape', ['t', 's'], ['y'])];
    const program = importModel({ nodes: head, initializers: [w6, ints('s', [1, -1, 2])] });
    expect(kindsOf(program)).toEqual(['conv2d']);
    const [output] = program.outputs.map((id) => tensorOf(program, id));
    expect(output).toMatchObject({ name: 'y', shape: [1, 5, 6, 6], outsideShape: [1, 90, 2] });
    expect(output?.outsideAxes).toBeUndefined();
  });

  test('a channel shuffle is one transpose of two axes', () => {
    const program = importModel({
      nodes: [
        conv,
        node('Reshape', ['c', 's5'], ['r']),
        node('Transpose', ['r'], ['t'], { perm: [0, 2, 1, 3, 4] }),
        node('Reshape', ['t', 's4'], ['u']),
        node('Conv', ['u', 'v'], ['y'], { group: 3 }),
      ],
      initializers: [w6, ints('s5', [1, 2, 3, 5, 6]), ints('s4', [1, 6, 5, 6]), weights('v', [3, 2, 1, 1])],
    });
    expect(kindsOf(program)).toEqual(['conv2d', 'reshape', 'transpose', 'reshape', 'conv2d']);
    const move = program.ops[2];
    expect(move).toMatchObject({ perm: [0, 1, 3, 2] });
    expect(move && tensorOf(program, move.output).shape).toEqual([1, 30, 3, 2]);
  });

  test('the matrix after Flatten has its columns moved instead of the image', () => {
    const program = importModel({
      nodes: [node('Flatten', ['x'], ['f']), node('Gemm', ['f', 'w'], ['y'], { transB: 1 })],
      initializers: [
        floats(
          'w',
          [1, 120],
          Array.from({ length: 120 }, (_, i) => i),
        ),
      ],
    });
    expect(kindsOf(program)).toEqual(['reshape', 'dense']);
    const [matrix] = [...program.constants.values()];
    // Stored position (h, w, c) holds the model's column c * 30 + h * 6 + w.
    expect(Array.from(matrix ?? []).slice(0, 6)).toEqual([0, 30, 60, 90, 1, 31]);
  });

  test('a model of channels-last images needs no transpose', () => {
    const program = importModel({
      inputs: [valueInfo('x', [1, 5, 6, 4])],
      nodes: [node('Transpose', ['x'], ['t'], { perm: [0, 3, 1, 2] }), node('Conv', ['t', 'w'], ['y'])],
      initializers: [w6],
    });
    expect(kindsOf(program)).toEqual(['conv2d']);
    expect(program.inputs.map((id) => tensorOf(program, id).outsideAxes)).toEqual([undefined]);
  });

  test('two outputs of one tensor are two tensors', () => {
    const program = importModel({
      nodes: [node('Relu', ['x'], ['y']), node('Identity', ['y'], ['z'])],
      outputs: ['y', 'z'],
    });
    expect(kindsOf(program)).toEqual(['clamp', 'copy']);
    expect(program.outputs.map((id) => tensorOf(program, id).name)).toEqual(['y', 'z']);
    expect(wellFormed(program)).toEqual([]);
  });
});

describe('folding', () => {
  const norm = node('BatchNormalization', ['c', 'g', 'b', 'm', 'v'], ['n']);
  const vectors = ['g', 'b', 'm'].map((name) => weights(name, [2])).concat(floats('v', [2], [1, 2]));
  const layer = [node('Conv', ['x', 'w'], ['c']), norm];
  const initializers = [weights('w', [2, 4, 1, 1]), ...vectors];

  test('BatchNormalization goes into the convolution before it', () => {
    const program = importModel({ nodes: [...layer, node('Relu', ['n'], ['y'])], initializers });
    expect(kindsOf(program)).toEqual(['conv2d', 'clamp']);
  });

  test('but not when the convolution has another reader', () => {
    const program = importModel({ nodes: [...layer, node('Add', ['n', 'c'], ['y'])], initializers });
    expect(kindsOf(program)).toEqual(['conv2d', 'conv2d', 'add']);
    expect(program.ops[1]).toMatchObject({ groups: 2, window: { kernel: [1, 1] } });
  });

  test('weights that are int8 times a scale stay int8', () => {
    const program = importModel({
      nodes: [node('Cast', ['q'], ['f'], { to: 1 }), node('Mul', ['f', 's'], ['w']), node('Conv', ['x', 'w'], ['y'])],
      initializers: [int8s('q', [2, 4, 1, 1], [1, 2, 3, 4, -5, -6, -7, -128]), floats('s', [2, 1, 1, 1], [0.5, 0.25])],
    });
    const [id, data] = [...program.constants][0] ?? [];
    expect(data).toEqual(Int8Array.from([1, 2, 3, 4, -5, -6, -7, -128]));
    expect(id !== undefined && tensorOf(program, id)).toMatchObject({ dtype: 'int8', quant: { scales: [0.5, 0.25] } });
  });

  test('an open batch is one', () => {
    const program = importModel({ inputs: [valueInfo('x', ['N', 4, 5, 6])], nodes: [node('Relu', ['x'], ['y'])] });
    expect(program.inputs.map((id) => tensorOf(program, id).shape)).toEqual([[1, 5, 6, 4]]);
  });

  test('external data is read from the folder of the model, and only from there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-onnx-'));
    const entry = (location: string): object => ({
      name: 'w',
      dims: [1, 4, 1, 1],
      dataType: 1,
      dataLocation: 1,
      externalData: Object.entries({ location, offset: '4' }).map(([key, value]) => ({ key, value })),
    });
    const model = (location: string): Uint8Array =>
      encodeModel({
        nodes: [node('Conv', ['x', 'w'], ['y'])],
        inputs: [X],
        outputs: ['y'],
        initializers: [entry(location)],
      });
    try {
      writeFileSync(join(folder, 'w.bin'), Buffer.from(Float32Array.of(9, 1, 2, 3, 4).buffer));
      writeFileSync(join(folder, 'net.onnx'), model('w.bin'));
      expect([...loadOnnx(join(folder, 'net.onnx')).constants.values()][0]).toEqual(Float32Array.of(1, 2, 3, 4));
      for (const location of ['gone.bin', '../w.bin', '/etc/hostname', '']) {
        expect(problemsOf(() => importOnnx(model(location), 'net.onnx', folder)).map((d) => d.code)).toEqual([
          'SW2009',
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('what is not supported', () => {
  test('one diagnostic lists every unsupported node, known or not', () => {
    const problems = problemsOf(() =>
      importModel({
        nodes: [
          node('StringNormalizer', ['x'], ['a']),
          node('Relu', ['a'], ['b']),
          node('StringNormalizer', ['b'], ['c']),
          node('Resize', ['x', '', 's'], ['d'], { mode: 'spline' }),
          node('Mystery', ['c', 'd'], ['y'], {}, 'com.example'),
        ],
        initializers: [floats('s', [4], [1, 1, 2, 2])],
      }),
    );
    expect(problems.map(({ code, blame, message }) => ({ code, blame, message }))).toEqual([
      {
        code: 'SW2005',
        blame: 'unsupported',
        message:
          "4 node(s) not supported: StringNormalizer (a_StringNormalizer, c_StringNormalizer); Resize, mode 'spline' (d_Resize); com.example::Mystery (y_Mystery)",
      },
    ]);
  });

  test('operators that no output needs do not matter', () => {
    expect(codesOf({ nodes: [node('StringNormalizer', ['x'], ['a']), node('Relu', ['x'], ['y'])] })).toEqual([]);
  });

  test('open dimensions are named', () => {
    const problems = problemsOf(() =>
      importModel({ inputs: [valueInfo('x', ['N', 3, 'height', 'width'])], nodes: [node('Relu', ['x'], ['y'])] }),
    );
    expect(problems).toMatchObject([{ code: 'SW2006', blame: 'model' }]);
    expect(problems[0]?.message).toContain('height, width');
  });

  const _pad = node('Pad', ['x', 'p'], ['q']);
  const _p = ints('p', [0, 0, 1, 1, 0, 0, 1, 1]);
  test.each([
    ['an input of text', { inputs: [valueInfo('x', [1, 4], 8)], nodes: [node('Relu', ['x'], ['y'])] }, 'SW2008'],
    [
      'a rounding that nobody knows',
      {
        nodes: [node('Resize', ['x', '', 's'], ['y'], { nearest_mode: 'up' })],
        initializers: [floats('s', [4], [1, 1, 2, 2])],
      },
      'SW2005',
    ],
    [
      'a batch of hundreds inside the graph',
      {
        inputs: [valueInfo('x', [200, 4, 5, 6])],
        nodes: [node('Conv', ['x', 'w'], ['y'])],
        initializers: [weights('w', [1, 4, 1, 1])],
      },
      'SW2005',
    ],
    [
      'a loop whose end depends on data',
      {
        nodes: [
          node('Cast', ['x'], ['n'], { to: 7 }),
          node('Loop', ['n', '', 'x'], ['y'], {
            body: {
              graph: {
                node: [node('Identity', ['c'], ['d']), node('Relu', ['h'], ['r'])],
                input: [valueInfo('i', [], 7), valueInfo('c', [], 9), valueInfo('h', [1, 4, 5, 6])],
                output: [valueInfo('d', [], 9), valueInfo('r', [1, 4, 5, 6])],
              },
            },
          }),
        ],
      },
      'SW2005',
    ],
  ] satisfies [string, Partial<ModelSpec>, string][])('%s', (_name, spec, code) => {
    expect(codesOf(spec)).toEqual([code]);
  });
});

describe('files that are wrong', () => {
  const relu = node('Relu', ['x'], ['y']);
  const conv = node('Conv', ['x', 'w'], ['y']);
  const reshape = (dims: readonly number[]): Partial<ModelSpec> => ({
    nodes: [node('ConstantOfShape', ['s'], ['w']), conv],
    initializers: [ints('s', dims)],
  });
  test.each([
    [
      'a cycle',
      { nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])] },
      'SW2003',
    ],
    ['an input from nowhere', { nodes: [node('Add', ['x', 'gone'], ['y'])] }, 'SW2003'],
    ['an output from nowhere', { nodes: [relu], outputs: ['gone'] }, 'SW2003'],
    ['no outputs', { nodes: [relu], outputs: [] }, 'SW2003'],
    ['a value defined twice', { nodes: [relu, node('Sigmoid', ['x'], ['y'])] }, 'SW2003'],
    [
      'data of the wrong size',
      { nodes: [conv], initializers: [{ name: 'w', dims: [1, 4, 1, 1], dataType: 1, rawData: new Uint8Array(15) }] },
      'SW2004',
    ],
    [
      'too few typed elements',
      { nodes: [conv], initializers: [{ name: 'w', dims: [1, 4, 1, 1], dataType: 1, floatData: [1, 2] }] },
      'SW2004',
    ],
    [
      'a negative dimension',
      { nodes: [conv], initializers: [{ name: 'w', dims: [-1, 4, 1, 1], dataType: 1 }] },
      'SW2004',
    ],
    [
      'a huge initializer',
      { nodes: [conv], initializers: [{ name: 'w', dims: [1e6, 1e6, 1e6, 1], dataType: 1 }] },
      'SW2010',
    ],
    ['a huge ConstantOfShape', reshape([100000, 4, 1000, 1000]), 'SW2010'],
    ['a negative ConstantOfShape', reshape([-3, 4, 1, 1]), 'SW2004'],
    ['a huge input', { inputs: [valueInfo('x', [1, 65536, 65536, 65536])], nodes: [relu] }, 'SW2010'],
    ['weights that do not fit', { nodes: [conv], initializers: [weights('w', [1, 3, 1, 1])] }, 'SW2007'],
    ['a window larger than the image', { nodes: [conv], initializers: [weights('w', [1, 4, 9, 9])] }, 'SW2007'],
    [
      'an attribute of the wrong type',
      { nodes: [node('Conv', ['x', 'w'], ['y'], { group: 'two' })], initializers: [weights('w', [1, 4, 1, 1])] },
      'SW2007',
    ],
    [
      'a reshape to another size',
      { nodes: [node('Reshape', ['x', 's'], ['y'])], initializers: [ints('s', [7, -1])] },
      'SW2007',
    ],
    ['an axis that is not there', { nodes: [node('Softmax', ['x'], ['y'], { axis: 9 })] }, 'SW2007'],
    ['an operand too few', { nodes: [node('Conv', ['x'], ['y'])] }, 'SW2007'],
  ] satisfies [string, Partial<ModelSpec>, string][])('%s', (_name, spec, code) => {
    expect(codesOf(spec)).toEqual([code]);
  });

  test('a file that is not there, an empty one and text', () => {
    const codes = (run: () => unknown): string[] => problemsOf(run).map((d) => d.code);
    expect(codes(() => loadOnnx('no/such.onnx'))).toEqual(['SW2001']);
    expect(codes(() => importOnnx(new Uint8Array(0), 'empty.onnx', '.'))).toEqual(['SW2002']);
    expect(codes(() => importOnnx(Buffer.from('# a text file\n'), 'text.onnx', '.'))).toEqual(['SW2001']);
  });

  test('a chain of ten thousand nodes is no deeper than one', () => {
    const nodes = Array.from({ length: 10000 }, (_, i) => node('Identity', [i === 0 ? 'k' : `v${i}`], [`v${i + 1}`]));
    const fold = Array.from({ length: 2000 }, (_, i) => node('Neg', [i === 0 ? 'v10000' : `n${i}`], [`n${i + 1}`]));
    const program = importModel({
      nodes: [...nodes, ...fold, node('Conv', ['x', 'n2000'], ['y'])],
      initializers: [weights('k', [2000, 4, 1, 1])],
    });
    expect(kindsOf(program)).toEqual(['conv2d']);
  });
});

describe('damaged files', () => {
  /** Whatever becomes of it, an import ends in a sound program or in diagnostics. */
  function expectHandled(bytes: Uint8Array): void {
    let program: Program;
    try {
      program = importOnnx(bytes, 'damaged.onnx', '.');
    } catch (error) {
      expect(error).toBeInstanceOf(SpillwayError);
      return;
    }
    expect(wellFormed(program)).toEqual([]);
  }

  test('cut short anywhere', () => {
    const model = OPERATOR_CASES.find((c) => c.name === 'channel shuffle')?.model ?? new Uint8Array(0);
    expect(model.length).toBeGreaterThan(400);
    for (let length = 0; length < model.length; length++) {
      const problems = problemsOf(() => importOnnx(model.slice(0, length), 'cut.onnx', '.'));
      expect(problems).toHaveLength(1);
      expect(['SW2001', 'SW2002']).toContain(problems[0]?.code);
    }
  });

  test('with flipped bits and overwritten bytes', () => {
    for (const [index, { model }] of OPERATOR_CASES.entries()) {
      const draws = randomFloats(48, index + 1);
      for (let i = 0; i < draws.length; i += 2) {
        const damaged = Uint8Array.from(model);
        const at = Math.floor((((draws[i] ?? 0) + 1) / 2) * model.length);
        const change = Math.floor((((draws[i + 1] ?? 0) + 1) / 2) * 256);
        damaged[at] = i % 4 === 0 ? change : (damaged[at] ?? 0) ^ (1 << (change & 7));
        expectHandled(damaged);
      }
    }
  });
});
