/** Reads a model file of any kind into the graph that everything else starts from: quantised, or in float32. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { SpillwayError } from '../base/diagnostic.js';
import type { Program } from '../ir/types.js';

export interface ImportOptions {
  readonly params: ReadonlyMap<string, string>;
  readonly shapes?: ReadonlyMap<string, readonly number[]>; // of inputs with open dimensions
  readonly states?: ReadonlyMap<string, string>; // of ONNX files: input to output
  readonly dtype: 'int8' | 'float32';
}

export interface ImportedModel {
  readonly program: Program;
  readonly batch: number; // the model's own default
  readonly note?: string; // what the user should know about the numbers
}

/** @throws SpillwayError for a missing file, an unknown kind, and whatever the front end finds wrong */
export async function importModel(path: string, options: ImportOptions): Promise<ImportedModel> {
  const { program, batch, note: own } = await readModel(path, options.params, options.shapes, options.states);
  const kept = own === undefined ? {} : { note: own };
  const { toFloat32 } = await import('../frontend/quantize/to-float32.js');
  if (options.dtype === 'float32' || isQuantizedProgram(program)) {
    // What is left of real numbers in a file that comes quantised stays real.
    return { program: toFloat32(program), batch, ...kept };
  }
  const { operatorsInFloatOnly } = await import('../frontend/quantize/float-only.js');
  const why = whyFloat32(program, operatorsInFloatOnly(program));
  if (why !== undefined) {
    const notes = [`kept in float32: ${why}`, ...(own === undefined ? [] : [own])];
    return { program: toFloat32(program), batch, note: notes.join('; ') };
  }
  const { quantizeProgram } = await import('../frontend/quantize/quantize-program.js');
  return { program: quantizeProgram(program), batch, ...kept };
}

function whyFloat32(program: Program, floats: readonly string[]): string | undefined {
  if (floats.length > 0) {
    const names = floats.length > 4 ? `${floats.slice(0, 4).join(', ')} ...` : floats.join(', ');
    return `${floats.length} kind(s) of operators have no form in integers (${names})`;
  }
  if (program.states === undefined) return undefined;
  return 'it carries state from frame to frame, whose range one sample does not show';
}

/** Files that come quantised keep their own numbers. */
function isQuantizedProgram(program: Program): boolean {
  return [...program.tensors.values()].some(({ id, quant }) => quant !== undefined && !program.constants.has(id));
}

/** The model in float32 or in the file's own numbers, before quantisation. @throws SpillwayError as importModel */
export async function readModel(
  path: string,
  params: ReadonlyMap<string, string>,
  shapes: ReadonlyMap<string, readonly number[]> = new Map(),
  states: ReadonlyMap<string, string> = new Map(),
): Promise<ImportedModel> {
  if (!existsSync(path)) {
    throw new SpillwayError([
      { code: 'SW8002', blame: 'input', message: `there is no file '${path}'`, loc: { file: path } },
    ]);
  }
  if (path.endsWith('.model.ts')) {
    const { loadModelFile } = await import('../frontend/dsl/load.js');
    return loadModelFile(path, params);
  }
  if (path.endsWith('.onnx')) {
    refuseParams(path, params);
    const { loadOnnx } = await import('../frontend/onnx/load-onnx.js');
    const program = loadOnnx(path, { shapes, states });
    const { stateNote } = await import('./state-note.js');
    const note = stateNote(program);
    return { program, batch: 1, ...(note === undefined ? {} : { note }) };
  }
  if (states.size > 0) {
    throw new SpillwayError([
      {
        code: 'SW8003',
        blame: 'usage',
        message: `--state is for ONNX files; the states of '${basename(path)}' are its own`,
        loc: { file: path },
      },
    ]);
  }
  if (path.endsWith('.tflite')) {
    refuseParams(path, params);
    const { loadTflite } = await import('../frontend/tflite/load-tflite.js');
    return { program: loadTflite(path, shapes), batch: 1 };
  }
  throw new SpillwayError([
    {
      code: 'SW8004',
      blame: 'unsupported',
      message: `'${basename(path)}' is no kind of model file that this version reads`,
      loc: { file: path },
      hint: 'models are .model.ts, .onnx or .tflite files',
    },
  ]);
}

function refuseParams(path: string, params: ReadonlyMap<string, string>): void {
  if (params.size === 0) return;
  throw new SpillwayError([
    {
      code: 'SW8003',
      blame: 'usage',
      message: `--param is for .model.ts files; '${basename(path)}' has no parameters`,
      loc: { file: path },
    },
  ]);
}
