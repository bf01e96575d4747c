/**
 * The operators that carry their quantisation as operands (QLinearConv, QGemm, com.microsoft's QLinear...) spelled out as
 * DequantizeLinear, the plain operator, QuantizeLinear: what they mean, and what the importer makes integer layers of.
 *
 *     y = QLinearConv(x, xs, xz, w, ws, wz, ys, yz, b)
 *     x' = DequantizeLinear(x, xs, xz)   w' = DequantizeLinear(w, ws, wz) axis 0   s = Mul(xs, ws)   b' = DequantizeLinear(b, s) axis 0
 *     y' = Conv(x', w', b')              y = QuantizeLinear(y', ys, yz)
 */
import type { OnnxNode } from './graph.js';
import type { AttributeMessage } from './schema.js';

type Expansion = (from: Expander) => void;

/** com.microsoft's names, without the domain, to the operator between the conversions; one quantised operand, then its result. */
const UNARY: ReadonlyMap<string, string> = new Map([
  ['QLinearLeakyRelu', 'LeakyRelu'],
  ['QLinearSigmoid', 'Sigmoid'],
  ['QLinearSoftmax', 'Softmax'],
  ['QLinearAveragePool', 'AveragePool'],
  ['QLinearGlobalAveragePool', 'GlobalAveragePool'],
  ['QLinearReduceMean', 'ReduceMean'],
]);

const EXPANSIONS: ReadonlyMap<string, Expansion> = new Map<string, Expansion>([
  ['QLinearConv', expandConv],
  ['QLinearMatMul', expandMatMul],
  ['com.microsoft::QGemm', expandGemm],
  ['com.microsoft::QLinearAdd', (from) => expandBinary(from, 'Add')],
  ['com.microsoft::QLinearMul', (from) => expandBinary(from, 'Mul')],
  ['com.microsoft::QLinearConcat', expandConcat],
  ...[...UNARY].map(([name, plain]): [string, Expansion] => [
    `com.microsoft::${name}`,
    (from) => from.result(plain, [from.dequantize(0)], from.input(3), from.input(4)),
  ]),
  ['com.microsoft::QuantizeLinear', (from) => from.same('QuantizeLinear')],
  ['com.microsoft::DequantizeLinear', (from) => from.same('DequantizeLinear')],
  ['com.microsoft::Gelu', (from) => from.same('Gelu')],
  ['com.microsoft::DynamicQuantizeMatMul', expandDynamicQuantizeMatMul],
  [
    'com.microsoft::MatMulIntegerToFloat',
    (from) => expandScaledProduct(from, { a: from.input(0), scaleA: from.input(2), zeroA: from.input(4) }, [3, 5, 6]),
  ],
  ['com.microsoft::FusedConv', expandFusedConv],
  ['com.microsoft::FusedGemm', expandFusedGemm],
  ['com.microsoft::BiasGelu', (from) => from.last('Gelu', [from.plain('Add', [from.input(0), from.input(1)])])],
  ['com.microsoft::SkipLayerNormalization', expandSkipLayerNormalization],
  ['com.microsoft::FusedMatMul', expandFusedMatMul],
]);

export function expandQuantized(nodes: readonly OnnxNode[]): OnnxNode[] {
  return nodes.flatMap((node) => {
    const expand = EXPANSIONS.get(node.operator);
    if (expand === undefined) return [node];
    const expander = new Expander(node);
    expand(expander);
    return expander.nodes;
  });
}

/** Makes the nodes that stand for one. */
class Expander {
  readonly nodes: OnnxNode[] = [];

  constructor(readonly node: OnnxNode) {}

  input(position: number): string {
    return this.node.inputs[position] ?? '';
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  private emit(
    operator: string,
    inputs: readonly string[],
    what: string,
    attributes: ReadonlyMap<string, AttributeMessage> = new Map(),
  ): string {
    const { node } = this;
    const output = `${node.outputs[0] ?? node.name}:${what}`;
    this.nodes.push({
      name: `${node.name}:${what}`,
      operator,
      inputs,
      outputs: [output],
      attributes,
      captured: [],
      loc: node.loc,
    });
    return output;
  }

  /** The operand at `position`, whose scale and zero point are the two operands after it. */
  dequantize(position: number, axis?: number): string {
    const operands = [position, position + 1, position + 2].map((at) => this.input(at));
    return this.dequantizeBy(operands, `real${position}`, axis);
  }

  dequantizeBy(operands: readonly string[], what: string, axis?: number): string {
    const attributes = axis === undefined ? [] : [['axis', { name: 'axis', i: axis, type: 2 }] as const];
    return this.emit('DequantizeLinear', operands, what, new Map(attributes));
  }

  product(a: string, b: string): string {
    return this.emit('Mul', [a, b], 'scale');
  }

  /** The plain operator with the node's attributes, quantised; in float where there is no scale. */
  result(operator: string, inputs: readonly string[], scale: string, zero: string): void {
    const { node } = this;
    const { name, loc, outputs } = node;
    const attributes = node.attributes;
    if (scale === '') {
      this.nodes.push({ name, operator, inputs, outputs, attributes, captured: [], loc });
      return;
    }
    const real = this.emit(operator, inputs, 'real', attributes);
    this.nodes.push({
      name,
      operator: 'QuantizeLinear',
      inputs: [real, scale, zero],
      outputs,
      attributes: new Map(),
      captured: [],
      loc,
    });
  }

  /** A plain operator on the way, with the node's attributes if it is asked for. */
  plain(operator: string, inputs: readonly string[], attributes?: ReadonlyMap<string, AttributeMessage>): string {
    return this.emit(operator, inputs, `${operator}${this.nodes.length}`, attributes);
  }

  /** An operator of several results. */
  several(operator: string, inputs: readonly string[], count: number): string[] {
    const { name, loc, outputs: own } = this.node;
    const outputs = Array.from({ length: count }, (_, i) => `${own[0] ?? name}:${operator}${i}`);
    this.nodes.push({
      name: `${name}:${operator}`,
      operator,
      inputs,
      outputs,
      attributes: new Map(),
      captured: [],
      loc,
    });
    return outputs;
  }

  /** The last operator, which makes the node's results. */
  last(
    operator: string,
    inputs: readonly string[],
    attributes: ReadonlyMap<string, AttributeMessage> = new Map(),
  ): void {
    const { name, outputs, loc } = this.node;
    this.nodes.push({ name, operator, inputs, outputs: outputs.slice(0, 1), attributes, captured: [], loc });
  }

  /** An operator whose result has a name in the file. */
  named(operator: string, inputs: readonly string[], output: string): void {
    const { name, loc } = this.node;
    this.nodes.push({ name, operator, inputs, outputs: [output], attributes: new Map(), captured: [], loc });
  }

  attribute(name: string): AttributeMessage | undefined {
    return this.node.attributes.get(name);
  }

  /** The node under another operator's name. */
  same(operator: string): void {
    this.nodes.push({ ...this.node, operator });
  }
}

function expandConv(from: Expander): void {
  const [x, w] = [from.dequantize(0), from.dequantize(3, 0)];
  const bias = from.input(8);
  const operands = bias === '' ? [x, w] : [x, w, realBias(from, bias, from.input(1), from.input(4))];
  from.result('Conv', operands, from.input(6), from.input(7));
}

/** int32 biases have the scale of the products. */
function realBias(from: Expander, bias: string, scaleX: string, scaleW: string): string {
  return from.dequantizeBy([bias, from.product(scaleX, scaleW)], 'bias', 0);
}

function expandMatMul(from: Expander): void {
  from.result('MatMul', [from.dequantize(0), from.dequantize(3, -1)], from.input(6), from.input(7));
}

function expandGemm(from: Expander): void {
  const isTransposed = Number(from.node.attributes.get('transB')?.i ?? 0) !== 0;
  const [a, b] = [from.dequantize(0), from.dequantize(3, isTransposed ? 0 : 1)];
  const bias = from.input(6);
  const operands = bias === '' ? [a, b] : [a, b, realBias(from, bias, from.input(1), from.input(4))];
  from.result('Gemm', operands, from.input(7), from.input(8));
}

function expandBinary(from: Expander, operator: string): void {
  from.result(operator, [from.dequantize(0), from.dequantize(3)], from.input(6), from.input(7));
}

/** Operands are the scale and zero point of the result, then three for each part. */
function expandConcat(from: Expander): void {
  const parts: string[] = [];
  for (let position = 2; position < from.inputCount; position += 3) parts.push(from.dequantize(position));
  from.result('Concat', parts, from.input(0), from.input(1));
}

/** A convolution, what is added to it, and its activation. */
function expandFusedConv(from: Expander): void {
  const activation = Buffer.from(from.attribute('activation')?.s ?? []).toString();
  const own = new Map([...from.node.attributes].filter(([name]) => !name.startsWith('activation')));
  const [alpha, beta] = from.attribute('activation_params')?.floats ?? [];
  const number = (name: string, f: number | undefined): [string, AttributeMessage][] =>
    f === undefined ? [] : [[name, { name, f, type: 1 }]];
  const isClip = activation === 'Clip';
  const parameters = new Map([...number(isClip ? 'min' : 'alpha', alpha), ...number(isClip ? 'max' : 'beta', beta)]);
  const operands = [0, 1, 2].map((position) => from.input(position)).filter((name) => name !== '');
  const sum = from.input(3);
  if (activation === '' && sum === '') from.last('Conv', operands, own);
  else {
    const conv = from.plain('Conv', operands, own);
    if (activation === '') from.last('Add', [conv, sum]);
    else from.last(activation, [sum === '' ? conv : from.plain('Add', [conv, sum])], parameters);
  }
}

/** Gemm and its activation. */
function expandFusedGemm(from: Expander): void {
  const activation = Buffer.from(from.attribute('activation')?.s ?? []).toString();
  const own = new Map([...from.node.attributes].filter(([name]) => !name.startsWith('activation')));
  const operands = [0, 1, 2].map((position) => from.input(position)).filter((name) => name !== '');
  if (activation === '') {
    from.last('Gemm', operands, own);
    return;
  }
  const alpha = from.attribute('activation_alpha');
  const beta = from.attribute('activation_beta');
  const parameters = new Map([
    ...(alpha === undefined ? [] : [['alpha', { ...alpha, name: 'alpha' }] as const]),
    ...(beta === undefined ? [] : [['beta', { ...beta, name: 'beta' }] as const]),
  ]);
  from.last(activation, [from.plain('Gemm', operands, own)], parameters);
}

/** x + skip, with a bias if there is one, normalised over the last axis. */
function expandSkipLayerNormalization(from: Expander): void {
  const sum = from.plain('Add', [from.input(0), from.input(1)]);
  const biased = from.input(4) === '' ? sum : from.plain('Add', [sum, from.input(4)]);
  const epsilon = from.attribute('epsilon') ?? { name: 'epsilon', f: 1e-12, type: 1 }; // not LayerNormalization's own
  const attributes = new Map([['epsilon', epsilon]]);
  const operands = [biased, from.input(2), from.input(3)].filter((name) => name !== '');
  const whole = from.node.outputs[3] ?? '';
  if (whole !== '') from.named('Identity', [biased], whole);
  from.last('LayerNormalization', operands, attributes);
}

/** A product of transposed operands, times alpha: for matrices what Gemm is. */
function expandFusedMatMul(from: Expander): void {
  const given = from.node.attributes;
  const isPlain = !['transA', 'transB', 'transBatchA', 'transBatchB'].some(
    (name) => Number(given.get(name)?.i ?? 0) !== 0,
  );
  const operands = [from.input(0), from.input(1)];
  if (isPlain && (given.get('alpha')?.f ?? 1) === 1) from.last('MatMul', operands);
  else from.same('com.microsoft::FusedMatMul'); // transposed by its shapes, which are not known here
}

/** The operand is brought to 8 bits while the model runs. */
function expandDynamicQuantizeMatMul(from: Expander): void {
  const [a = '', scaleA = '', zeroA = ''] = from.several('DynamicQuantizeLinear', [from.input(0)], 3);
  expandScaledProduct(from, { a, scaleA, zeroA }, [2, 3, 4]);
}

/** A product of integers as real numbers. @param at operands: scale and zero point of the weights, bias */
function expandScaledProduct(
  from: Expander,
  left: { readonly a: string; readonly scaleA: string; readonly zeroA: string },
  at: readonly [number, number, number],
): void {
  const [scaleB, zeroB, bias] = at.map((position) => from.input(position));
  const sums = from.plain('MatMulInteger', [left.a, from.input(1), left.zeroA, zeroB ?? '']);
  const scale = from.product(left.scaleA, scaleB ?? '');
  if (bias === undefined || bias === '') from.last('Mul', [sums, scale]);
  else from.last('Add', [from.plain('Mul', [sums, scale]), bias]);
}
