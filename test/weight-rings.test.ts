/** Weights that come through a ring of slots: programs with such rings compute what the reference does, and run without faults. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { assignAddresses } from '../passes/assign-addresses.js';
import { growTiles } from '../passes/grow-tiles.js';
import { place } from '../passes/place.js';
import { withWeightRings } from '../passes/weight-rings.js';
import { emitProgram } from '../src/backend/emit-program.js';
import { type CompileOptions, optimise } from '../src/driver/compile.js';
import type { Program } from '../src/ir/types.js';
import { addressProblems } from '../src/schedule/check-addresses.js';
import type { Schedule, ScheduledLayer } from '../src/schedule/schedule.js';
import { workspaceBuffers } from '../src/schedule/tiling.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { simulate } from '../src/simulator/simulate.js';
import { loadGlpk } from '../src/solver/linear/glpk.js';
import { type Chip, loadChip } from '../src/target/chip.js';
import { compiledProblems } from './compile-fuzz-check.js';
import { buildFuzzProgram, fuzzProgram } from './compile-fuzz-programs.js';
import { chainProgram } from './conv-chains.js';

const chipA = loadChip('chip-a');
const chipWith = (sramBytes: number): Chip => ({
  ...chipA,
  mac: { ...chipA.mac, columns: 4 },
  sram: { ...chipA.sram, bytes: sramBytes },
});

/** Placed greedily, layer by layer, with rings in a share of what is free; undefined where there are none. */
async function ringed(program: Program, chip: Chip, batch: number, resident: boolean, share: number, groups = 1) {
  const solver = await loadGlpk();
  const common = { batch, placement: 'greedy' as const, blocks: false, resident, gap: 0, timeLimitSeconds: 5, chip };
  const placed = place(program, {
    ...common,
    capacityBytes: chip.sram.bytes,
    alignmentBytes: chip.sram.alignmentBytes,
    groups,
    parts: false,
    solver,
  });
  const schedule = withWeightRings(growTiles(placed, share, chip), share, chip);
  return (schedule.weightRings ?? []).length === 0 ? undefined : schedule;
}

/** What is wrong with the schedule once it has addresses and is carried out. */
function problemsOf(imported: Program, schedule: Schedule, chip: Chip, dtype: CompileOptions['dtype']): string[] {
  const packed = assignAddresses(schedule, 20_000, chip, true);
  if (!('schedule' in packed)) return [];
  const emitted = emitProgram(packed.schedule, { chip, dtype, version: 'test' });
  const options = {
    chip,
    batch: schedule.batch * schedule.groups,
    dtype,
    placement: 'greedy',
    solver: 'glpk',
    gap: 0,
  } as const;
  const compiled = {
    imported,
    schedule: packed.schedule,
    emitted,
    plans: [],
    options: { ...options, timeLimitSeconds: 5 },
  };
  return [...addressProblems(packed.schedule), ...compiledProblems(compiled, imported, chip)];
}

const layer = (channels: number, kernel: number) => ({ kind: 'conv' as const, kernel, stride: 1, channels });

test('a chain of convolutions in SRAM has one ring, as large as what all of them leave', async () => {
  const imported = chainProgram(
    [layer(16, 3), layer(16, 3), layer(8, 1), layer(16, 3), layer(16, 3), layer(4, 1)],
    8,
    8,
  );
  const program = optimise(imported, {});
  const chip = chipWith(24 * 1024);
  const schedule = await ringed(program, chip, 1, false, 1);
  const [ring] = schedule?.weightRings ?? [];
  expect(schedule?.weightRings).toHaveLength(1);
  expect(ring?.steps.length).toBeGreaterThanOrEqual(3);
  expect(ring?.slots).toBeGreaterThanOrEqual(2);
  // Nothing is over: a slot more would not fit at some step.
  const most = Math.max(...(schedule?.loadBytes ?? []));
  expect(most).toBeLessThanOrEqual(chip.sram.bytes);
  if (schedule !== undefined) expect(problemsOf(imported, schedule, chip, 'float32')).toEqual([]);
});

test('a ring is in no way shared by layers that stream their operands', async () => {
  const program = optimise(chainProgram([layer(16, 3), layer(16, 3), layer(16, 3)], 64, 64), {});
  expect(await ringed(program, chipWith(16 * 1024), 1, false, 1)).toBeUndefined();
});

test('the slots go on where the group of frames before has ended', async () => {
  const program = optimise(chainProgram([layer(20, 1), layer(12, 3), layer(20, 3)], 9, 9), {});
  const chip = chipWith(64 * 1024);
  const groups = 3;
  const placed = await ringed(program, chipWith(28 * 1024), 1, false, 1);
  expect(placed?.weightRings).toMatchObject([{ steps: [1] }]);
  if (placed === undefined) return;
  // Three chunks through two slots, and around them layers whose loads wait for nobody: all rows at once, in places of their own.
  const weightRings = (placed.weightRings ?? []).map((ring) => ({ ...ring, slots: 2 }));
  let free = 32 * 1024;
  const apart = <Buffer extends { sizeBytes: number }>(buffers: readonly Buffer[]) =>
    buffers.map((buffer) => {
      free += buffer.sizeBytes;
      return { ...buffer, sramOffsetBytes: free - buffer.sizeBytes };
    });
  const rows = (one: ScheduledLayer): ScheduledLayer => {
    const tiling = { ...one.tiling, stripeRows: one.layer.output.h };
    const buffers = workspaceBuffers(one.layer, tiling, placed.alignmentBytes, 0);
    return { ...one, tiling, workspace: buffers.map((buffer) => ({ ...buffer, sramOffsetBytes: -1 })) };
  };
  const tall = placed.layers.map((one, t) => (t === 1 ? one : rows(one)));
  const schedule = { ...placed, groups, layers: tall, weightRings, capacityBytes: chip.sram.bytes };
  const packed = assignAddresses(schedule, 20_000, chip, false);
  if (!('schedule' in packed)) throw new Error('does not fit');
  const layers = packed.schedule.layers.map((one, t) => (t === 1 ? one : { ...one, workspace: apart(one.workspace) }));
  const moved = { ...packed.schedule, layers };
  expect(addressProblems(moved)).toEqual([]);
  const { manifest, programBytes, dramImage } = emitProgram(moved, { chip, dtype: 'float32', version: 'test' });
  expect(simulate(loadProgram(manifest, programBytes, dramImage, 'test'), { seed: 1, periods: 2 }).faults).toEqual([]);
});

test('programs with rings compute what the reference does', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      fuzzProgram(8),
      fc.double({ min: 0.3, max: 1, noNaN: true }),
      fc.constantFrom(1, 1, 2, 3),
      fc.constantFrom(1, 2),
      fc.boolean(),
      fc.constantFrom(1, 0.5),
      async (fuzz, room, batch, groups, resident, share) => {
        const imported = buildFuzzProgram(fuzz);
        if (imported.ops.length === 0) return;
        const program = optimise(imported, {});
        const chip = chipWith(Math.ceil((room * batch * 40_000) / 64) * 64);
        let schedule: Schedule | undefined;
        try {
          schedule = await ringed(program, chip, batch, resident, share, groups);
        } catch {
          return; // too little SRAM for it
        }
        if (schedule === undefined) return;
        count += 1;
        expect(problemsOf(imported, schedule, chip, fuzz.dtype)).toEqual([]);
      },
    ),
    { numRuns: Number(process.env.SPILLWAY_FUZZ_RUNS ?? 60), seed: Number(process.env.SPILLWAY_FUZZ_SEED ?? 1) },
  );
  expect(count).toBeGreaterThan(5);
}, 600_000);
