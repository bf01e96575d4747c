import { type SourceLoc, SpillwayError } from '../../base/diagnostic.js';
import type { Program } from '../../ir/types.js';
import { globalValues } from './globals.js';
import { LAYERS } from './layers.js';
import { Machine } from './machine.js';
import { loadModule, newModuleLoader } from './modules.js';
import { type NativeCall, nativeFunction } from './native.js';
import { NAME } from './options.js';
import { type ParamValue, resolveParams } from './params.js';
import { Recording } from './recording.js';
import {
  describe,
  fieldsInOrder,
  isObject,
  type ModelValue,
  recordOf,
  type TensorValue,
  type Value,
} from './values.js';

export interface EvaluatedModel {
  readonly program: Program;
  readonly params: ReadonlyMap<string, ParamValue>;
}

/** The graph while `build` runs; builder calls at any other time have no model to belong to. */
interface Stage {
  recording: Recording | undefined;
}

/**
 * Evaluates a model file and the files it imports.
 *
 * @throws SpillwayError (blame model) at the place of whatever is wrong
 */
export function evaluateModelFile(path: string, given: ReadonlyMap<string, string>): EvaluatedModel {
  const machine = new Machine();
  try {
    return evaluate(machine, path, given);
  } catch (error) {
    // The parser and the translation recurse with the source: deep nesting ends in the host's stack.
    if (!isStackOverflow(error)) throw error;
    return machine.fail(
      'SW1006',
      'expressions or calls are nested too deeply',
      { file: path },
      'name the parts with const',
    );
  }
}

function isStackOverflow(error: unknown): boolean {
  return String(error) === 'RangeError: Maximum call stack size exceeded';
}

function evaluate(machine: Machine, path: string, given: ReadonlyMap<string, string>): EvaluatedModel {
  const stage: Stage = { recording: undefined };
  const loader = newModuleLoader(machine, path, globalValues(machine), modelModule(machine, stage));
  const main = loadModule(loader, path);
  const exported = main.exports.get('default');
  if (!isObject(exported) || exported.kind !== 'model') {
    const what = main.exports.has('default')
      ? `${describe(exported)} is the default export`
      : 'there is no default export';
    const hint = "end the file with: export default model({ name: '...', params: {...}, build: (params) => ... })";
    return machine.fail('SW1008', `a model file exports a model; ${what}`, main.defaultSite, hint);
  }
  return buildModel(machine, stage, exported, path, given);
}

function modelModule(machine: Machine, stage: Stage): ReadonlyMap<string, Value> {
  const members = new Map<string, Value>([['model', nativeFunction(machine, 'model', defineModel)]]);
  for (const [name, layer] of Object.entries(LAYERS)) {
    const body = (args: readonly Value[], call: NativeCall): Value => {
      if (stage.recording !== undefined) return layer(stage.recording, call, args);
      const hint = 'call it in the build function of model({...})';
      return machine.fail('SW1008', `${name} is called while no model is being built`, call.site, hint);
    };
    members.set(name, nativeFunction(machine, name, body));
  }
  return members;
}

const DEFINITION_FIELDS: readonly string[] = ['name', 'params', 'build'];

function defineModel(args: readonly Value[], call: NativeCall): ModelValue {
  const [definition] = args;
  const { machine, site } = call;
  const hint = "model({ name: 'net', params: { size: 224 }, build: ({ size }) => ... })";
  if (!isObject(definition) || definition.kind !== 'record') {
    return machine.fail('SW1008', `model takes an object, not ${describe(definition)}`, site, hint);
  }
  const unknown = [...definition.fields.keys()].filter((key) => !DEFINITION_FIELDS.includes(key));
  if (unknown.length > 0) machine.fail('SW1008', `model has no field ${unknown.join(', ')}`, site, hint);
  return { kind: 'model', definition, site };
}

function buildModel(
  machine: Machine,
  stage: Stage,
  model: ModelValue,
  path: string,
  given: ReadonlyMap<string, string>,
): EvaluatedModel {
  const { site, definition } = model;
  const name = definition.fields.get('name');
  if (typeof name !== 'string' || !/^[\w.-]{1,80}$/.test(name)) {
    return machine.fail(
      'SW1008',
      `the name of a model is made of letters, digits, . _ and -, not ${describe(name)}`,
      site,
    );
  }
  const build = definition.fields.get('build');
  const params = resolveParams(machine, definition.fields.get('params'), given, site);
  const recording = new Recording();
  stage.recording = recording;
  const result = machine.enter(build, [recordOf(params)], site, () => 'the field build of the model');
  stage.recording = undefined;
  const outputs = readOutputs(machine, recording, result, site);
  const { program, unusedInputs } = recording.finish(name, path, outputs);
  if (unusedInputs.length > 0) {
    throw new SpillwayError(
      unusedInputs.map(({ tensor, loc }) => {
        const message = `no output depends on the input '${tensor.name}'`;
        return { code: 'SW1008', blame: 'model', message, loc, hint: 'leave it out, or return what uses it' };
      }),
    );
  }
  return { program, params };
}

interface NamedOutput {
  readonly tensor: TensorValue;
  readonly name: string | undefined;
}

/** What `build` returned: a tensor, a list of them, or an object whose fields name them. */
function readOutputs(machine: Machine, recording: Recording, result: Value, site: SourceLoc): NamedOutput[] {
  const outputs = asTensors(result);
  if (outputs === undefined || outputs.length === 0) {
    const hint = 'return the tensor, a list of tensors, or an object with tensors';
    return machine.fail('SW1008', `build must return the outputs of the model, not ${describe(result)}`, site, hint);
  }
  const seen = new Set<number>();
  for (const { tensor, name } of outputs) {
    if (name !== undefined && !NAME.test(name)) {
      machine.fail('SW1008', `'${name.slice(0, 60)}' is no name for an output`, site, 'letters, digits and . + - _');
    }
    if (seen.has(tensor.index)) machine.fail('SW1008', `'${tensor.name}' is returned twice as an output`, site);
    if (recording.isInput(tensor)) machine.fail('SW1008', `the input '${tensor.name}' is returned as an output`, site);
    seen.add(tensor.index);
  }
  return outputs;
}

function asTensors(result: Value): NamedOutput[] | undefined {
  if (!isObject(result)) return undefined;
  if (result.kind === 'tensor') return [{ tensor: result, name: undefined }];
  const entries: (readonly [string | undefined, Value])[] =
    result.kind === 'list'
      ? result.items.map((item) => [undefined, item] as const)
      : result.kind === 'record'
        ? fieldsInOrder(result.fields)
        : [];
  const outputs: NamedOutput[] = [];
  for (const [name, value] of entries) {
    if (!isObject(value) || value.kind !== 'tensor') return undefined;
    outputs.push({ tensor: value, name });
  }
  return outputs;
}
