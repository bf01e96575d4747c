/**
 * Quantised ONNX operators, spelled as QDQ and as QLinear, against onnxruntime with all its optimisations: uint8 to the last
 * bit, int8, which it computes in float32 on x86, within one step.
 */
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { toFloat32 } from '../src/frontend/quantize/to-float32.js';
import { tensorOf } from '../src/ir/facts.js';
import type { Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import {
  encodeModel,
  floats,
  int8s,
  int32s,
  ints,
  node,
  product,
  randomFloats,
  uint8s,
  valueInfo,
} from './onnx-models.js';
import { OnnxRuntime } from './onnxruntime.js';
import { runFloat } from './outside-order.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

type Dims = readonly number[];
const IMAGE: Dims = [1, 4, 9, 10];

interface Quant {
  readonly scale: number;
  readonly zero: number; // of uint8; int8 has 128 less
}
const X: Quant = { scale: 0.0157, zero: 117 };
const Y: Quant = { scale: 0.0231, zero: 131 };
const Z: Quant = { scale: 0.0403, zero: 99 };

/** Builds a graph of quantised values; real inputs are quantised first, results are dequantised. */
class Graph {
  readonly nodes: object[] = [];
  readonly constants: object[] = [];
  readonly inputs: { name: string; dims: Dims }[] = [];
  private seed = 1;

  constructor(readonly dtype: 'uint8' | 'int8') {}

  /** Names of the constants of a scale and a zero point. */
  type(name: string, quant: Quant): [string, string] {
    const zero =
      this.dtype === 'uint8' ? uint8s(`${name}_z`, [], [quant.zero]) : int8s(`${name}_z`, [], [quant.zero - 128]);
    this.constants.push(floats(`${name}_s`, [], [quant.scale]), zero);
    return [`${name}_s`, `${name}_z`];
  }

  /** A quantised input. */
  input(name: string, dims: Dims, quant: Quant): { q: string; type: [string, string] } {
    const type = this.type(name, quant);
    this.inputs.push({ name, dims });
    this.nodes.push(node('QuantizeLinear', [name, ...type], [`${name}_q`]));
    return { q: `${name}_q`, type };
  }

  real(q: string, type: readonly string[]): string {
    this.nodes.push(node('DequantizeLinear', [q, ...type], [`${q}_r${this.nodes.length}`]));
    return `${q}_r${this.nodes.length - 1}`;
  }

  /** A constant, dequantised; elements as uint8 has them. */
  constant(name: string, dims: Dims, quant: Quant, stored: readonly number[]): string {
    const type = this.type(name, quant);
    const array = this.dtype === 'uint8' ? uint8s : int8s;
    this.constants.push(
      array(
        `${name}_c`,
        dims,
        stored.map((v) => (this.dtype === 'uint8' ? v : v - 128)),
      ),
    );
    return this.real(`${name}_c`, type);
  }

  /** int8 weights with a scale per row of axis 0. */
  weights(name: string, dims: Dims): [string, string, string] {
    const rows = dims[0] ?? 1;
    const random = (count: number): Float32Array => randomFloats(count, this.seed++);
    this.constants.push(
      int8s(
        name,
        dims,
        random(product(dims)).map((v) => Math.round(v * 127)),
      ),
      floats(
        `${name}_s`,
        [rows],
        random(rows).map((v) => 0.004 + 0.002 * v),
      ),
      int8s(`${name}_z`, [rows], new Int8Array(rows)),
    );
    return [name, `${name}_s`, `${name}_z`];
  }

  bias(name: string, rows: number): string {
    this.constants.push(
      int32s(
        name,
        [rows],
        randomFloats(rows, this.seed++).map((v) => Math.round(v * 3000)),
      ),
    );
    return name;
  }

  /** y = dequantise(quantise(real result)). */
  result(real: string, quant: Quant): void {
    const type = this.type('y', quant);
    this.nodes.push(
      node('QuantizeLinear', [real, ...type], ['y_q']),
      node('DequantizeLinear', ['y_q', ...type], ['y']),
    );
  }

  model(opset = 13): Uint8Array {
    return encodeModel({
      nodes: this.nodes,
      initializers: this.constants,
      inputs: this.inputs.map(({ name, dims }) => valueInfo(name, dims)),
      outputs: ['y'],
      opset,
    });
  }
}

type Build = (graph: Graph) => void;

/** Between DequantizeLinear and QuantizeLinear. */
const QDQ: Readonly<Record<string, Build>> = {
  'MatMul of activations': (graph) => {
    const a = graph.input('a', [2, 5, 24], X);
    const b = graph.input('b', [2, 24, 7], Y);
    graph.nodes.push(node('MatMul', [graph.real(a.q, a.type), graph.real(b.q, b.type)], ['r']));
    graph.result('r', { scale: 0.09, zero: 120 });
  },
  'MatMul of an activation and its transpose': (graph) => {
    const a = graph.input('a', [1, 6, 16], X);
    graph.nodes.push(
      node('Transpose', [graph.real(a.q, a.type)], ['t'], { perm: [0, 2, 1] }),
      node('MatMul', [graph.real(a.q, a.type), 't'], ['r']),
    );
    graph.result('r', { scale: 0.04, zero: 20 });
  },
  'Conv per channel': (g) => {
    const x = g.input('x', IMAGE, X);
    const [w, s, z] = g.weights('w', [6, 4, 3, 3]);
    g.nodes.push(node('DequantizeLinear', [w, s, z], ['w_r'], { axis: 0 }));
    g.constants.push(floats('b', [6], randomFloats(6, 9)));
    g.nodes.push(node('Conv', [g.real(x.q, x.type), 'w_r', 'b'], ['r'], { pads: [1, 1, 1, 1] }));
    g.result('r', { ...Y, scale: 0.2 });
  },
  'depthwise Conv, Relu': (g) => {
    const x = g.input('x', IMAGE, X);
    const [w, s, z] = g.weights('w', [4, 1, 3, 3]);
    g.nodes.push(node('DequantizeLinear', [w, s, z], ['w_r'], { axis: 0 }));
    g.nodes.push(node('Conv', [g.real(x.q, x.type), 'w_r'], ['c'], { group: 4, strides: [2, 2] }));
    g.nodes.push(node('Relu', ['c'], ['r']));
    g.result('r', { scale: 0.1, zero: 0 });
  },
  'Gemm of a flattened image': (g) => {
    const x = g.input('x', IMAGE, X);
    const [w, s, z] = g.weights('w', [5, 360]);
    g.nodes.push(node('Flatten', [g.real(x.q, x.type)], ['f']));
    g.nodes.push(
      node('QuantizeLinear', ['f', ...x.type], ['f_q']),
      node('DequantizeLinear', ['f_q', ...x.type], ['f_r']),
    );
    g.nodes.push(node('DequantizeLinear', [w, s, z], ['w_r'], { axis: 0 }));
    g.nodes.push(node('Gemm', ['f_r', 'w_r'], ['r'], { transB: 1 }));
    g.result('r', { ...Y, scale: 0.7 });
  },
  Add: (g) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', IMAGE, Y)];
    g.nodes.push(node('Add', [g.real(a.q, a.type), g.real(b.q, b.type)], ['r']));
    g.result('r', Z);
  },
  Mul: (g) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', IMAGE, Y)];
    g.nodes.push(node('Mul', [g.real(a.q, a.type), g.real(b.q, b.type)], ['r']));
    g.result('r', Z);
  },
  'Mul by a gate': (g) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', [1, 4, 1, 1], Y)];
    g.nodes.push(node('Mul', [g.real(a.q, a.type), g.real(b.q, b.type)], ['r']));
    g.result('r', Z);
  },
  'Mul by one number for each row': (g) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', [1, 4, 9, 1], Y)];
    g.nodes.push(node('Mul', [g.real(a.q, a.type), g.real(b.q, b.type)], ['r']));
    g.result('r', Z);
  },
  // Half of the sums lie in the middle between two steps.
  'Add of a constant number': (g) => {
    const x = g.input('x', IMAGE, { scale: 1 / 127.5, zero: 127 });
    const one = g.constant('one', [], { scale: 1 / 255, zero: 0 }, [255]);
    g.nodes.push(node('Add', [g.real(x.q, x.type), one], ['r']));
    g.result('r', { scale: 1 / 127.5, zero: 40 });
  },
  'Add of a constant vector, from the left': (g) => {
    const x = g.input('x', IMAGE, X);
    const vector = g.constant('v', [10], Y, [3, 250, 17, 128, 99, 0, 255, 64, 201, 140]);
    g.nodes.push(node('Add', [vector, g.real(x.q, x.type)], ['r']));
    g.result('r', { ...Z, scale: X.scale });
  },
  'Add of one number for each row, from the left': (g) => {
    const [a, b] = [g.input('x', [1, 4, 9, 1], X), g.input('x1', IMAGE, Y)];
    g.nodes.push(node('Add', [g.real(a.q, a.type), g.real(b.q, b.type)], ['r']));
    g.result('r', { ...Z, scale: X.scale });
  },
  'Mul by a constant': (g) => {
    const x = g.input('x', IMAGE, X);
    const factor = g.constant('f', [4, 1, 1], Y, [3, 250, 17, 128]);
    g.nodes.push(node('Mul', [g.real(x.q, x.type), factor], ['r']));
    g.result('r', Z);
  },
  Softmax: (g) => {
    const x = g.input('x', [6, 31], { scale: 0.031, zero: 127 });
    g.nodes.push(node('Softmax', [g.real(x.q, x.type)], ['r'], { axis: 1 }));
    g.result('r', { scale: 0.00207, zero: 0 });
  },
  'Softmax over channels': (g) => {
    const x = g.input('x', IMAGE, { scale: 0.05, zero: 100 });
    g.nodes.push(node('Softmax', [g.real(x.q, x.type)], ['r'], { axis: 1 }));
    g.result('r', { scale: 0.0036, zero: 3 });
  },
  'Softmax over many classes, which overflows': (g) => {
    const x = g.input('x', [1, 300], { scale: 0.0004, zero: 127 });
    g.nodes.push(node('Softmax', [g.real(x.q, x.type)], ['r'], { axis: 1 }));
    g.result('r', { scale: 0.0035 / 255, zero: 0 });
  },
  'Pad, quantised again, before a Conv': (g) => {
    const x = g.input('x', IMAGE, X);
    const [w, s, z] = g.weights('w', [6, 4, 3, 3]);
    g.constants.push(ints('pads', [0, 0, 1, 2, 0, 0, 0, 1]));
    g.nodes.push(node('Pad', [g.real(x.q, x.type), 'pads'], ['p']), node('QuantizeLinear', ['p', ...x.type], ['p_q']));
    g.nodes.push(node('DequantizeLinear', [w, s, z], ['w_r'], { axis: 0 }));
    g.nodes.push(node('Conv', [g.real('p_q', x.type), 'w_r'], ['r']));
    g.result('r', { ...Y, scale: 0.2 });
  },
  'Pad, quantised again, as a result': (g) => {
    const x = g.input('x', IMAGE, X);
    g.constants.push(ints('pads', [0, 0, 1, 2, 0, 0, 0, 1]));
    g.nodes.push(node('Pad', [g.real(x.q, x.type), 'pads'], ['r']));
    g.result('r', X);
  },
  'Concat of two types': (g) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', IMAGE, Y)];
    g.nodes.push(node('Concat', [g.real(a.q, a.type), g.real(b.q, b.type)], ['r'], { axis: 1 }));
    g.result('r', Z);
  },
  LeakyRelu: (g) => unary(g, 'LeakyRelu', { alpha: { float: 0.1 } }),
  Sigmoid: (g) => unary(g, 'Sigmoid', {}, { scale: 1 / 256, zero: 0 }),
  Clip: (g) => unary(g, 'Clip', {}, Y, [floats('lo', [], [0]), floats('hi', [], [1.1])], ['lo', 'hi']),
  'MaxPool keeps its type': (g) => {
    const x = g.input('x', IMAGE, X);
    g.nodes.push(node('MaxPool', [g.real(x.q, x.type)], ['r'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }));
    g.result('r', X);
  },
  GlobalAveragePool: (g) => unary(g, 'GlobalAveragePool', {}, { ...X, scale: X.scale / 3 }),
  AveragePool: (g) => unary(g, 'AveragePool', { kernel_shape: [2, 3], strides: [2, 2] }, { ...X, scale: X.scale / 2 }),
  'Resize to twice the size': (g) => {
    const x = g.input('x', IMAGE, X);
    g.constants.push(floats('by', [4], [1, 1, 2, 2]));
    const attributes = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
    g.nodes.push(node('Resize', [g.real(x.q, x.type), '', 'by'], ['r'], attributes));
    g.result('r', X);
  },
  'Transpose, Reshape, Slice': (g) => {
    const x = g.input('x', IMAGE, X);
    g.constants.push(ints('shape', [1, 9, 40]), ints('from', [3]), ints('to', [30]), ints('axis', [2]));
    g.nodes.push(node('Transpose', [g.real(x.q, x.type)], ['t'], { perm: [0, 2, 3, 1] }));
    g.nodes.push(node('Reshape', ['t', 'shape'], ['s']), node('Slice', ['s', 'from', 'to', 'axis'], ['r']));
    g.result('r', X);
  },
};

function unary(
  g: Graph,
  op: string,
  attributes: Parameters<typeof node>[3] = {},
  quant = Y,
  constants: object[] = [],
  more: string[] = [],
): void {
  const x = g.input('x', IMAGE, X);
  g.constants.push(...constants);
  g.nodes.push(node(op, [g.real(x.q, x.type), ...more], ['r'], attributes));
  g.result('r', quant);
}

const MS = 'com.microsoft';

/** Operators that carry their quantisation. Their result is y_q, of type Y unless said. */
const QLINEAR: Readonly<Record<string, (g: Graph, y: [string, string]) => void>> = {
  QLinearConv: (g, y) => {
    const x = g.input('x', IMAGE, X);
    const w = g.weights('w', [6, 2, 3, 3]);
    g.nodes.push(node('QLinearConv', [x.q, ...x.type, ...w, ...y, g.bias('b', 6)], ['y_q'], { group: 2 }));
  },
  QLinearMatMul: (g, y) => {
    const x = g.input('x', [1, 5, 8], X);
    g.constants.push(
      int8s(
        'w',
        [8, 7],
        randomFloats(56, 3).map((v) => Math.round(v * 127)),
      ),
    );
    g.constants.push(floats('w_s', [], [0.003]), int8s('w_z', [], [0]));
    g.nodes.push(node('QLinearMatMul', [x.q, ...x.type, 'w', 'w_s', 'w_z', ...y], ['y_q']));
  },
  QGemm: (g, y) => {
    const x = g.input('x', [1, 24], X);
    const w = g.weights('w', [7, 24]);
    g.nodes.push(node('QGemm', [x.q, ...x.type, ...w, g.bias('b', 7), ...y], ['y_q'], { transB: 1 }, MS));
  },
  QLinearAdd: (g, y) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', IMAGE, Z)];
    g.nodes.push(node('QLinearAdd', [a.q, ...a.type, b.q, ...b.type, ...y], ['y_q'], {}, MS));
  },
  QLinearMul: (g, y) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', IMAGE, Z)];
    g.nodes.push(node('QLinearMul', [a.q, ...a.type, b.q, ...b.type, ...y], ['y_q'], {}, MS));
  },
  QLinearConcat: (g, y) => {
    const [a, b] = [g.input('x', IMAGE, X), g.input('x1', IMAGE, Z)];
    g.nodes.push(node('QLinearConcat', [...y, a.q, ...a.type, b.q, ...b.type], ['y_q'], { axis: 1 }, MS));
  },
  QLinearLeakyRelu: (g, y) => qUnary(g, y, 'QLinearLeakyRelu', { alpha: { float: 0.2 } }),
  QLinearSigmoid: (g, y) => qUnary(g, y, 'QLinearSigmoid'),
  QLinearGlobalAveragePool: (g, y) => qUnary(g, y, 'QLinearGlobalAveragePool'),
  QLinearAveragePool: (g, y) => qUnary(g, y, 'QLinearAveragePool', { kernel_shape: [3, 3], strides: [3, 2] }),
};

function qUnary(g: Graph, y: [string, string], op: string, attributes: Parameters<typeof node>[3] = {}): void {
  const x = g.input('x', IMAGE, X);
  g.nodes.push(node(op, [x.q, ...x.type, ...y], ['y_q'], attributes, MS));
}

async function differences(
  model: Uint8Array,
  inputs: Graph['inputs'],
  level: 'all' | 'disabled' = 'all',
): Promise<{ program: Program; steps: number[] }> {
  const feeds = inputs.map(({ name, dims }, i) => ({
    name,
    dims,
    data: randomFloats(product(dims), 50 + i).map((v) => v * 1.9),
  }));
  const program = toFloat32(importOnnx(model, 'quantised.onnx', '.'));
  expect(wellFormed(program)).toEqual([]);
  const got = runFloat(program, new Map(feeds.map((feed) => [feed.name, feed.data]))).get('y');
  const want = (await runtime.run(model, feeds, level)).get('y');
  expect(got?.dims).toEqual(want?.dims);
  const [id] = program.outputs;
  const last = program.ops.find((op) => op.output === id);
  const scale = tensorOf(program, last?.inputs[0] ?? (id as never)).quant?.scales[0] ?? 1;
  const steps = Array.from(want?.data ?? [], (value, i) => Math.abs((got?.data[i] ?? Number.NaN) - value) / scale);
  return { program, steps };
}

/** Everything but the ends of the graph is computed in integers. */
function realOps(program: Program): string[] {
  const [output] = program.outputs;
  return program.ops.flatMap((op) =>
    op.output !== output && tensorOf(program, op.output).dtype === 'float32' ? [`${op.kind} ${op.name}`] : [],
  );
}

describe.each(['uint8', 'int8'] as const)('%s', (dtype) => {
  test.each(Object.keys(QDQ))('QDQ: %s', async (name) => {
    const graph = new Graph(dtype);
    QDQ[name]?.(graph);
    const { program, steps } = await differences(graph.model(), graph.inputs);
    expect(realOps(program)).toEqual([]);
    expect(steps.length).toBeGreaterThan(3);
    expect(Math.max(...steps)).toBeLessThan(dtype === 'uint8' ? 1e-6 : 1.001);
    expect(steps.filter((step) => !(step < 1e-3)).length).toBeLessThanOrEqual(steps.length / 200);
  });

  test.each(Object.keys(QLINEAR))('%s', async (name) => {
    const graph = new Graph(dtype);
    const type = graph.type('y', name === 'QLinearConv' || name === 'QLinearMatMul' ? { ...Y, scale: 0.15 } : Y);
    QLINEAR[name]?.(graph, type);
    graph.nodes.push(node('DequantizeLinear', ['y_q', ...type], ['y']));
    // Turning int8 into uint8, as its optimisations do, the runtime makes operators that it lacks.
    const level = dtype === 'uint8' ? 'all' : 'disabled';
    const { program, steps } = await differences(graph.model(), graph.inputs, level);
    expect(realOps(program)).toEqual([]);
    expect(Math.max(...steps)).toBeLessThan(1e-6);
  });
});

test('an operator without an integer form works on real numbers', async () => {
  const graph = new Graph('uint8');
  const x = graph.input('x', [1, 3, 7], X);
  graph.nodes.push(node('Exp', [graph.real(x.q, x.type)], ['e']), node('Sqrt', ['e'], ['r']));
  graph.result('r', { scale: 0.01, zero: 3 });
  const { program, steps } = await differences(graph.model(), graph.inputs);
  expect(program.ops.map((op) => op.kind)).toEqual(['convert', 'convert', 'unary', 'unary', 'convert', 'convert']);
  expect(Math.max(...steps)).toBeLessThan(1.001);
});
