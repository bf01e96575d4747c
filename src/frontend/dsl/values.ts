import type { SourceLoc } from '../../base/diagnostic.js';
import { formatShape } from '../../ir/shape.js';

/**
 * What an expression of a model file can evaluate to. Every object of the model is one of these, never an object of
 * the host: fields live in a Map, methods in tables of ours, so that no name (`constructor`, `__proto__`) leads out.
 */
export type Value =
  | undefined
  | null
  | number
  | string
  | boolean
  | ListValue
  | RecordValue
  | FunctionValue
  | TensorValue
  | ModelValue;

export interface ListValue {
  readonly kind: 'list';
  readonly items: Value[];
}

export interface RecordValue {
  readonly kind: 'record';
  readonly fields: Map<string, Value>;
  /** Namespaces of ours (Math): fields cannot be assigned. */
  readonly sealed?: true;
}

export interface FunctionValue {
  readonly kind: 'function';
  readonly name: string;
  /** @param site the call in the model file, for diagnostics and as the `loc` of ops */
  readonly call: (args: readonly Value[], site: SourceLoc) => Value;
  /** `Number.isInteger` and the like: members of a function of ours. */
  readonly members?: ReadonlyMap<string, Value>;
}

/** A handle on a tensor of the graph being built. Shapes as in src/ir/types.ts. */
export interface TensorValue {
  readonly kind: 'tensor';
  /** Index into the tensors of the recording (recording.ts). */
  readonly index: number;
  readonly name: string;
  readonly shape: readonly number[];
}

/** What `model({...})` returns: not built yet. */
export interface ModelValue {
  readonly kind: 'model';
  readonly definition: RecordValue;
  readonly site: SourceLoc;
}

export function listOf(items: readonly Value[]): ListValue {
  return { kind: 'list', items: [...items] };
}

export function recordOf(fields: Iterable<readonly [string, Value]>): RecordValue {
  return { kind: 'record', fields: new Map(fields) };
}

/** Fields in the order of JavaScript: keys that are array indices first, by value, then the others as they came. */
export function fieldsInOrder(fields: ReadonlyMap<string, Value>): (readonly [string, Value])[] {
  const entries = [...fields];
  const isIndex = ([key]: readonly [string, Value]): boolean =>
    /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;
  if (!entries.some(isIndex)) return entries;
  const indices = entries.filter(isIndex).sort(([a], [b]) => Number(a) - Number(b));
  return [...indices, ...entries.filter((entry) => !isIndex(entry))];
}

export function isObject(value: Value): value is Exclude<Value, undefined | null | number | string | boolean> {
  return typeof value === 'object' && value !== null;
}

export function isTruthy(value: Value): boolean {
  return isObject(value) || Boolean(value);
}

/** A short description for messages: what the value is, and which. */
export function describe(value: Value): string {
  if (value === undefined) return 'undefined';
  if (value === null) return 'null';
  if (!isObject(value)) {
    if (typeof value !== 'string') return `the ${typeof value} ${String(value)}`;
    return `the string '${value.length > 40 ? `${value.slice(0, 40)}...` : value}'`;
  }
  switch (value.kind) {
    case 'list':
      return `a list of ${value.items.length}`;
    case 'record':
      return value.fields.size === 0
        ? 'an empty object'
        : `an object with ${[...value.fields.keys()].slice(0, 6).join(', ')}`;
    case 'function':
      return value.name.startsWith('the ') ? value.name : `the function ${value.name}`;
    case 'tensor':
      return `the tensor ${value.name} ${formatShape(value.shape)}`;
    case 'model':
      return 'a model';
  }
}
