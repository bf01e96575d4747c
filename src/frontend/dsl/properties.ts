import type { SourceLoc } from '../../base/diagnostic.js';
import { LIST_METHODS } from './list-methods.js';
import type { Machine } from './machine.js';
import { NUMBER_METHODS, STRING_METHODS } from './text-methods.js';
import { describe, isObject, type ListValue, listOf, type TensorValue, type Value } from './values.js';

/** `value.name` where it is not called. */
export function readProperty(machine: Machine, value: Value, name: string, site: SourceLoc): Value {
  if (typeof value === 'string') {
    return name === 'length'
      ? value.length
      : noProperty(machine, value, name, site, ['length', ...STRING_METHODS.keys()]);
  }
  if (!isObject(value)) return machine.fail('SW1005', `${describe(value)} has no property '${name}'`, site);
  switch (value.kind) {
    case 'list':
      if (name === 'length') return value.items.length;
      return noProperty(machine, value, name, site, ['length', ...LIST_METHODS.keys()]);
    case 'record':
      return value.fields.get(name);
    case 'tensor':
      return tensorProperty(machine, value, name, site);
    case 'function':
      if (value.members?.has(name) === true) return value.members.get(name);
      return noProperty(machine, value, name, site, [...(value.members?.keys() ?? [])]);
    case 'model':
      return noProperty(machine, value, name, site, []);
  }
}

function tensorProperty(machine: Machine, tensor: TensorValue, name: string, site: SourceLoc): Value {
  const { shape } = tensor;
  if (name === 'shape') return listOf(shape);
  if (name === 'name') return tensor.name;
  if (name === 'channels') return shape[shape.length - 1];
  if (name === 'height' || name === 'width') {
    if (shape.length === 4) return shape[name === 'height' ? 1 : 2];
    return machine.fail('SW1005', `${describe(tensor)} is no image and has no ${name}`, site);
  }
  return noProperty(machine, tensor, name, site, ['shape', 'height', 'width', 'channels', 'name']);
}

function noProperty(machine: Machine, value: Value, name: string, site: SourceLoc, known: readonly string[]): never {
  const hint = known.length === 0 ? undefined : `known: ${known.join(', ')}`;
  return machine.fail('SW1005', `${describe(value)} has no property '${name}' here`, site, hint);
}

/** `object[key]` */
export function readElement(machine: Machine, object: Value, key: Value, site: SourceLoc): Value {
  if (typeof key === 'number') {
    if (typeof object === 'string') return object[key];
    if (isObject(object) && object.kind === 'list') return object.items[key];
  }
  if (typeof key !== 'string' && typeof key !== 'number') {
    return machine.fail('SW1005', `${describe(key)} is no index`, site);
  }
  if (typeof key === 'number' && !(isObject(object) && object.kind === 'record')) {
    return machine.fail('SW1005', `${describe(object)} cannot be indexed by a number`, site);
  }
  return readProperty(machine, object, String(key), site);
}

export function writeElement(machine: Machine, object: Value, key: Value, value: Value, site: SourceLoc): void {
  if (isObject(object) && object.kind === 'list') {
    writeItem(machine, object, key, value, site);
    return;
  }
  if (isObject(object) && object.kind === 'record' && object.sealed !== true) {
    if (typeof key !== 'string' && typeof key !== 'number') machine.fail('SW1005', `${describe(key)} is no key`, site);
    machine.charge(1, site);
    object.fields.set(String(key), value);
    return;
  }
  machine.fail('SW1005', `${describe(object)} cannot be assigned to`, site);
}

function writeItem(machine: Machine, list: ListValue, key: Value, value: Value, site: SourceLoc): void {
  // Holes are refused: a list of a million holes is one assignment away otherwise.
  if (typeof key !== 'number' || !Number.isInteger(key) || key < 0 || key > list.items.length) {
    machine.fail('SW1005', `${describe(key)} is no index of, or next after, a list of ${list.items.length}`, site);
  }
  if (key === list.items.length) growList(machine, list, 1, site);
  list.items[key] = value;
}

function growList(machine: Machine, list: ListValue, more: number, site: SourceLoc): void {
  // Only the growth costs a step, but the limit is on the whole.
  machine.limitList(list.items.length + more, site);
  machine.charge(more, site);
}

/** `object.name(...args)` */
export function callMethod(
  machine: Machine,
  object: Value,
  name: string,
  args: readonly Value[],
  site: SourceLoc,
): Value {
  machine.charge(1, site);
  if (typeof object === 'string') {
    machine.chargeCharacters(object.length, site);
    const method = STRING_METHODS.get(name);
    if (method !== undefined) return method(object, args, { machine, site, name });
    return noProperty(machine, object, name, site, [...STRING_METHODS.keys()]);
  }
  if (typeof object === 'number') {
    const method = NUMBER_METHODS.get(name);
    if (method !== undefined) return method(object, args, { machine, site, name });
    return noProperty(machine, object, name, site, [...NUMBER_METHODS.keys()]);
  }
  if (isObject(object) && object.kind === 'list') {
    const method = LIST_METHODS.get(name);
    if (method !== undefined) return method(object, args, { machine, site, name });
    return noProperty(machine, object, name, site, [...LIST_METHODS.keys()]);
  }
  const callee = readProperty(machine, object, name, site);
  return machine.call(callee, args, site, () => `'${name}' of ${describe(object)}`);
}
