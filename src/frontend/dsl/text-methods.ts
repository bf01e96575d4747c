import { type NativeCall, numberArgument, stringArgument } from './native.js';
import { listOf, type Value } from './values.js';

type StringMethod = (text: string, args: readonly Value[], call: NativeCall) => Value;
type NumberMethod = (value: number, args: readonly Value[], call: NativeCall) => Value;

const charged =
  (method: (text: string, args: readonly Value[], call: NativeCall) => string): StringMethod =>
  (text, args, call) =>
    call.machine.chargeString(method(text, args, call), call.site);

function repeat(text: string, args: readonly Value[], call: NativeCall): string {
  const count = numberArgument(call, args, 0);
  if (!(count >= 0)) call.machine.fail('SW1005', `a string cannot be repeated ${count} times`, call.site);
  call.machine.chargeCharacters(text.length * Math.floor(count), call.site);
  return text.repeat(count);
}

/** Padding is bounded before it is made. */
function padded(text: string, args: readonly Value[], call: NativeCall, side: 'padStart' | 'padEnd'): string {
  const characters = numberArgument(call, args, 0);
  call.machine.chargeCharacters(Math.max(characters, 0), call.site);
  return text[side](characters, stringArgument(call, args, 1, ' '));
}

function replaceAll(text: string, args: readonly Value[], call: NativeCall): string {
  const [searched, by] = [stringArgument(call, args, 0), stringArgument(call, args, 1)];
  if (by.includes('$'))
    call.machine.fail('SW1005', "'$' in a replacement has a meaning that is not evaluated", call.site);
  const found = searched === '' ? text.length + 1 : text.split(searched).length - 1;
  call.machine.chargeCharacters(text.length + found * by.length, call.site);
  return text.replaceAll(searched, () => by);
}

export const STRING_METHODS: ReadonlyMap<string, StringMethod> = new Map<string, StringMethod>([
  ['includes', (text, args, call) => text.includes(stringArgument(call, args, 0))],
  ['startsWith', (text, args, call) => text.startsWith(stringArgument(call, args, 0))],
  ['endsWith', (text, args, call) => text.endsWith(stringArgument(call, args, 0))],
  ['indexOf', (text, args, call) => text.indexOf(stringArgument(call, args, 0))],
  ['at', (text, args, call) => text.at(numberArgument(call, args, 0))],
  ['charAt', (text, args, call) => text.charAt(numberArgument(call, args, 0, 0))],
  [
    'slice',
    charged((text, args, call) =>
      text.slice(numberArgument(call, args, 0, 0), numberArgument(call, args, 1, text.length)),
    ),
  ],
  [
    'substring',
    charged((text, args, call) =>
      text.substring(numberArgument(call, args, 0, 0), numberArgument(call, args, 1, text.length)),
    ),
  ],
  ['toUpperCase', charged((text) => text.toUpperCase())],
  ['toLowerCase', charged((text) => text.toLowerCase())],
  ['trim', charged((text) => text.trim())],
  ['padStart', (text, args, call) => padded(text, args, call, 'padStart')],
  ['padEnd', (text, args, call) => padded(text, args, call, 'padEnd')],
  ['repeat', repeat],
  ['replaceAll', replaceAll],
  [
    'split',
    (text, args, call) => {
      call.machine.charge(text.length, call.site);
      const parts = text.split(stringArgument(call, args, 0));
      call.machine.chargeList(parts.length, call.site);
      return listOf(parts);
    },
  ],
]);

function digits(call: NativeCall, args: readonly Value[], most: number, otherwise: number): number {
  const count = numberArgument(call, args, 0, otherwise);
  if (Number.isInteger(count) && count >= 0 && count <= most) return count;
  return call.machine.fail('SW1005', `${call.name} takes 0 to ${most} digits, not ${count}`, call.site);
}

export const NUMBER_METHODS: ReadonlyMap<string, NumberMethod> = new Map<string, NumberMethod>([
  ['toFixed', (value, args, call) => value.toFixed(digits(call, args, 20, 0))],
  [
    'toString',
    (value, args, call) => {
      const radix = numberArgument(call, args, 0, 10);
      if (Number.isInteger(radix) && radix >= 2 && radix <= 36) return value.toString(radix);
      return call.machine.fail('SW1005', `a number has no text in base ${radix}`, call.site);
    },
  ],
]);
