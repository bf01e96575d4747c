import { SpillwayError } from '../../base/diagnostic.js';
import type { Program } from '../../ir/types.js';
import type { ParamValue } from './params.js';

export interface LoadedModel {
  /**
   * In float32. Weights are int8 constants whose quantisation (one scale per output channel, zero point 0) says which
   * float weights they stand for; biases are float32.
   */
  readonly program: Program;
  /** The parameter `batch` if the model has one, else 1: the default number of frames per period. */
  readonly batch: number;
  readonly params: ReadonlyMap<string, ParamValue>;
}

/**
 * Reads a `.model.ts` file. The file is evaluated over its syntax tree and never run.
 *
 * @param path as the user named it
 * @param given values of parameters as texts, `--param name=text`
 * @throws SpillwayError SW10xx, blame model, at file:line:column; codes in machine.ts
 */
export async function loadModelFile(
  path: string,
  given: ReadonlyMap<string, string> = new Map(),
): Promise<LoadedModel> {
  // ts-morph takes half a second to load: only those who read a model file pay for it.
  const { evaluateModelFile } = await import('./evaluate.js');
  const { program, params } = evaluateModelFile(path, given);
  const batch = params.get('batch') ?? 1;
  if (typeof batch !== 'number' || !Number.isInteger(batch) || batch < 1) {
    const message = `the parameter 'batch' is ${batch}; it must be an integer of at least 1`;
    const hint = 'batch is the number of frames per period';
    throw new SpillwayError([{ code: 'SW1009', blame: 'model', message, loc: { file: path }, hint }]);
  }
  return { program, batch, params };
}
