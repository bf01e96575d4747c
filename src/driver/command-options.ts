/** Options that several commands share, and the readers of their values. */
import type { Command } from 'commander';
import { SpillwayError } from '../base/diagnostic.js';
import { OBJECTIVES, type Objective } from './objective-names.js';

export const PLACEMENTS = ['none', 'greedy', 'ilp'] as const;
export type PlacementName = (typeof PLACEMENTS)[number];

/** What commander hands to the action of a command with `addCompilerOptions`. */
export interface CompilerFlags {
  readonly blocks: boolean;
  readonly parts: boolean;
  readonly resident: boolean;
  readonly dtype: 'int8' | 'float32';
  readonly solver: 'glpk' | 'highs';
  readonly timeLimit: number;
  readonly gap: number;
  readonly disablePass?: readonly string[];
}

/** What of these flags the compiler takes as it is. */
export function searchOptions({ dtype, blocks, parts, resident, solver, gap, timeLimit }: CompilerFlags) {
  return { dtype, blocks, parts, resident, solver, gap, timeLimitSeconds: timeLimit };
}

/** What commander hands to the action of a command with `addCompileOptions`. */
export interface CompileFlags extends CompilerFlags {
  readonly target?: string;
  readonly batch?: number;
  readonly param?: ReadonlyMap<string, string>;
  readonly input?: ReadonlyMap<string, readonly number[]>;
  readonly state?: ReadonlyMap<string, string>;
  readonly sram?: number;
  readonly objective: Objective;
}

export function usageError(message: string, hint?: string): SpillwayError {
  const loc = { file: 'command line' };
  return new SpillwayError([{ code: 'SW8001', blame: 'usage', message, loc, ...(hint === undefined ? {} : { hint }) }]);
}

/** @returns a reader for commander's `argParser`, which refuses what is not in the list */
export function oneOf<T extends string>(option: string, values: readonly T[]): (text: string) => T {
  const read = (text: string): T => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw usageError(`${option} is '${text}'; it must be one of ${values.join(', ')}`);
    return found;
  };
  return Object.assign(read, { values });
}

/** What a reader that `oneOf` made accepts; nothing for other readers. */
export function valuesOf(reader: unknown): readonly string[] {
  return typeof reader === 'function' && 'values' in reader && Array.isArray(reader.values) ? reader.values : [];
}

export function integerFrom(option: string, least: number, most = 2 ** 31): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw usageError(`${option} is '${text}'; it must be an integer from ${least} to ${most}`);
  };
}

export function numberFrom(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    throw usageError(`${option} is '${text}'; it must be a number from ${least} to ${most}`);
  };
}

/** `524288`, `512KiB`, `8MiB`. */
export function bytesFrom(option: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB)?$/.exec(text.trim());
    const unit = match?.[2] === 'MiB' ? 2 ** 20 : match?.[2] === 'KiB' ? 2 ** 10 : 1;
    const value = Number(match?.[1]) * unit;
    if (Number.isInteger(value) && value > 0 && value <= 2 ** 31) return value;
    throw usageError(`${option} is '${text}'; it must be a positive number of bytes`, 'examples: 524288, 512KiB, 8MiB');
  };
}

/** `--param size=608`, repeatable. */
export function addPair(option: string) {
  return (text: string, previous: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> => {
    const at = text.indexOf('=');
    if (at <= 0) throw usageError(`${option} is '${text}'; it must have the form name=value`);
    const name = text.slice(0, at);
    if (previous.has(name)) throw usageError(`${option} gives '${name}' twice`);
    return new Map([...previous, [name, text.slice(at + 1)]]);
  };
}

/** `--input x=1x3x640x640`, repeatable; a lone number is the value of a scalar input. */
export function addShape(text: string, previous: ReadonlyMap<string, readonly number[]> = new Map()) {
  const at = text.lastIndexOf('=');
  const [name, shape] = [text.slice(0, at), text.slice(at + 1)];
  const numbers = shape.split('x').map((part) => (/^-?\d+(\.\d+)?$/.test(part) ? Number(part) : Number.NaN));
  if (at <= 0 || numbers.some(Number.isNaN)) {
    throw usageError(`--input is '${text}'; it must have the form name=1x3x640x640`);
  }
  if (previous.has(name)) throw usageError(`--input gives '${name}' twice`);
  return new Map([...previous, [name, numbers]]);
}

export function addToList(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text];
}

/** Options of every command that compiles once; --placement is not among them, because compare runs all of them. */
export function addCompileOptions(command: Command): Command {
  command
    .option('-t, --target <target>', 'needed: a chip in targets/, or the path of a chip file')
    .option('--batch <n>', "frames per period (default: the model's own, or 1)", integerFrom('--batch', 1, 4096))
    .option('-p, --param <name=value>', 'set a parameter of a .model.ts file; repeatable', addPair('--param'))
    .option(
      '-i, --input <name=shape>',
      'shape of an input with open dimensions, e.g. x=1x3x640x640; repeatable',
      addShape,
    )
    .option(
      '--state <input=output>',
      'an input of an ONNX file that carries this output over from the frame before; repeatable',
      addPair('--state'),
    )
    .option('--sram <bytes>', "another SRAM size than the chip file's, e.g. 512KiB or 2MiB", bytesFrom('--sram'))
    .option(
      '--objective <what>',
      'traffic: fewest DRAM bytes; latency, throughput, energy: of more plans, the one with the least predicted time or energy',
      oneOf('--objective', OBJECTIVES),
      'traffic',
    );
  return addCompilerOptions(command);
}

/** Options that are the same for every point of a sweep. */
export function addCompilerOptions(command: Command): Command {
  return command
    .option('--dtype <type>', 'numbers to compute in: int8 or float32', oneOf('--dtype', ['int8', 'float32']), 'int8')
    .option('--no-blocks', 'run layer by layer: form no depth-first blocks')
    .option('--no-parts', 'keep tensors in SRAM or in DRAM as a whole, never in part')
    .option('--no-resident', 'keep no weights in SRAM from period to period: each is read in every one')
    .option('--solver <name>', 'ILP solver: glpk or highs', oneOf('--solver', ['glpk', 'highs']), 'glpk')
    .option('--time-limit <seconds>', 'for the ILP search, as a last resort', numberFrom('--time-limit', 0, 86400), 60)
    .option('--gap <fraction>', 'stop the ILP within this share of its bound', numberFrom('--gap', 0, 1), 0.001)
    .option('--disable-pass <name>', 'leave an optional pass out; repeatable', addToList);
}
