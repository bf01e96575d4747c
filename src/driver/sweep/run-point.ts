/** Compiles one point, or finds it among those that are finished. What points share is kept from one to the next. */
import { leastLayerBytes } from '../../../passes/place.js';
import { SpillwayError } from '../../base/diagnostic.js';
import { constantBytes, printProgram } from '../../ir/print.js';
import type { Program } from '../../ir/types.js';
import { layersOf } from '../../schedule/layer.js';
import { compileProgram, optimise } from '../compile.js';
import { importModel } from '../import-model.js';
import { refuseBatchOfStates } from '../prepare.js';
import { makeReport } from '../report.js';
import { measuredOf, type Outcome, type PointTask, type Variant } from './point.js';
import { pointKey, sha256, storedPoint } from './store.js';

export interface PointAnswer {
  readonly key: string;
  readonly outcome: Outcome;
  readonly isStored: boolean; // found, not compiled
  readonly note?: string; // of the import, about the numbers
}

interface Imported {
  readonly id: string;
  readonly program: Program;
  readonly batch: number;
  readonly note?: string;
  readonly programHash: string;
}

/** One model at a time: points come model by model. */
let last: Imported | undefined;

async function imported({ model, params, shapes, states }: Variant, dtype: 'int8' | 'float32'): Promise<Imported> {
  const id = JSON.stringify([model, [...params], [...shapes], [...states], dtype]);
  if (last?.id === id) return last;
  last = undefined; // two large models at once are too many
  const read = await importModel(model, { params, shapes, states, dtype });
  last = { ...read, id, programHash: sha256(printProgram(read.program), constantBytes(read.program)) };
  return last;
}

/**
 * @param directory where finished points are; undefined: nowhere
 * @throws SpillwayError for what is wrong with the model or the options. That no schedule fits is an answer, and no error.
 */
export async function runPoint(
  task: PointTask,
  compilerHash: string,
  directory: string | undefined,
): Promise<PointAnswer> {
  const model = await imported(task.variant, task.options.dtype);
  const batch = task.batch ?? model.batch;
  refuseBatchOfStates(model.program, batch);
  const key = pointKey(task, batch, model.programHash, compilerHash);
  const note = model.note === undefined ? {} : { note: model.note };
  const known = directory === undefined ? undefined : storedPoint(directory, key);
  if (known !== undefined) return { key, outcome: known, isStored: true, ...note };
  return { key, outcome: await compilePoint(model.program, batch, task), isStored: false, ...note };
}

async function compilePoint(program: Program, batch: number, task: PointTask): Promise<Outcome> {
  const { chip, objective, options } = task;
  const disabledPasses = new Set(options.disabledPasses);
  try {
    const compiled = await compileProgram(program, { ...options, disabledPasses, chip, batch, objective });
    const report = makeReport(compiled);
    const { source: _, ...facts } = report.model;
    return { status: 'done', batch, model: facts, measured: measuredOf(report) };
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.diagnostics.some(({ blame }) => blame !== 'target')) throw error;
    const leastBytes = leastSramBytes(program, disabledPasses, chip.sram.alignmentBytes);
    return {
      status: 'does-not-fit',
      batch,
      leastSramBytes: leastBytes > chip.sram.bytes ? leastBytes : null,
      message: error.diagnostics[0]?.message ?? '',
    };
  }
}

/** For every layer by itself, with everything at home in DRAM. */
function leastSramBytes(program: Program, disabledPasses: ReadonlySet<string>, alignmentBytes: number): number {
  const layers = layersOf(optimise(program, { disabledPasses }));
  return Math.max(...layers.map((layer) => leastLayerBytes(layer, alignmentBytes)));
}
