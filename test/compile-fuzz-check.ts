/** Compiles one program for one tiny chip in several ways, simulates what comes out, and lists every broken promise. */
import { periodTimeline } from '../src/backend/timeline.js';
import { trafficOf } from '../src/backend/traffic.js';
import { SpillwayError } from '../src/base/diagnostic.js';
import { type Compiled, type CompileOptions, compileProgram } from '../src/driver/compile.js';
import type { Objective } from '../src/driver/objective-names.js';
import { pagePlan } from '../src/driver/page-plan.js';
import { countTraffic } from '../src/driver/period-bytes.js';
import { sameBits } from '../src/driver/reference-check.js';
import { makeReport } from '../src/driver/report.js';
import { sizeBytes, tensorOf } from '../src/ir/facts.js';
import type { Program, StateLink, TensorId } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import type { Elements } from '../src/reference/movement.js';
import { carriedStates, seededInput } from '../src/reference/seeded-input.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { simulate } from '../src/simulator/simulate.js';
import { type Chip, loadChip } from '../src/target/chip.js';
import { buildFuzzProgram, type FuzzProgram } from './compile-fuzz-programs.js';
import { pagePlanProblems } from './page-plan-check.js';

export interface FuzzCase {
  readonly program: FuzzProgram;
  /** SRAM from the least that compiles (0) to what `top` says (1). */
  readonly room: number;
  readonly top: 'everything' | 'largest layer';
  readonly alignmentBytes: number;
  readonly commandFifoBytes: number;
  readonly batch: number; // 1 where something is carried from frame to frame
  readonly carries?: boolean; // a tensor that looks like an input becomes what the next frame finds there
  readonly blocks: boolean;
  readonly twice: boolean; // compile twice, and compare the bytes
  readonly objective?: Objective; // traffic when absent
  readonly placements: readonly ('none' | 'greedy' | 'ilp')[];
}

const SEED = 5;
let base: Chip | undefined;

function tinyChip(sramBytes: number, alignmentBytes: number, commandFifoBytes: number): Chip {
  base ??= loadChip('chip-a');
  return { ...base, name: 'tiny', sram: { ...base.sram, bytes: sramBytes, alignmentBytes }, commandFifoBytes };
}

/** The least SRAM that the compiler says it needs, or the diagnostics that say the program cannot run at all. */
async function leastSramBytes(program: Program, options: Omit<CompileOptions, 'chip'>, of: FuzzCase): Promise<number> {
  try {
    await compileProgram(program, { ...options, chip: tinyChip(of.alignmentBytes, of.alignmentBytes, 4096) });
    return of.alignmentBytes;
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const hint = error.diagnostics[0]?.hint ?? '';
    const bytes = /compiles for is (\d+) B/.exec(hint)?.[1];
    if (bytes === undefined) throw error;
    return Number(bytes);
  }
}

/** Everything that is wrong; empty when all promises hold. */
export async function fuzzProblems(
  fuzz: FuzzCase,
  observe: (compiled: Compiled) => void = () => {},
): Promise<string[]> {
  const built = buildFuzzProgram(fuzz.program);
  const program = fuzz.carries === true ? withStates(built) : built;
  const batch = program.states === undefined ? fuzz.batch : 1;
  const options: Omit<CompileOptions, 'chip'> = {
    batch,
    dtype: fuzz.program.dtype,
    placement: 'none',
    blocks: fuzz.blocks,
    solver: 'glpk',
    gap: 0,
    timeLimitSeconds: 20,
    objective: fuzz.objective ?? 'traffic',
  };
  if (program.ops.length === 0) return [];
  const least = await leastSramBytes(program, options, fuzz);
  const sram = Math.floor(least + fuzz.room * Math.max(0, topBytes(program, fuzz) - least));
  const chip = tinyChip(sram, fuzz.alignmentBytes, fuzz.commandFifoBytes);
  const expected = referenceOutputs(program, batch);
  const problems: string[] = [];
  const totals = new Map<string, number>();
  for (const placement of fuzz.placements) {
    const say = (text: string): void => {
      problems.push(`${placement} with ${sram} B (least ${least}): ${text}`);
    };
    let compiled: Compiled;
    try {
      compiled = await compileProgram(program, { ...options, placement, chip });
    } catch (error) {
      say(error instanceof SpillwayError ? error.message : `crash: ${error instanceof Error ? error.stack : error}`);
      continue;
    }
    totals.set(placement, countTraffic(compiled.schedule, compiled.emitted).period.totalBytes);
    observe(compiled);
    const { time } = compiled.schedule.record;
    const { cycles } = periodTimeline(compiled.emitted.programBytes, chip);
    if (time !== undefined && time.boundCycles > cycles)
      say(`takes ${cycles} cycles, below the bound of ${time.boundCycles}`);
    problemsOf(compiled, expected, chip, say);
    if (!fuzz.twice) continue;
    const again = await compileProgram(program, { ...options, placement, chip });
    if (!sameBits(again.emitted.programBytes, compiled.emitted.programBytes)) say('a second compile gives other code');
    if (JSON.stringify(again.emitted.manifest) !== JSON.stringify(compiled.emitted.manifest))
      say('a second compile gives another manifest');
  }
  if (fuzz.placements.includes('ilp')) {
    const balanced = await compileProgram(program, {
      ...options,
      placement: 'ilp',
      chip,
      blocks: false,
      balanced: true,
    });
    problemsOf(balanced, expected, chip, (text) => problems.push(`balanced with ${sram} B (least ${least}): ${text}`));
  }
  if ((fuzz.objective ?? 'traffic') !== 'traffic') return problems;
  const order = ['ilp', 'greedy', 'none'].filter((placement) => totals.has(placement));
  order.slice(1).forEach((worse, i) => {
    const better = order[i] ?? worse;
    if ((totals.get(better) ?? 0) > (totals.get(worse) ?? 0))
      problems.push(`${better} moves ${totals.get(better)} B, ${worse} ${totals.get(worse)} B`);
  });
  return problems;
}

/** For every input that has one, a later tensor of its type and shape as its value in the next frame. */
export function withStates(program: Program): Program {
  const outputs = [...program.outputs];
  const states: StateLink[] = [];
  const taken = new Set<TensorId>();
  for (const [input, id] of program.inputs.entries()) {
    const from = tensorOf(program, id);
    const op = program.ops.findLast(({ output }) => {
      const to = tensorOf(program, output);
      return !taken.has(output) && to.dtype === from.dtype && to.shape.join() === from.shape.join();
    });
    if (op === undefined) continue;
    taken.add(op.output);
    if (!outputs.includes(op.output)) outputs.push(op.output);
    states.push({ input, output: outputs.indexOf(op.output) });
  }
  return states.length === 0 ? program : { ...program, outputs, states };
}

/** The whole program in SRAM; or its largest layer only, where blocks and spills have to help. */
function topBytes(program: Program, { top, alignmentBytes }: FuzzCase): number {
  const bytesOf = (id: TensorId): number => sizeBytes(tensorOf(program, id)) + alignmentBytes;
  if (top === 'everything') return [...program.tensors.keys()].reduce((total, id) => total + bytesOf(id), 0);
  const ofLayers = program.ops.map((op) =>
    [...new Set([...op.inputs, op.output])].reduce((total, id) => total + bytesOf(id), 0),
  );
  return Math.max(...ofLayers);
}

/** A program placed greedily in so much of chip-a's SRAM: for tests of layers, which do not ask for the best plan. */
export async function compiledGreedily(
  program: Program,
  dtype: CompileOptions['dtype'],
  sramBytes: number,
): Promise<{ readonly compiled: Compiled; readonly chip: Chip }> {
  const chipA = loadChip('chip-a');
  const chip = { ...chipA, sram: { ...chipA.sram, bytes: sramBytes } };
  const options = { batch: 1, placement: 'greedy', solver: 'glpk', gap: 0, timeLimitSeconds: 5 } as const;
  return { compiled: await compileProgram(program, { ...options, dtype, chip }), chip };
}

/** Everything that is wrong with a compiled program, executed on seeded inputs. */
export function compiledProblems(compiled: Compiled, program: Program, chip: Chip): string[] {
  const problems: string[] = [];
  problemsOf(
    compiled,
    referenceOutputs(program, compiled.schedule.batch * compiled.schedule.groups),
    chip,
    (text) => void problems.push(text),
  );
  return problems;
}

type Expected = readonly (readonly ArrayBufferView[])[]; // by frame, by output

function referenceOutputs(program: Program, batch: number): Expected {
  return Array.from({ length: batch }, (_, frame) => {
    const outputs = interpret(program, seededInput(program, SEED, frame));
    return program.outputs.flatMap((id) => outputs.get(id) ?? []);
  });
}

/** The same inputs once more, with what the program carries from the first period. */
function secondPeriod(program: Program, first: Expected): Expected {
  if (program.states === undefined) return first;
  const before = new Map(program.outputs.map((id, i) => [id, first[0]?.[i] as Elements]));
  const inputs = new Map([...seededInput(program, SEED), ...carriedStates(program, before)]);
  const outputs = interpret(program, inputs);
  return [program.outputs.flatMap((id) => outputs.get(id) ?? [])];
}

function problemsOf(compiled: Compiled, expected: Expected, chip: Chip, say: (text: string) => void): void {
  const { schedule, emitted } = compiled;
  const { manifest, programBytes, dramImage } = emitted;
  const counted = countTraffic(schedule, emitted);
  const planned = trafficOf(schedule).reduce((sum, entry) => sum + entry.readBytes + entry.writeBytes, 0);
  const { record } = schedule;
  if (planned !== record.plannedTrafficBytes) say(`${record.plannedTrafficBytes} B are planned, ${planned} B listed`);
  if (record.boundBytes !== undefined && record.boundBytes > planned + 1e-6 * planned)
    say(`the bound ${record.boundBytes} B is above the traffic ${planned} B`);
  const report = makeReport(compiled);
  const { bound } = report;
  for (const problem of pagePlanProblems(
    pagePlan(compiled, periodTimeline(programBytes, chip)),
    report,
    chip.sram.alignmentBytes,
  ))
    say(`memory map: ${problem}`);
  const { period } = counted;
  if (bound.crossingBytes > period.totalBytes)
    say(`the crossing bound ${bound.crossingBytes} B is above ${period.totalBytes} B`);
  if ((schedule.allocation?.heightBytes ?? 0) > chip.sram.bytes) say('SRAM peak above the capacity');
  const loaded = loadProgram(manifest, programBytes, dramImage, 'fuzz');
  const once = simulate(loaded, { seed: SEED });
  const [fault] = once.faults;
  if (fault !== undefined) {
    say(`${once.faultCount} faults: ${JSON.stringify(fault)}`);
    return;
  }
  const predicted = periodTimeline(programBytes, chip).cycles;
  // Of a program of a thousand cycles, a percent is less than it takes to set up a transfer.
  if (Math.abs(predicted - once.cycles) > Math.max(0.01 * once.cycles, chip.dma.setupCycles))
    say(`${predicted} cycles are predicted, ${once.cycles} simulated`);
  const compare = (what: string, simulated: number, reported: number): void => {
    if (simulated !== reported) say(`${what}: ${simulated} B simulated, ${reported} B reported`);
  };
  compare('reads', once.dramReadBytes, counted.period.readBytes);
  compare('writes', once.dramWriteBytes, counted.period.writeBytes);
  compare('prologue', once.prologueReadBytes, counted.prologue.readBytes);
  for (const name of ['weights', 'activations', 'input', 'output', 'code'] as const)
    compare(name, once.bytesByClass[name], counted.period.byClass[name]);
  const twice = simulate(loaded, { seed: SEED, periods: 2 });
  if (twice.faultCount > 0) say(`second period: ${JSON.stringify(twice.faults[0])}`);
  for (const [name, result, wanted] of [
    ['first', once, expected],
    ['second', twice, secondPeriod(compiled.imported, expected)],
  ] as const) {
    wanted.forEach((frame, f) => {
      frame.forEach((data, i) => {
        if (!sameBits(result.outputs[i]?.storageFrames[f], data))
          say(`${name} period: output ${result.outputs[i]?.name} of frame ${f} differs`);
      });
    });
  }
}
