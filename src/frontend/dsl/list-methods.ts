import { callbackArgument, type NativeCall, numberArgument, stringArgument } from './native.js';
import { toText } from './operators.js';
import { describe, isObject, isTruthy, type ListValue, listOf, type Value } from './values.js';

export type ListMethod = (list: ListValue, args: readonly Value[], call: NativeCall) => Value;

const newList = (items: Value[], call: NativeCall): ListValue => {
  call.machine.chargeList(items.length, call.site);
  return { kind: 'list', items };
};

/** Calls back with (item, index, list) for every item, live as in JavaScript; `visit` returns true to stop. */
function scan(
  list: ListValue,
  args: readonly Value[],
  call: NativeCall,
  visit: (result: Value, index: number) => boolean,
): void {
  const callback = callbackArgument(call, args, 0);
  for (let index = 0; index < list.items.length; index++) {
    if (visit(callback(list.items[index], index, list), index)) return;
  }
}

function map(list: ListValue, args: readonly Value[], call: NativeCall): ListValue {
  const items: Value[] = [];
  scan(list, args, call, (result) => {
    items.push(result);
    return false;
  });
  return newList(items, call);
}

function flatten(list: ListValue, call: NativeCall): ListValue {
  const items: Value[] = [];
  for (const item of list.items) {
    if (!isObject(item) || item.kind !== 'list') items.push(item);
    else for (const inner of item.items) items.push(inner);
    call.machine.limitList(items.length, call.site);
  }
  return newList(items, call);
}

function reduce(list: ListValue, args: readonly Value[], call: NativeCall): Value {
  const callback = callbackArgument(call, args, 0);
  const seeded = args.length > 1;
  if (!seeded && list.items.length === 0) {
    call.machine.fail('SW1005', 'reduce of an empty list needs a first value', call.site);
  }
  let result = seeded ? args[1] : list.items[0];
  for (let index = seeded ? 0 : 1; index < list.items.length; index++) {
    result = callback(result, list.items[index], index, list);
  }
  return result;
}

function sortItems(list: ListValue, args: readonly Value[], call: NativeCall): ListValue {
  if (args[0] === undefined) {
    if (!list.items.every((item) => typeof item === 'string')) {
      call.machine.fail('SW1005', 'sort without a comparison is for strings', call.site, 'sort((a, b) => a - b)');
    }
    call.machine.charge(list.items.length * 16, call.site);
    list.items.sort();
    return list;
  }
  const compare = callbackArgument(call, args, 0);
  list.items.sort((a, b) => {
    const order = compare(a, b);
    if (typeof order === 'number') return order;
    return call.machine.fail('SW1005', `a comparison must return a number, not ${describe(order)}`, call.site);
  });
  return list;
}

function concat(list: ListValue, args: readonly Value[], call: NativeCall): ListValue {
  const parts = args.map((arg) => (isObject(arg) && arg.kind === 'list' ? arg.items : [arg]));
  const total = parts.reduce((sum, part) => sum + part.length, list.items.length);
  call.machine.chargeList(total, call.site);
  return { kind: 'list', items: list.items.concat(...parts) };
}

function push(list: ListValue, args: readonly Value[], call: NativeCall): number {
  call.machine.limitList(list.items.length + args.length, call.site);
  call.machine.charge(args.length, call.site);
  return list.items.push(...args);
}

function unshift(list: ListValue, args: readonly Value[], call: NativeCall): number {
  // Moves every item: charged for all of them.
  call.machine.chargeList(list.items.length + args.length, call.site);
  return list.items.unshift(...args);
}

function fill(list: ListValue, args: readonly Value[], call: NativeCall): ListValue {
  call.machine.charge(list.items.length, call.site);
  list.items.fill(args[0], numberArgument(call, args, 1, 0), numberArgument(call, args, 2, list.items.length));
  return list;
}

function splice(list: ListValue, args: readonly Value[], call: NativeCall): ListValue {
  call.machine.chargeList(list.items.length + args.length, call.site);
  const start = numberArgument(call, args, 0);
  const count = numberArgument(call, args, 1, list.items.length);
  return { kind: 'list', items: list.items.splice(start, count, ...args.slice(2)) };
}

function find(list: ListValue, args: readonly Value[], call: NativeCall, otherwise: number): number {
  let found = otherwise;
  scan(list, args, call, (result, index) => {
    if (isTruthy(result)) found = index;
    return isTruthy(result);
  });
  return found;
}

/** A search or a copy over the whole list, charged for its length. */
const whole =
  (method: (list: ListValue, args: readonly Value[], call: NativeCall) => Value): ListMethod =>
  (list, args, call) => {
    call.machine.charge(list.items.length, call.site);
    return method(list, args, call);
  };

export const LIST_METHODS: ReadonlyMap<string, ListMethod> = new Map<string, ListMethod>([
  ['push', push],
  ['pop', (list) => list.items.pop()],
  ['shift', whole((list) => list.items.shift())],
  ['unshift', unshift],
  ['map', map],
  ['flatMap', (list, args, call) => flatten(map(list, args, call), call)],
  ['flat', (list, _args, call) => flatten(list, call)],
  [
    'forEach',
    (list, args, call) => {
      scan(list, args, call, () => false);
      return undefined;
    },
  ],
  [
    'filter',
    (list, args, call) => {
      const kept: Value[] = [];
      scan(list, args, call, (result, index) => {
        if (isTruthy(result)) kept.push(list.items[index]);
        return false;
      });
      return newList(kept, call);
    },
  ],
  ['reduce', reduce],
  ['some', (list, args, call) => find(list, args, call, -1) >= 0],
  [
    'every',
    (list, args, call) => {
      let all = true;
      scan(list, args, call, (result) => {
        all = isTruthy(result);
        return !all;
      });
      return all;
    },
  ],
  ['find', (list, args, call) => list.items[find(list, args, call, -1)]],
  ['findIndex', (list, args, call) => find(list, args, call, -1)],
  ['includes', whole((list, args) => list.items.includes(args[0]))],
  ['indexOf', whole((list, args) => list.items.indexOf(args[0]))],
  ['lastIndexOf', whole((list, args) => list.items.lastIndexOf(args[0]))],
  ['at', (list, args, call) => list.items.at(numberArgument(call, args, 0))],
  [
    'slice',
    whole((list, args, call) =>
      listOf(list.items.slice(numberArgument(call, args, 0, 0), numberArgument(call, args, 1, list.items.length))),
    ),
  ],
  ['splice', splice],
  ['concat', concat],
  ['fill', fill],
  [
    'reverse',
    whole((list) => {
      list.items.reverse();
      return list;
    }),
  ],
  ['toReversed', whole((list) => listOf(list.items.toReversed()))],
  ['sort', sortItems],
  ['toSorted', whole((list, args, call) => sortItems(listOf(list.items), args, call))],
  ['entries', whole((list) => listOf(list.items.map((item, index) => listOf([index, item]))))],
  ['keys', whole((list) => listOf(Array.from(list.items.keys())))],
  [
    'join',
    whole((list, args, call) => {
      const separator = stringArgument(call, args, 0, ',');
      let text = '';
      list.items.forEach((item, index) => {
        text +=
          (index === 0 ? '' : separator) +
          (item === undefined || item === null ? '' : toText(item, call.machine, call.site));
        call.machine.chargeCharacters(text.length, call.site);
      });
      return text;
    }),
  ],
]);
