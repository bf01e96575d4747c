/** The axes of a sweep as they are given on the command line: lists, and ranges of SRAM sizes in logarithmic steps. */
import { addPair, addShape, bytesFrom, integerFrom, oneOf, usageError } from '../command-options.js';

/** A size, or all sizes between two. */
export type SramItem = number | { readonly fromBytes: number; readonly toBytes: number };

/** `1MiB..64MiB`, `1MiB,2MiB`, or both: `512KiB,1MiB..8MiB`. */
export function sramItemsFrom(option: string): (text: string) => readonly SramItem[] {
  const readBytes = bytesFrom(option);
  return (text) =>
    listOf(option, text).map((item) => {
      const [from = '', to, ...rest] = item.split('..');
      if (to === undefined) return readBytes(from);
      if (rest.length > 0) throw usageError(`${option} is '${item}'; a range has the form 1MiB..64MiB`);
      const range = { fromBytes: readBytes(from), toBytes: readBytes(to) };
      if (range.fromBytes > range.toBytes) {
        throw usageError(`${option} is '${item}'; a range begins with its smaller end`);
      }
      return range;
    });
}

/** How densely ranges are filled. */
export type Density = { readonly points: number } | { readonly perOctave: number };

/** Sizes between the ends are rounded to a multiple of this, or of the finer one where a range begins low. */
const ROUND_BYTES = 1024;
const FINE_BYTES = 16;
const FINE_BELOW_BYTES = 64 * 1024;

/** All sizes, ascending, each once; the ends of ranges are among them as they were given. */
export function sramSizes(items: readonly SramItem[], density: Density): number[] {
  const sizes = new Set<number>();
  for (const item of items) {
    if (typeof item === 'number') {
      sizes.add(item);
      continue;
    }
    const { fromBytes, toBytes } = item;
    const octaves = Math.log2(toBytes / fromBytes);
    const wanted = 'points' in density ? density.points - 1 : Math.round(octaves * density.perOctave);
    const steps = Math.max(1, wanted);
    const unit = fromBytes < FINE_BELOW_BYTES ? FINE_BYTES : ROUND_BYTES;
    for (let i = 1; i < steps; i += 1) {
      const bytes = Math.round((fromBytes * 2 ** ((octaves * i) / steps)) / unit) * unit;
      sizes.add(Math.min(toBytes, Math.max(fromBytes, bytes)));
    }
    sizes.add(fromBytes).add(toBytes);
  }
  return [...sizes].sort((a, b) => a - b);
}

/** `1,10`: integers, ascending or not, each once. */
export function integersFrom(option: string, least: number, most: number): (text: string) => readonly number[] {
  const read = integerFrom(option, least, most);
  return (text) => listOf(option, text).map(read);
}

export function namesFrom(option: string): (text: string) => readonly string[] {
  return (text) => listOf(option, text);
}

export function manyOf<T extends string>(option: string, values: readonly T[]): (text: string) => readonly T[] {
  const read = oneOf(option, values);
  return Object.assign((text: string) => listOf(option, text).map(read), { values });
}

/** `--param size=416,608`, repeatable. */
export function addValues(option: string) {
  const add = addPair(option);
  return (text: string, previous: ReadonlyMap<string, readonly string[]> = new Map()) => {
    const names = new Map([...previous.keys()].map((name) => [name, '']));
    const [name = '', value = ''] = [...add(text, names)].at(-1) ?? [];
    return new Map([...previous, [name, listOf(option, value)]]);
  };
}

/** `--input x=1x3x320x320,1x3x640x640`, repeatable. */
export function addShapes(
  text: string,
  previous: ReadonlyMap<string, readonly (readonly number[])[]> = new Map(),
): ReadonlyMap<string, readonly (readonly number[])[]> {
  const at = text.lastIndexOf('=');
  const name = text.slice(0, at);
  if (previous.has(name)) throw usageError(`--input gives '${name}' twice`);
  const shapes = listOf('--input', text.slice(at + 1)).map((shape) => {
    return addShape(`${text.slice(0, at + 1)}${shape}`).get(name) ?? [];
  });
  return new Map([...previous, [name, shapes]]);
}

function listOf(option: string, text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw usageError(`${option} is '${text}'; values are separated by single commas`);
  const twice = items.find((item, at) => items.indexOf(item) !== at);
  if (twice !== undefined) throw usageError(`${option} gives '${twice}' twice`);
  return items;
}

/** Every combination of one value of each name; one empty one where there are no names. */
export function combinations<T>(axes: ReadonlyMap<string, readonly T[]>): ReadonlyMap<string, T>[] {
  let result: ReadonlyMap<string, T>[] = [new Map()];
  for (const [name, values] of axes) {
    result = result.flatMap((before) => values.map((value) => new Map([...before, [name, value]])));
  }
  return result;
}
