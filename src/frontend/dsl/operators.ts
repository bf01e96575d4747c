import type { SourceLoc } from '../../base/diagnostic.js';
import type { Machine } from './machine.js';
import { describe, isObject, type Value } from './values.js';

/** The binary operators that need both operands evaluated; `&&`, `||` and `??` are control flow. */
export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '**'
  | '<'
  | '<='
  | '>'
  | '>='
  | '==='
  | '!=='
  | '=='
  | '!='
  | '&'
  | '|'
  | '^'
  | '<<'
  | '>>'
  | '>>>'
  | 'in';

type Arithmetic = (a: number, b: number) => number;

const ARITHMETIC: ReadonlyMap<string, Arithmetic> = new Map<string, Arithmetic>([
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => a / b],
  ['%', (a, b) => a % b],
  ['**', (a, b) => a ** b],
  ['&', (a, b) => a & b],
  ['|', (a, b) => a | b],
  ['^', (a, b) => a ^ b],
  ['<<', (a, b) => a << b],
  ['>>', (a, b) => a >> b],
  ['>>>', (a, b) => a >>> b],
]);

const COMPARISON: ReadonlyMap<string, (a: number | string, b: number | string) => boolean> = new Map([
  ['<', (a: number | string, b: number | string) => a < b],
  ['<=', (a: number | string, b: number | string) => a <= b],
  ['>', (a: number | string, b: number | string) => a > b],
  ['>=', (a: number | string, b: number | string) => a >= b],
]);

export type BinaryFunction = (a: Value, b: Value) => Value;

/** The function behind an operator token, or undefined when a model file cannot use it. Looked up once per node. */
export function binaryFunction(operator: string, machine: Machine, site: SourceLoc): BinaryFunction | undefined {
  const arithmetic = ARITHMETIC.get(operator);
  if (arithmetic !== undefined) {
    return (a, b) => {
      if (typeof a === 'number' && typeof b === 'number') return arithmetic(a, b);
      if (operator === '+' && (typeof a === 'string' || typeof b === 'string')) {
        return machine.chargeString(toText(a, machine, site) + toText(b, machine, site), site);
      }
      return machine.fail('SW1005', `${operator} needs two numbers, not ${describe(a)} and ${describe(b)}`, site);
    };
  }
  const comparison = COMPARISON.get(operator);
  if (comparison !== undefined) {
    return (a, b) => {
      if (typeof a === 'number' && typeof b === 'number') return comparison(a, b);
      if (typeof a === 'string' && typeof b === 'string') return comparison(a, b);
      return machine.fail('SW1005', `${operator} cannot compare ${describe(a)} with ${describe(b)}`, site);
    };
  }
  switch (operator) {
    case '===':
      return (a, b) => a === b;
    case '!==':
      return (a, b) => a !== b;
    case '==':
      return (a, b) => looselyEqual(a, b, machine, site);
    case '!=':
      return (a, b) => !looselyEqual(a, b, machine, site);
    case 'in':
      return (a, b) => {
        if (typeof a === 'string' && isObject(b) && b.kind === 'record') return b.fields.has(a);
        return machine.fail('SW1005', `'in' needs a string and an object, not ${describe(a)} and ${describe(b)}`, site);
      };
    default:
      return undefined;
  }
}

/** `==` where it means what `===` means, and for null against undefined; the conversions of JavaScript are refused. */
function looselyEqual(a: Value, b: Value, machine: Machine, site: SourceLoc): boolean {
  if (a === undefined || a === null) return b === undefined || b === null;
  if (b === undefined || b === null) return false;
  if (typeof a !== typeof b) {
    machine.fail('SW1005', `== between ${describe(a)} and ${describe(b)}`, site, 'use === on values of one type');
  }
  return a === b;
}

/** What a template string shows for a value. Lists of plain values join with commas, as in JavaScript. */
export function toText(value: Value, machine: Machine, site: SourceLoc): string {
  if (!isObject(value)) return String(value);
  if (value.kind === 'list') {
    machine.chargeCharacters(value.items.length, site);
    const texts = value.items.map((item) => (item === undefined || item === null ? '' : toText(item, machine, site)));
    return machine.chargeString(texts.join(','), site);
  }
  return machine.fail('SW1005', `${describe(value)} has no text`, site, 'put a number or a string into the string');
}

export function typeName(value: Value): string {
  if (!isObject(value)) return value === null ? 'object' : typeof value;
  return value.kind === 'function' ? 'function' : 'object';
}
