import type { Machine } from './machine.js';
import {
  callbackArgument,
  listArgument,
  type NativeCall,
  nativeFunction,
  numberArgument,
  stringArgument,
} from './native.js';
import { toText } from './operators.js';
import {
  describe,
  fieldsInOrder,
  isObject,
  isTruthy,
  type ListValue,
  listOf,
  type RecordValue,
  recordOf,
  type Value,
} from './values.js';

/** Of Math, what a model can need. Math.random is left out on purpose: the same file must give the same model. */
const MATH_UNARY: readonly (readonly [string, (x: number) => number])[] = [
  ['floor', Math.floor],
  ['ceil', Math.ceil],
  ['round', Math.round],
  ['trunc', Math.trunc],
  ['abs', Math.abs],
  ['sign', Math.sign],
  ['sqrt', Math.sqrt],
  ['cbrt', Math.cbrt],
  ['exp', Math.exp],
  ['log', Math.log],
  ['log2', Math.log2],
  ['log10', Math.log10],
];

/** The names that a model file sees without importing them. */
export function globalValues(machine: Machine): ReadonlyMap<string, Value> {
  const native = (name: string, body: (args: readonly Value[], call: NativeCall) => Value) =>
    [name.slice(name.lastIndexOf('.') + 1), nativeFunction(machine, name, body)] as const;
  return new Map<string, Value>([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['Math', mathNamespace(machine)],
    ['Object', objectNamespace(machine)],
    [
      'Array',
      nativeFunction(
        machine,
        'Array',
        arrayOfLength,
        new Map<string, Value>([
          native('Array.from', arrayFrom),
          native('Array.of', (args) => listOf(args)),
          native('Array.isArray', ([value]) => isObject(value) && value.kind === 'list'),
        ]),
      ),
    ],
    [
      'Number',
      nativeFunction(
        machine,
        'Number',
        ([value], call) => toNumber(value, call),
        new Map<string, Value>([
          native('Number.isInteger', ([value]) => Number.isInteger(value)),
          native('Number.isFinite', ([value]) => Number.isFinite(value)),
          native('Number.isNaN', ([value]) => Number.isNaN(value)),
          native('Number.parseInt', (args, call) =>
            Number.parseInt(stringArgument(call, args, 0), numberArgument(call, args, 1, 10)),
          ),
          native('Number.parseFloat', (args, call) => Number.parseFloat(stringArgument(call, args, 0))),
          ['MAX_SAFE_INTEGER', Number.MAX_SAFE_INTEGER],
          ['EPSILON', Number.EPSILON],
        ]),
      ),
    ],
    ['String', nativeFunction(machine, 'String', ([value], call) => toText(value, machine, call.site))],
    ['Boolean', nativeFunction(machine, 'Boolean', ([value]) => isTruthy(value))],
    native('parseInt', (args, call) =>
      Number.parseInt(stringArgument(call, args, 0), numberArgument(call, args, 1, 10)),
    ),
    native('parseFloat', (args, call) => Number.parseFloat(stringArgument(call, args, 0))),
  ]);
}

function mathNamespace(machine: Machine): RecordValue {
  const members: [string, Value][] = [
    ['PI', Math.PI],
    ['E', Math.E],
    ['SQRT2', Math.SQRT2],
  ];
  for (const [name, compute] of MATH_UNARY) {
    const body = (args: readonly Value[], call: NativeCall) => compute(numberArgument(call, args, 0));
    members.push([name, nativeFunction(machine, `Math.${name}`, body)]);
  }
  for (const [name, compute] of [
    ['max', Math.max],
    ['min', Math.min],
    ['hypot', Math.hypot],
  ] as const) {
    const body = (args: readonly Value[], call: NativeCall) =>
      compute(...args.map((_, i) => numberArgument(call, args, i)));
    members.push([name, nativeFunction(machine, `Math.${name}`, body)]);
  }
  const pow = (args: readonly Value[], call: NativeCall) =>
    numberArgument(call, args, 0) ** numberArgument(call, args, 1);
  members.push(['pow', nativeFunction(machine, 'Math.pow', pow)]);
  return { ...recordOf(members), sealed: true };
}

function objectNamespace(machine: Machine): RecordValue {
  const over = (name: string, body: (record: RecordValue, call: NativeCall) => Value): [string, Value] => [
    name,
    nativeFunction(machine, `Object.${name}`, ([value], call) => {
      if (!isObject(value) || value.kind !== 'record') {
        return machine.fail('SW1005', `${call.name} takes an object, not ${describe(value)}`, call.site);
      }
      machine.charge(value.fields.size, call.site);
      return body(value, call);
    }),
  ];
  return {
    ...recordOf([
      over('keys', (record) => listOf(fieldsInOrder(record.fields).map(([key]) => key))),
      over('values', (record) => listOf(fieldsInOrder(record.fields).map(([, value]) => value))),
      over('entries', (record) => listOf(fieldsInOrder(record.fields).map((entry) => listOf(entry)))),
      over('freeze', (record) => record),
      ['fromEntries', nativeFunction(machine, 'Object.fromEntries', fromEntries)],
    ]),
    sealed: true,
  };
}

function fromEntries(args: readonly Value[], call: NativeCall): Value {
  const entries = listArgument(call, args, 0);
  call.machine.chargeList(entries.items.length, call.site);
  const fields = new Map<string, Value>();
  for (const entry of entries.items) {
    const [key, value] = isObject(entry) && entry.kind === 'list' ? entry.items : [];
    if (typeof key !== 'string' && typeof key !== 'number') {
      call.machine.fail('SW1005', `Object.fromEntries takes a list of [key, value], not ${describe(entry)}`, call.site);
    }
    fields.set(String(key), value);
  }
  return { kind: 'record', fields };
}

function arrayOfLength(args: readonly Value[], call: NativeCall): ListValue {
  const elements = numberArgument(call, args, 0);
  if (!Number.isInteger(elements) || elements < 0)
    call.machine.fail('SW1005', `a list of ${elements} elements`, call.site);
  call.machine.chargeList(elements, call.site);
  return { kind: 'list', items: new Array<Value>(elements).fill(undefined) };
}

/** Array.from over a list, a string or `{ length: n }`, with an optional map from (item, index). */
function arrayFrom(args: readonly Value[], call: NativeCall): ListValue {
  const items = sourceItems(args[0], call);
  if (args[1] === undefined) return { kind: 'list', items };
  const callback = callbackArgument(call, args, 1);
  return { kind: 'list', items: items.map((item, index) => callback(item, index)) };
}

function sourceItems(source: Value, call: NativeCall): Value[] {
  if (typeof source === 'string') {
    call.machine.chargeList(source.length, call.site);
    return [...source];
  }
  if (isObject(source) && source.kind === 'list') {
    call.machine.chargeList(source.items.length, call.site);
    return [...source.items];
  }
  const elements = isObject(source) && source.kind === 'record' ? source.fields.get('length') : undefined;
  if (typeof elements === 'number') return arrayOfLength([elements], call).items;
  return call.machine.fail(
    'SW1005',
    `Array.from takes a list, a string or { length }, not ${describe(source)}`,
    call.site,
  );
}

function toNumber(value: Value, call: NativeCall): number {
  if (isObject(value)) return call.machine.fail('SW1005', `${describe(value)} is no number`, call.site);
  return Number(value);
}
