import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { loadModelFile } from '../src/frontend/dsl/load.js';
import { seededInt8, seededWeightQuant } from '../src/frontend/dsl/weights.js';
import { elementCountOf, macsOf, tensorOf } from '../src/ir/facts.js';
import type { Op, Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import { buildText, LINES_BEFORE, loadFiles, loadText, modelText } from './dsl-fixture.js';

const example = (name: string, params: Readonly<Record<string, string>> = {}) =>
  loadModelFile(`examples/${name}.model.ts`, new Map(Object.entries(params)));

const shapeOf = (program: Program, id: Op['output']) => tensorOf(program, id).shape;

/** Facts of a network as `inspect` states them, in elements (bytes in int8). */
function factsOf(program: Program) {
  let [weights, largest, largestInOut, macs] = [0, 0, 0, 0];
  for (const op of program.ops) {
    const output = elementCountOf(shapeOf(program, op.output));
    largest = Math.max(largest, output);
    macs += macsOf(op, program);
    const [x, w] = op.inputs;
    if (w === undefined || x === undefined || !program.constants.has(w)) continue;
    weights += elementCountOf(shapeOf(program, w));
    if (op.kind === 'conv2d') largestInOut = Math.max(largestInOut, output + elementCountOf(shapeOf(program, x)));
  }
  return { weights, largest, largestInOut, macs };
}

const outputShapes = (program: Program) => program.outputs.map((id) => shapeOf(program, id).join('x'));

describe('examples', () => {
  test('every example is tested here', () => {
    const found = readdirSync('examples').filter((name) => name.endsWith('.model.ts'));
    expect(found.sort()).toEqual(
      ['fsrcnn', 'mobilenet-v2', 'resnet50', 'tiny', 'vgg-first-five', 'vgg19', 'yolov3'].map(
        (name) => `${name}.model.ts`,
      ),
    );
  });

  test('resnet50: torchvision has 25557032 parameters, 53120 of them folded into 26560 biases', async () => {
    const { program, batch } = await example('resnet50');
    const biases = 26560 + 1000;
    const facts = factsOf(program);
    expect(facts.weights + biases + 26560).toBe(25557032);
    // The article's numbers: 0.8 MB and 1.2 MB.
    expect(facts).toMatchObject({ largest: 802816, largestInOut: 1204224, macs: 4089184256 });
    expect(outputShapes(program)).toEqual(['1x1000']);
    expect(batch).toBe(1);
  });

  test('yolov3: 61.9 M weights; input + output of the largest convolution as the article has them', async () => {
    const at608 = factsOf((await example('yolov3', { size: '608' })).program);
    // darknet's weight file has 62001757 floats: weights, 255 biases a head, four batch-norm values a channel.
    expect(at608.weights).toBe(61895776);
    expect(at608.largestInOut).toBe(17743872);
    const { program } = await example('yolov3', { width: '64', height: '96', batch: '10' });
    expect(outputShapes(program)).toEqual(['1x3x2x255', '1x6x4x255', '1x12x8x255']);
    expect(factsOf(program).weights).toBe(61895776);
  });

  test('mobilenet-v2, vgg19: parameters as torchvision counts them', async () => {
    // 3504872 with 17056 channels of batch norm, twice each, where we have one bias.
    const mobilenet = factsOf((await example('mobilenet-v2')).program);
    expect(mobilenet.weights + 1000 + 2 * 17056).toBe(3504872);
    expect(mobilenet.macs).toBe(300774272);
    const vgg = await example('vgg19');
    const biases = [...vgg.program.constants.values()].reduce(
      (n, c) => n + (c instanceof Float32Array ? c.length : 0),
      0,
    );
    expect(factsOf(vgg.program).weights + biases).toBe(143667240);
  });

  test('fsrcnn: input + output + weights are the 8.85 MB of DeFiNES', async () => {
    const { program } = await example('fsrcnn');
    const [input] = program.inputs;
    if (input === undefined) throw new Error('no input');
    expect(shapeOf(program, input)).toEqual([1, 554, 974, 1]);
    expect(outputShapes(program)).toEqual(['1x540x960x16']);
    expect(554 * 974 + 540 * 960 * 16 + factsOf(program).weights).toBe(8849988);
  });

  test.each(['fsrcnn', 'mobilenet-v2', 'resnet50', 'tiny'])('%s is well-formed', async (name) => {
    expect(wellFormed((await example(name)).program)).toEqual([]);
  });

  test('tiny has a residual and a concatenation', async () => {
    const { program } = await example('tiny');
    const kinds = program.ops.map((op) => op.kind);
    expect(kinds).toEqual('conv2d clamp conv2d add clamp maxPool conv2d concat avgPool reshape dense'.split(' '));
  });
});

describe('programs', () => {
  test('every kind of layer, its shape, and the place of its call', async () => {
    const body = [
      "const c = conv2d(x, { channels: 6, kernel: [3, 1], stride: [2, 1], pad: [1, 0, 1, 0], name: 'c', activation: 'relu6' });",
      "const d = depthwiseConv2d(c, { kernel: 3, pad: 'same', stride: 2, multiplier: 2, activation: 'leakyRelu', alpha: 0.1 });",
      'const p = avgPool(d, { kernel: 2, stride: 1, countIncludePad: true, pad: 1 });',
      'const s = [relu, relu6, sigmoid, tanh, hardSwish, hardSigmoid, elu, leakyRelu, softmax].map((f) => f(p));',
      'const l = lrn(mul(sub(s[0]!, s[1]!), s[2]!), { size: 5 });',
      'const k = concat([l, ...s.slice(3)], { axis: 1 });',
      'const e = slice(upsample(k, { scale: [2, 1] }), { start: 1, length: 2, axis: -2 });',
      'const r = reshape(clamp(e, { lo: -1, hi: 1 }), [1, 84, 12]);',
      'return { first: dense(flatten(globalAvgPool(e)), { channels: 3, bias: false }), second: r };',
    ].join('\n');
    const { program } = await loadText(buildText(body));
    const listed = program.ops.map(
      (op) =>
        `${(op.loc.line ?? 0) - LINES_BEFORE - 1}:${op.loc.column} ${op.name} ${op.kind} ${shapeOf(program, op.output).join('x')}`,
    );
    expect(listed).toMatchInlineSnapshot(`
[
  "1:11 c conv2d 1x4x8x6",
  "1:11 c.relu6 clamp 1x4x8x6",
  "2:11 dwconv1 conv2d 1x2x4x12",
  "2:11 dwconv1.leakyRelu unary 1x2x4x12",
  "3:11 avgpool1 avgPool 1x3x5x12",
  "4:100 relu1 clamp 1x3x5x12",
  "4:100 relu6_1 clamp 1x3x5x12",
  "4:100 sigmoid1 unary 1x3x5x12",
  "4:100 tanh1 unary 1x3x5x12",
  "4:100 hardSwish1 unary 1x3x5x12",
  "4:100 hardSigmoid1 unary 1x3x5x12",
  "4:100 elu1 unary 1x3x5x12",
  "4:100 leakyRelu1 unary 1x3x5x12",
  "4:100 softmax1 softmax 1x3x5x12",
  "5:19 sub1 sub 1x3x5x12",
  "5:15 mul1 mul 1x3x5x12",
  "5:11 lrn1 lrn 1x3x5x12",
  "6:11 concat1 concat 1x21x5x12",
  "7:17 upsample1 upsample 1x42x5x12",
  "7:11 slice1 slice 1x42x2x12",
  "8:19 clamp1 clamp 1x42x2x12",
  "8:11 reshape1 reshape 1x84x12",
  "9:31 avgpool2 avgPool 1x1x1x12",
  "9:23 flatten1 reshape 1x12",
  "9:17 dense1 dense 1x3",
]
`);
    expect(program.outputs.map((id) => tensorOf(program, id).name)).toEqual(['first', 'second']);
    expect(program.ops.every((op) => op.epilogue.length === 0)).toBe(true);
  });

  test("'same' padding is TensorFlow's: what is odd goes below and to the right", async () => {
    const { program } = await loadText(
      buildText("return conv2d(x, { channels: 1, kernel: 3, stride: 2, pad: 'same' });"),
    );
    expect(program.ops[0]).toMatchObject({ window: { pad: { top: 0, left: 0, bottom: 1, right: 1 } } });
  });

  test('layers that no output depends on are left out', async () => {
    const { program } = await loadText(buildText('sigmoid(conv2d(x, { channels: 9, kernel: 1 })); return relu(x);'));
    expect(program.ops.map((op) => op.kind)).toEqual(['clamp']);
    expect(program.constants.size).toBe(0);
  });

  test('default names make way for given ones', async () => {
    const { program } = await loadText(buildText("return relu(relu(relu(x, { name: 'relu2' })));"));
    expect(program.ops.map((op) => op.name)).toEqual(['relu2', 'relu1', 'relu3']);
  });

  test('local files are imported', async () => {
    const files = {
      'a.model.ts': modelText(
        "import { block as b, type T } from './lib/blocks.js'; export default model({ name: 'm', build: () => b(input({ channels: 3 })) });",
      ),
      'lib/blocks.ts':
        "import * as s from 'spillway/model'; import { width } from './width.ts'; export type T = s.Tensor;\nexport function block(x: T) { return s.dense(x, { channels: width }); }",
      'lib/width.ts': 'const width = 7; export { width };',
    };
    const { program } = await loadFiles(files);
    expect(outputShapes(program)).toEqual(['1x7']);
    expect(program.ops[0]?.loc).toMatchObject({ line: 2, column: 38 });
    expect(program.ops[0]?.loc.file).toMatch(/lib\/blocks\.ts$/);
  });
});

describe('parameters', () => {
  const text = modelText(
    "export default model({ name: 'm', params: { size: { default: 8, min: 4, max: 16, multipleOf: 4 }, act: { default: 'relu', oneOf: ['relu', 'elu'] }, deep: false, batch: 2 },\n" +
      'build: ({ size, act, deep }) => { const y = act === "relu" ? relu(input({ channels: size })) : elu(input({ channels: size })); return deep ? sigmoid(y) : y; } });',
  );

  test('defaults, and what the command line gives', async () => {
    const plain = await loadText(text);
    expect([outputShapes(plain.program), plain.program.ops.length, plain.batch]).toEqual([['1x8'], 1, 2]);
    const given = await loadText(text, { size: '12', act: 'elu', deep: 'true', batch: '5' });
    expect([outputShapes(given.program), given.program.ops.map((op) => op.name), given.batch]).toEqual([
      ['1x12'],
      ['elu1', 'sigmoid1'],
      5,
    ]);
  });

  test('everything wrong is said at once, and what is known', async () => {
    const error = await loadText(text, { size: '18', act: 'gelu', deep: 'yes', depth: '3' }).catch((e) => e);
    if (!(error instanceof SpillwayError)) throw error;
    const [diagnostic] = error.diagnostics;
    expect(diagnostic?.code).toBe('SW1009');
    expect(diagnostic?.message.split('; ')).toEqual([
      "parameter 'size' is 18 but must be at most 16",
      "parameter 'size' is 18 but must be a multiple of 4",
      "parameter 'act' is gelu but must be one of relu, elu",
      "parameter 'deep' is a boolean, which 'yes' is not",
      "the model has no parameter 'depth'",
    ]);
    expect(diagnostic?.hint).toContain(
      'size (number, default 8), act (string, default relu), deep (boolean, default false)',
    );
  });

  test.each(['', 'x', '1e', '0x10', 'Infinity', 'NaN', '--1'])("'%s' is no number", async (value) => {
    await expect(loadText(text, { size: value })).rejects.toThrow(/SW1009/);
  });

  test.each(['0', '1.5', '-2'])('batch %s', async (value) => {
    await expect(loadText(text, { batch: value })).rejects.toThrow(/SW1009/);
  });
});

describe('weights', () => {
  test('are those of the model and the layer, whatever the image size', async () => {
    const small = (await example('tiny', { size: '8' })).program;
    const large = (await example('tiny', { size: '16' })).program;
    expect([...small.constants.values()]).toEqual([...large.constants.values()]);
    const quants = (program: Program) => [...program.constants.keys()].map((id) => tensorOf(program, id).quant);
    expect(quants(small)).toEqual(quants(large));
  });

  test('are the same on every machine and in every version', () => {
    expect([...seededInt8('net/conv1/weights', 10)]).toMatchInlineSnapshot(`
[
  -75,
  47,
  -125,
  -125,
  -125,
  -73,
  -113,
  43,
  59,
  51,
]
`);
    expect(seededInt8('a', 1001).length).toBe(1001);
  });

  test('have mean 0 and, with their scales, the variance that keeps activations', () => {
    const [channels, fanIn] = [64, 576];
    const q = seededInt8('seed', channels * fanIn);
    const { scales, zeroPoint } = seededWeightQuant('seed', channels, fanIn, 2);
    let [sum, squares] = [0, 0];
    q.forEach((value, i) => {
      const w = value * (scales[Math.floor(i / fanIn)] ?? 0);
      sum += w;
      squares += w * w;
    });
    expect(zeroPoint).toBe(0);
    expect(Math.abs(sum / q.length)).toBeLessThan(1e-3);
    expect((squares / q.length) * fanIn).toBeGreaterThan(1.8);
    expect((squares / q.length) * fanIn).toBeLessThan(2.3);
    expect(q.includes(-128)).toBe(false);
  });
});
