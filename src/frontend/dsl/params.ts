import type { SourceLoc } from '../../base/diagnostic.js';
import type { Machine } from './machine.js';
import { describe, isObject, type RecordValue, type Value } from './values.js';

export type ParamValue = number | string | boolean;

interface ParamSpec {
  readonly otherwise: ParamValue;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly multipleOf: number | undefined;
  readonly oneOf: readonly ParamValue[] | undefined;
}

const SPEC_FIELDS: readonly string[] = ['default', 'min', 'max', 'multipleOf', 'oneOf'];

/** Problems with parameters, all of them together. */
interface Problems {
  readonly machine: Machine;
  readonly site: SourceLoc;
  readonly messages: string[];
}

/**
 * Values of the parameters: what the command line gave, or the defaults.
 *
 * @param declared the `params` field of the model
 * @param given texts by name, as in `--param k=v`
 * @throws SpillwayError SW1009 for an unknown name, a text that is no value of the type, a value out of its limits
 */
export function resolveParams(
  machine: Machine,
  declared: Value,
  given: ReadonlyMap<string, string>,
  site: SourceLoc,
): ReadonlyMap<string, ParamValue> {
  const problems: Problems = { machine, site, messages: [] };
  const specs = readSpecs(problems, declared);
  const values = new Map<string, ParamValue>();
  for (const [name, spec] of specs) {
    const text = given.get(name);
    const value = text === undefined ? spec.otherwise : parseValue(problems, name, text, spec.otherwise);
    checkLimits(problems, name, value, spec);
    values.set(name, value);
  }
  for (const name of given.keys()) {
    if (!specs.has(name)) problems.messages.push(`the model has no parameter '${name}'`);
  }
  if (problems.messages.length > 0) {
    const known = [...specs].map(([name, spec]) => `${name} (${typeof spec.otherwise}, default ${spec.otherwise})`);
    const hint = known.length === 0 ? 'the model has no parameters' : `parameters of this model: ${known.join(', ')}`;
    machine.fail('SW1009', problems.messages.join('; '), site, hint);
  }
  return values;
}

function readSpecs(problems: Problems, declared: Value): ReadonlyMap<string, ParamSpec> {
  if (declared === undefined) return new Map();
  if (!isObject(declared) || declared.kind !== 'record') {
    return problems.machine.fail('SW1008', `params must be an object, not ${describe(declared)}`, problems.site);
  }
  return new Map([...declared.fields].map(([name, value]) => [name, readSpec(problems, name, value)]));
}

function readSpec(problems: Problems, name: string, value: Value): ParamSpec {
  if (isObject(value) && value.kind === 'record') return readFullSpec(problems, name, value);
  return {
    otherwise: plainValue(problems, name, value),
    min: undefined,
    max: undefined,
    multipleOf: undefined,
    oneOf: undefined,
  };
}

function readFullSpec(problems: Problems, name: string, record: RecordValue): ParamSpec {
  const { machine, site } = problems;
  const unknown = [...record.fields.keys()].filter((key) => !SPEC_FIELDS.includes(key));
  if (unknown.length > 0) {
    const message = `parameter '${name}' has no field ${unknown.map((key) => `'${key}'`).join(', ')}`;
    machine.fail('SW1008', message, site, `fields of a parameter: ${SPEC_FIELDS.join(', ')}`);
  }
  const number = (key: string): number | undefined => {
    const value = record.fields.get(key);
    if (value === undefined || typeof value === 'number') return value;
    return machine.fail('SW1008', `${key} of parameter '${name}' must be a number, not ${describe(value)}`, site);
  };
  const oneOf = record.fields.get('oneOf');
  if (oneOf !== undefined && (!isObject(oneOf) || oneOf.kind !== 'list')) {
    machine.fail('SW1008', `oneOf of parameter '${name}' must be a list, not ${describe(oneOf)}`, site);
  }
  return {
    otherwise: plainValue(problems, name, record.fields.get('default')),
    min: number('min'),
    max: number('max'),
    multipleOf: number('multipleOf'),
    oneOf:
      isObject(oneOf) && oneOf.kind === 'list'
        ? oneOf.items.map((item) => plainValue(problems, name, item))
        : undefined,
  };
}

function plainValue(problems: Problems, name: string, value: Value): ParamValue {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  const message = `the default of parameter '${name}' must be a number, a string or a boolean, not ${describe(value)}`;
  return problems.machine.fail('SW1008', message, problems.site);
}

/** A text of the command line as a value of the type of the default. */
function parseValue(problems: Problems, name: string, text: string, otherwise: ParamValue): ParamValue {
  if (typeof otherwise === 'string') return text;
  if (typeof otherwise === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
  } else if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text.trim())) return Number(text);
  problems.messages.push(`parameter '${name}' is a ${typeof otherwise}, which '${text.slice(0, 60)}' is not`);
  return otherwise;
}

function checkLimits(problems: Problems, name: string, value: ParamValue, spec: ParamSpec): void {
  const say = (what: string) => problems.messages.push(`parameter '${name}' is ${value} but must be ${what}`);
  if (spec.oneOf !== undefined && !spec.oneOf.includes(value)) say(`one of ${spec.oneOf.join(', ')}`);
  if (typeof value !== 'number') return;
  if (spec.min !== undefined && !(value >= spec.min)) say(`at least ${spec.min}`);
  if (spec.max !== undefined && !(value <= spec.max)) say(`at most ${spec.max}`);
  if (spec.multipleOf !== undefined && value % spec.multipleOf !== 0) say(`a multiple of ${spec.multipleOf}`);
}
