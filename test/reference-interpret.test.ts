/** The interpreter around the operators: seeded inputs, storage slices, epilogues, what it returns and refuses. */
import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { EpilogueStage, Op, Program, Quantization, Tensor, TensorId } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import { seededInput } from '../src/reference/seeded-input.js';

const QUANT: Quantization = { scales: [0.1], zeroPoint: 4 };

describe('seeded inputs', () => {
  function inputsOf(seed: number) {
    const b = new ProgramBuilder('two', 'test');
    const a = b.addInput({ name: 'a', dtype: 'int8', shape: [1, 4], quant: QUANT });
    const f = b.addInput({ name: 'f', dtype: 'float32', shape: [1, 2, 2, 3] });
    const inputs = seededInput(b.build(), seed);
    return { a: Array.from(inputs.get(a) ?? []), f: Array.from(inputs.get(f) ?? []) };
  }

  test('are those of docs/numerics.md', () => {
    // The page's first draws for seed 1, index 0: 0x8BE48B9E, 0x75A57B26, 0x3F3E1FEB, 0x84F0D738.
    expect(inputsOf(1).a).toEqual([0x8b - 128, 0x75 - 128, 0x3f - 128, 0x84 - 128]);
  });

  test('differ by seed and by input, and float32 ones are in [-1, 1)', () => {
    expect(inputsOf(2).a).not.toEqual(inputsOf(1).a);
    expect(inputsOf(4_000_000_000).a).toEqual(inputsOf(4_000_000_000).a);
    const { f } = inputsOf(7);
    expect(f).toHaveLength(12);
    expect(f.every((v) => v >= -1 && v < 1 && v === Math.fround(v))).toBe(true);
    expect(new Set(f).size).toBe(12);
  });
});

/** relu(x) and x + x, concatenated along channels. */
function branches(): { program: Program; parts: readonly [TensorId, TensorId]; joined: TensorId; x: TensorId } {
  const b = new ProgramBuilder('branches', 'test');
  const x = b.addInput({ name: 'x', dtype: 'float32', shape: [1, 2, 3, 2] });
  const relu = b.addOp({ kind: 'clamp', name: 'relu', inputs: [x], lo: 0, hi: 6 });
  const twice = b.addOp({ kind: 'add', name: 'twice', inputs: [x, x] });
  const joined = b.addOp({ kind: 'concat', name: 'joined', inputs: [relu, twice], axis: 3 });
  const out = b.addOp({ kind: 'copy', name: 'out', inputs: [joined] });
  b.addOutput(out);
  return { program: b.build(), parts: [relu, twice], joined, x };
}

function withTensor(program: Program, id: TensorId, change: Partial<Tensor>): Program {
  const tensor = program.tensors.get(id);
  if (tensor === undefined) throw new Error('no such tensor');
  return { ...program, tensors: new Map(program.tensors).set(id, { ...tensor, ...change }) };
}

describe('storage slices', () => {
  test('give what the concatenation gives', () => {
    const { program, parts, joined } = branches();
    const slice = { root: joined, rowPitchElements: 12, pixelPitchElements: 4 };
    let sliced = withTensor(program, parts[0], { storage: { ...slice, offsetElements: 0 } });
    sliced = withTensor(sliced, parts[1], { storage: { ...slice, offsetElements: 2 } });
    sliced = { ...sliced, ops: sliced.ops.filter((op) => op.kind !== 'concat') };
    const inputs = seededInput(program, 3);
    expect([...interpret(sliced, inputs).values()]).toEqual([...interpret(program, inputs).values()]);
  });

  test('that overlap spoil the result: slices are really written to the root', () => {
    const { program, parts, joined } = branches();
    const slice = { root: joined, rowPitchElements: 12, pixelPitchElements: 4 };
    let sliced = withTensor(program, parts[0], { storage: { ...slice, offsetElements: 1 } });
    sliced = withTensor(sliced, parts[1], { storage: { ...slice, offsetElements: 2 } });
    sliced = { ...sliced, ops: sliced.ops.filter((op) => op.kind !== 'concat') };
    const inputs = seededInput(program, 3);
    expect([...interpret(sliced, inputs).values()]).not.toEqual([...interpret(program, inputs).values()]);
  });
});

describe('epilogues', () => {
  const rescale = {
    leftShift: 20,
    multiplierA: 2 ** 30,
    shiftA: 0,
    multiplierB: 1_500_000_000,
    shiftB: -1,
    multiplierOut: 2 ** 30,
    shiftOut: -18,
  };
  const q = (zeroPoint: number): Quantization => ({ scales: [0.1], zeroPoint });

  /** mul, then clamp, lut and add as operators of their own. */
  function separate(valueIs: 'a' | 'b') {
    const b = new ProgramBuilder('separate', 'test');
    const x = b.addInput({ name: 'x', dtype: 'int8', shape: [1, 4, 4, 3], quant: q(-3) });
    const y = b.addInput({ name: 'y', dtype: 'int8', shape: [1, 4, 4, 3], quant: q(9) });
    const table = b.addConstant({
      name: 't',
      shape: [256],
      data: Int8Array.from({ length: 256 }, (_, i) => ((i * 7) % 251) - 120),
    });
    const mul = b.addOp(
      { kind: 'mul', name: 'mul', inputs: [x, y], rescale: { ...rescale, shiftOut: -5 } },
      { quant: q(5) },
    );
    const clamp = b.addOp({ kind: 'clamp', name: 'clamp', inputs: [mul], lo: -100, hi: 90 });
    const lut = b.addOp({ kind: 'lut', name: 'lut', inputs: [clamp, table] }, { quant: q(-8) });
    const operands = valueIs === 'a' ? [lut, y] : [y, lut];
    const add = b.addOp({ kind: 'add', name: 'add', inputs: operands, rescale }, { quant: q(2) });
    b.addOutput(add);
    return { program: b.build(), table, y, add };
  }

  test.each(['a', 'b'] as const)('equal the operators they stand for (value is %s)', (valueIs) => {
    const { program, table, y, add } = separate(valueIs);
    const stages: EpilogueStage[] = [
      { kind: 'clamp', lo: -100, hi: 90 },
      { kind: 'lut', table, resultZeroPoint: -8 },
      { kind: 'add', operand: y, valueIs, rescale, valueZeroPoint: -8, resultZeroPoint: 2 },
    ];
    const [mul] = program.ops;
    if (mul === undefined) throw new Error('unreachable');
    const fused: Op = { ...mul, output: add, epilogue: stages, anchorZeroPoint: 5 };
    const inputs = seededInput(program, 11);
    const expected = interpret(program, inputs).get(add);
    expect(new Set(expected).size).toBeGreaterThan(10);
    expect(interpret({ ...program, ops: [fused] }, inputs).get(add)).toEqual(expected);
  });

  test('in float32', () => {
    const b = new ProgramBuilder('float', 'test');
    const x = b.addInput({ name: 'x', dtype: 'float32', shape: [1, 8] });
    const twice = b.addOp({ kind: 'add', name: 'twice', inputs: [x, x] });
    const leaky = b.addOp({ kind: 'unary', name: 'leaky', inputs: [twice], fn: 'leakyRelu', alpha: 0.1, beta: 0 });
    const sum = b.addOp({ kind: 'add', name: 'sum', inputs: [leaky, x] });
    b.addOutput(sum);
    const program = b.build();
    const [first] = program.ops;
    if (first === undefined) throw new Error('unreachable');
    const epilogue: EpilogueStage[] = [
      { kind: 'unary', fn: 'leakyRelu', alpha: 0.1, beta: 0 },
      { kind: 'add', operand: x, valueIs: 'a', valueZeroPoint: 0, resultZeroPoint: 0 },
    ];
    const inputs = seededInput(program, 1);
    const fused = interpret({ ...program, ops: [{ ...first, output: sum, epilogue }] }, inputs);
    expect(fused).toEqual(interpret(program, inputs));
  });
});

describe('interpret', () => {
  test('reports every tensor in order and keeps what it is asked to', () => {
    const { program, parts, joined } = branches();
    const seen: TensorId[] = [];
    const results = interpret(program, seededInput(program, 1), {
      onTensor: (t) => seen.push(t.id),
      keep: new Set([parts[1]]),
    });
    expect(seen).toEqual(program.ops.map((op) => op.output));
    expect([...results.keys()]).toEqual([...program.outputs, parts[1]]);
    expect(results.has(joined)).toBe(false);
  });

  test("an input that is read late is alive until then, and the caller's arrays stay as they are", () => {
    const { program, x } = branches();
    const inputs = seededInput(program, 9);
    const before = Array.from(inputs.get(x) ?? []);
    interpret(program, inputs);
    expect(Array.from(inputs.get(x) ?? [])).toEqual(before);
  });

  test('refuses missing, short and mistyped inputs, all at once', () => {
    const b = new ProgramBuilder('three', 'test');
    const ids = ['a', 'b', 'c'].map((name) => b.addInput({ name, dtype: 'float32', shape: [1, 2] }));
    for (const id of ids) b.addOutput(id);
    const [, second, third] = ids;
    if (second === undefined || third === undefined) throw new Error('unreachable');
    const inputs = new Map<TensorId, Float32Array | Int8Array>([
      [second, new Float32Array(3)],
      [third, new Int8Array(2)],
    ]);
    try {
      interpret(b.build(), inputs);
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      expect(error.diagnostics.map((d) => d.code)).toEqual(['SW5201', 'SW5201', 'SW5201']);
      expect(error.diagnostics.map((d) => d.message)).toEqual([
        "expected 2 float32 elements for input 'a', got none",
        "expected 2 float32 elements for input 'b', got 3 of Float32Array",
        "expected 2 float32 elements for input 'c', got 2 of Int8Array",
      ]);
      return;
    }
    throw new Error('accepted');
  });
});
