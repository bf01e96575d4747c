import type { SourceLoc } from '../../base/diagnostic.js';
import type { Machine } from './machine.js';
import { describe, type FunctionValue, isObject, type ListValue, type Value } from './values.js';

/** One call of a function of ours from the model file. */
export interface NativeCall {
  readonly machine: Machine;
  readonly site: SourceLoc;
  readonly name: string;
}

export function nativeFunction(
  machine: Machine,
  name: string,
  body: (args: readonly Value[], call: NativeCall) => Value,
  members?: ReadonlyMap<string, Value>,
): FunctionValue {
  return {
    kind: 'function',
    name,
    call: (args, site) => body(args, { machine, site, name }),
    ...(members === undefined ? {} : { members }),
  };
}

function wrong(call: NativeCall, index: number, needed: string, value: Value): never {
  return call.machine.fail(
    'SW1005',
    `argument ${index + 1} of ${call.name} must be ${needed}, not ${describe(value)}`,
    call.site,
  );
}

export function numberArgument(call: NativeCall, args: readonly Value[], index: number, otherwise?: number): number {
  const value = args[index];
  if (value === undefined && otherwise !== undefined) return otherwise;
  return typeof value === 'number' ? value : wrong(call, index, 'a number', value);
}

export function stringArgument(call: NativeCall, args: readonly Value[], index: number, otherwise?: string): string {
  const value = args[index];
  if (value === undefined && otherwise !== undefined) return otherwise;
  return typeof value === 'string' ? value : wrong(call, index, 'a string', value);
}

export function listArgument(call: NativeCall, args: readonly Value[], index: number): ListValue {
  const value = args[index];
  return isObject(value) && value.kind === 'list' ? value : wrong(call, index, 'a list', value);
}

/** A function argument, ready to be called from a native. */
export function callbackArgument(call: NativeCall, args: readonly Value[], index: number): (...args: Value[]) => Value {
  const value = args[index];
  if (!isObject(value) || value.kind !== 'function') return wrong(call, index, 'a function', value);
  return (...given) => {
    call.machine.charge(1, call.site);
    return value.call(given, call.site);
  };
}
