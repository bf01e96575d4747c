/**
 * The demonstration: ResNet-50 at batch 1 on three chips. For each, the traffic of none, greedy and ilp beside the bound, then
 * the emitted stream executed with data, and two statements about it. The reference runs once, for all of them.
 */

import { interpret } from '../reference/interpret.js';
import { seededInput } from '../reference/seeded-input.js';
import { loadProgram, loadProgramDirectory } from '../simulator/load-program.js';
import { type SimulationResult, simulate } from '../simulator/simulate.js';
import { loadChip } from '../target/chip.js';
import { PLACEMENTS } from './command-options.js';
import { type Compiled, compileProgram } from './compile.js';
import { type ImportedModel, importModel } from './import-model.js';
import { sameBits } from './reference-check.js';
import { makeReport, type Report } from './report.js';
import { formatComparison } from './report-text.js';
import { writeDirectory } from './write-directory.js';

const SEED = 1;

export interface DemoOptions {
  readonly model: string;
  readonly targets: readonly string[];
  readonly directory: string;
  readonly print: (text: string) => void;
}

/** @returns whether every statement that was made holds */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { print } = options;
  print(`importing ${options.model} ...\n`);
  const model = await importModel(options.model, { params: new Map(), dtype: 'int8' });
  print(`running the reference interpreter on a seeded image ...\n`);
  const expected = interpret(model.program, seededInput(model.program, SEED));
  const outputs = model.program.outputs.map((id) => expected.get(id));
  let allTrue = true;
  for (const target of options.targets) {
    const holds = await demonstrate(options, model, target, outputs);
    allTrue = allTrue && holds;
  }
  print(
    allTrue
      ? `\nall outputs equal the reference; all counted bytes equal the reports; the files are in ${options.directory}\n`
      : '\nNOT everything holds: see above\n',
  );
  return allTrue;
}

async function demonstrate(
  options: DemoOptions,
  model: ImportedModel,
  target: string,
  expected: readonly (ArrayBufferView | undefined)[],
): Promise<boolean> {
  const { print } = options;
  const chip = loadChip(target);
  const reports: Report[] = [];
  let allTrue = true;
  const state = (statement: string, holds: boolean): void => {
    print(`  ${holds ? 'true ' : 'FALSE'}  ${statement}\n`);
    allTrue = allTrue && holds;
  };
  const directory = `${options.directory}/${target}`;
  const simpler: [Report, SimulationResult][] = [];
  for (const placement of PLACEMENTS) {
    const compiled = await compileProgram(model.program, {
      chip,
      batch: 1,
      dtype: 'int8',
      placement,
      solver: 'glpk',
      gap: 0.001,
      timeLimitSeconds: 10,
    });
    const report = makeReport(compiled);
    reports.push(report);
    if (placement === 'ilp') writeDirectory(directory, compiled, report);
    else simpler.push([report, simulateInMemory(compiled)]);
  }
  print(`\n${'='.repeat(100)}\n${formatComparison(reports)}\n`);
  for (const [report, result] of simpler) state(countStatement(report, result), agree(report, result));
  const ilp = reports[reports.length - 1];
  if (ilp === undefined) return false;
  print(`  executing ${directory} with data ...\n`);
  const result = simulate(loadProgramDirectory(directory), { seed: SEED });
  state(countStatement(ilp, result), agree(ilp, result));
  state(
    `ilp: the outputs equal those of the reference interpreter, bit for bit (${result.faultCount} faults)`,
    result.faultCount === 0 && expected.every((data, i) => sameBits(data, result.outputs[i]?.storageFrames[0])),
  );
  return allTrue;
}

/** The streams of the simpler placements, without data: order, accesses and bytes. */
function simulateInMemory({ emitted }: Compiled): SimulationResult {
  const { manifest, programBytes, dramImage } = emitted;
  return simulate(loadProgram(manifest, programBytes, dramImage, manifest.model), { timingOnly: true });
}

function countStatement(report: Report, result: SimulationResult): string {
  const counted = result.dramReadBytes + result.dramWriteBytes;
  return `${report.placement}: the simulator counts ${counted} B a period, the report says ${report.period.totalBytes} B`;
}

function agree(report: Report, result: SimulationResult): boolean {
  const { period, prologue } = report;
  return (
    result.faultCount === 0 &&
    result.dramReadBytes === period.readBytes &&
    result.dramWriteBytes === period.writeBytes &&
    result.prologueReadBytes === prologue.readBytes &&
    Object.entries(result.bytesByClass).every(([name, bytes]) => Reflect.get(period.byClass, name) === bytes)
  );
}
