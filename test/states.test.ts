/** What a model carries from frame to frame: its place in SRAM or DRAM, frames that follow each other, `--state` for ONNX files. */
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { type Compiled, type CompileOptions, compileProgram } from '../src/driver/compile.js';
import { countTraffic } from '../src/driver/period-bytes.js';
import { referenceFrames, SimulatedFrames } from '../src/driver/reference-check.js';
import { makeReport } from '../src/driver/report.js';
import { stateNote } from '../src/driver/state-note.js';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { toFloat32 } from '../src/frontend/quantize/to-float32.js';
import type { Program } from '../src/ir/types.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { simulate } from '../src/simulator/simulate.js';
import { loadChip } from '../src/target/chip.js';
import { compiledProblems } from './compile-fuzz-check.js';
import { encodeModel, floats, ints, node, randomFloats, valueInfo } from './onnx-models.js';
import { OnnxRuntime } from './onnxruntime.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

const HIDDEN = 8;
const CACHED = 6;

/** An LSTM of one step whose states are inputs and outputs. */
const lstm = encodeModel({
  nodes: [node('LSTM', ['x', 'w', 'r', 'b', '', 'h0', 'c0'], ['y', 'hn', 'cn'], { hidden_size: HIDDEN })],
  initializers: [
    floats('w', [1, 4 * HIDDEN, 3], randomFloats(4 * HIDDEN * 3, 1)),
    floats('r', [1, 4 * HIDDEN, HIDDEN], randomFloats(4 * HIDDEN * HIDDEN, 2)),
    floats('b', [1, 8 * HIDDEN], randomFloats(8 * HIDDEN, 3)),
  ],
  inputs: [valueInfo('x', [1, 1, 3]), valueInfo('h0', [1, 1, HIDDEN]), valueInfo('c0', [1, 1, HIDDEN])],
  outputs: ['y', 'hn', 'cn'],
});
const LSTM_STATES = new Map([
  ['h0', 'hn'],
  ['c0', 'cn'],
]);

/** Keys of the last frames, oldest first: the oldest goes, the newest comes; the query of the frame is held against all. */
const cache = encodeModel({
  nodes: [
    node('MatMul', ['x', 'wk'], ['key']),
    node('Concat', ['past_key', 'key'], ['all'], { axis: 1 }),
    node('Slice', ['all', 'one', 'end', 'one'], ['present_key']),
    node('Transpose', ['present_key'], ['turned'], { perm: [0, 2, 1] }),
    node('MatMul', ['x', 'turned'], ['scores']),
    node('Softmax', ['scores'], ['p']),
    node('MatMul', ['p', 'past_key'], ['y']), // reads the old state after the new one is made
  ],
  initializers: [floats('wk', [4, 4], randomFloats(16, 4)), ints('one', [1]), ints('end', [100])],
  inputs: [valueInfo('x', [1, 1, 4]), valueInfo('past_key', [1, CACHED, 4])],
  outputs: ['y', 'present_key'],
});
const CACHE_STATES = new Map([['past_key', 'present_key']]);

const MODELS = [
  ['LSTM', lstm, LSTM_STATES, 3],
  ['key cache', cache, CACHE_STATES, 4],
] as const;

const chipA = loadChip('chip-a');
const chipOf = (sramBytes: number) => ({ ...chipA, sram: { ...chipA.sram, bytes: sramBytes } });
const imported = (model: Uint8Array, states: ReadonlyMap<string, string>): Program =>
  toFloat32(importOnnx(model, 'state.onnx', '.', { shapes: new Map(), states }));

const compiled = (program: Program, sramBytes: number, change: Partial<CompileOptions> = {}): Promise<Compiled> =>
  compileProgram(program, {
    chip: chipOf(sramBytes),
    batch: 1,
    dtype: 'float32',
    placement: 'ilp',
    solver: 'glpk',
    gap: 0,
    timeLimitSeconds: 10,
    ...change,
  });
const bytesOf = ({ schedule, emitted }: Compiled) => countTraffic(schedule, emitted).period;

describe.each(MODELS)('%s', (_name, model, states, width) => {
  const program = imported(model, states);

  test('frames that follow each other are those of onnxruntime, fed with its own outputs', async () => {
    const { emitted } = await compiled(program, 64 * 1024);
    const loaded = loadProgram(emitted.manifest, emitted.programBytes, emitted.dramImage, 'state');
    const x = randomFloats(5 * width, 9);
    const got: Float32Array[] = [];
    const simulated = new SimulatedFrames();
    const result = simulate(loaded, {
      inputs: new Map([['x', x]]),
      periods: 5,
      goesOn: true,
      onPeriod(_, outputs) {
        simulated.add(outputs);
        got.push(outputs[0]?.data as Float32Array);
      },
    });
    expect(result.faultCount).toBe(0);
    expect(simulated.match(referenceFrames(program, emitted.manifest, 1, new Map([['x', x]]), 5))).toBe(true);
    let carried = new Map<string, Float32Array>();
    for (let frame = 0; frame < 5; frame++) {
      const feeds = program.inputs.map((id) => {
        const tensor = program.tensors.get(id);
        const name = tensor?.name ?? '';
        const dims = tensor?.outsideShape ?? tensor?.shape ?? [];
        const zeros = new Float32Array(dims.reduce((a, b) => a * b, 1));
        const own = name === 'x' ? x.subarray(frame * width, (frame + 1) * width) : (carried.get(name) ?? zeros);
        return { name, dims, data: own };
      });
      const wanted = await runtime.run(model, feeds);
      carried = new Map([...states].map(([input, output]) => [input, wanted.get(output)?.data ?? new Float32Array()]));
      [...(wanted.get('y')?.data ?? [])].forEach((value, i) => {
        expect(got[frame]?.[i]).toBeCloseTo(value, 5);
      });
    }
  });

  test.each([undefined, true, false])('every promise holds, states in SRAM: %s', async (statesInSram) => {
    for (const placement of ['none', 'greedy', 'ilp'] as const) {
      const change = { placement, ...(statesInSram === undefined ? {} : { statesInSram }) };
      const one = await compiled(program, 4 * 1024, change);
      expect(compiledProblems(one, program, chipOf(4 * 1024))).toEqual([]);
    }
  });

  test('the better place is taken: SRAM where there is room, and no bytes of it move', async () => {
    const [free, inSram, inDram] = await Promise.all([
      compiled(program, 64 * 1024),
      compiled(program, 64 * 1024, { statesInSram: true }),
      compiled(program, 64 * 1024, { statesInSram: false }),
    ]);
    expect(bytesOf(free)).toEqual(bytesOf(inSram));
    expect(bytesOf(inSram).byClass.activations).toBe(0);
    expect(bytesOf(inDram).byClass.activations).toBeGreaterThan(0);
    const stateBytes = inSram.schedule.states.reduce(
      (sum, { input }) => sum + (inSram.schedule.roots.get(input)?.sizeBytes ?? 0),
      0,
    );
    expect(countTraffic(inSram.schedule, inSram.emitted).prologue.stateBytes).toBe(stateBytes);
    // They are neither input nor output of a period.
    for (const one of [inSram, inDram]) {
      const { byClass } = bytesOf(one);
      expect(byClass.input).toBe(width * 4);
      expect(byClass.output).toBe(states.size > 1 ? 2 * HIDDEN * 4 : 16); // h and c lie side by side
      const report = makeReport(one);
      const rows = report.tensors.filter(({ why }) => /state|next value/.test(why));
      expect(rows.every((row) => row.class === 'activations')).toBe(true);
      expect(rows.length).toBeGreaterThanOrEqual(2 * states.size);
    }
  });
});

test('the first value of a state can be given', async () => {
  const program = imported(cache, CACHE_STATES);
  const given = new Map([['past_key', randomFloats(CACHED * 4, 6)]]);
  for (const statesInSram of [true, false]) {
    const { emitted } = await compiled(program, 64 * 1024, { statesInSram });
    const loaded = loadProgram(emitted.manifest, emitted.programBytes, emitted.dramImage, 'state');
    const simulated = new SimulatedFrames();
    const onPeriod: Parameters<typeof simulate>[1] = {
      inputs: given,
      periods: 2,
      goesOn: true,
      onPeriod: (_, outputs) => simulated.add(outputs),
    };
    expect(simulate(loaded, onPeriod).faultCount).toBe(0);
    expect(simulated.match(referenceFrames(program, emitted.manifest, 1, given, 2))).toBe(true);
  }
});

describe('what --state names', () => {
  const problemsOf = (states: Record<string, string>): string[] => {
    try {
      imported(cache, new Map(Object.entries(states)));
    } catch (error) {
      if (error instanceof SpillwayError) return error.diagnostics.map(({ code, message }) => `${code} ${message}`);
    }
    return [];
  };

  test('must be an input and an output', () => {
    expect(problemsOf({ nothing: 'present_key' })[0]).toMatch(/^SW2011 .*no input; the inputs are x, past_key/);
    expect(problemsOf({ past_key: 'nothing' })[0]).toMatch(/^SW2011 .*no output; the outputs are y, present_key/);
  });

  test('must be of one shape', () => {
    expect(problemsOf({ past_key: 'y' })[0]).toMatch(/^SW2011 .*\[1, 1, 4\].*\[1, 6, 4\]/);
  });

  test('is suggested where names and shapes look like it', () => {
    expect(stateNote(imported(lstm, new Map()))).toContain('--state h0=hn --state c0=cn');
    expect(stateNote(imported(cache, new Map()))).toContain('--state past_key=present_key');
    expect(stateNote(imported(cache, CACHE_STATES))).toBeUndefined();
  });
});
