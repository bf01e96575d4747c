/** Code that treats every 8-bit element alone. Images are [pixels, channels] of bytes, pixels a pitch apart. */
import {
  type Code,
  constant,
  constant64,
  either,
  f32,
  f64,
  get,
  i8x16,
  i32,
  i64,
  increase,
  parameters,
  set,
  v128,
  WasmFunction,
  whileBelow,
} from '../../../base/wasm.js';

/** Address of table[byte], where the table begins with the least value of the type: `flip` is 0x80 for int8, 0 for uint8. */
const entry = (table: number, byte: Code, flip: number, log2Bytes: number): Code =>
  i32.add(get(table), i32.shl(i32.xor(byte, get(flip)), constant(log2Bytes)));

/** Limits `value`, which is less the zero point. */
const limit = (value: number, lo: number, hi: number): Code => [
  ...set(value, i32.select(get(value), get(hi), i32.ltS(get(value), get(hi)))),
  ...set(value, i32.select(get(value), get(lo), i32.gtS(get(value), get(lo)))),
];

/** Images: the local with the address of a pixel, and that with the bytes to the next. */
type Images = readonly (readonly [address: number, pitch: number])[];

/** Runs `body` for every channel `c` of every pixel. */
function forElements(
  code: WasmFunction,
  pixels: number,
  channels: number,
  images: Images,
  body: (c: Code) => Code,
): Code {
  const [pixel, c] = [code.local('i32'), code.local('i32')];
  return whileBelow(
    pixel,
    get(pixels),
    set(c, constant(0)),
    whileBelow(c, get(channels), body(get(c)), increase(c, constant(1))),
    ...images.map(([address, pitch]) => increase(address, get(pitch))),
    increase(pixel, constant(1)),
  );
}

/** lookUp(at, pixels, channels, pitch, table, flip): every byte becomes that of the table, in place. */
export function lookUpFunction(): WasmFunction {
  const p = parameters('at', 'pixels', 'channels', 'pitch', 'table', 'flip');
  const code = new WasmFunction('lookUp', 6);
  const byte = code.local('i32');
  return code.write(
    forElements(code, p.pixels, p.channels, [[p.at, p.pitch]], (c) => [
      ...set(byte, i32.add(get(p.at), c)),
      ...i32.store8(get(byte), 0, i32.load8U(entry(p.table, i32.load8U(get(byte)), p.flip, 0))),
    ]),
  );
}

const BINARY = ['a', 'b', 'out', 'pixels', 'channels', 'aPitch', 'bPitch', 'outPitch', 'zero', 'lo', 'hi'] as const;

/**
 * addTables(a, b, out, pixels, channels, aPitch, bPitch, outPitch, zero, lo, hi, tableA, tableB, flip, multiplier, left, right)
 *   out = mbqm(tableA[a] + tableB[b], multiplier, left - right) with its limits; tables of int32; left or right is 0, both
 *   are below 32.
 */
export function addTablesFunction(): WasmFunction {
  const p = parameters(...BINARY, 'tableA', 'tableB', 'flip', 'multiplier', 'left', 'right');
  const code = new WasmFunction('addTables', 17);
  const [value, mask] = [code.local('i32'), code.local('i32')];
  const factor = code.local('i64');
  const operand = (image: number, table: number, c: Code): Code =>
    i32.load(entry(table, i32.load8U(i32.add(get(image), c)), p.flip, 2));
  return code.write(
    set(factor, i64.extend(get(p.multiplier))),
    set(mask, i32.sub(i32.shl(constant(1), get(p.right)), constant(1))),
    forElements(code, p.pixels, p.channels, imagesOf(p), (c) => [
      ...set(value, i32.shl(i32.add(operand(p.a, p.tableA, c), operand(p.b, p.tableB, c)), get(p.left))),
      ...set(
        value,
        i32.wrap(
          i64.shrS(i64.add(i64.mul(i64.extend(get(value)), get(factor)), constant64(2n ** 30n)), constant64(31n)),
        ),
      ),
      ...set(
        value,
        i32.add(
          i32.shrS(get(value), get(p.right)),
          i32.gtS(
            i32.and(get(value), get(mask)),
            i32.add(i32.shrU(get(mask), constant(1)), i32.ltS(get(value), constant(0))),
          ),
        ),
      ),
      ...limit(value, p.lo, p.hi),
      ...i32.store8(i32.add(get(p.out), c), 0, i32.add(get(value), get(p.zero))),
    ]),
  );
}

/**
 * addReals(a, b, out, pixels, channels, aPitch, bPitch, outPitch, zero, lo, hi, tableA, tableB, flip)
 *   out = even(fround(tableA[a] + tableB[b])) with its limits; tables of float64, so that the sum is rounded to float32 once.
 */
export function addRealsFunction(): WasmFunction {
  const p = parameters(...BINARY, 'tableA', 'tableB', 'flip');
  const code = new WasmFunction('addReals', 14);
  const value = code.local('i32');
  const operand = (image: number, table: number, c: Code): Code =>
    f64.load(entry(table, i32.load8U(i32.add(get(image), c)), p.flip, 3));
  return code.write(
    forElements(code, p.pixels, p.channels, imagesOf(p), (c) => [
      ...set(
        value,
        i32.truncateSaturated(f32.nearest(f32.demote(f64.add(operand(p.a, p.tableA, c), operand(p.b, p.tableB, c))))),
      ),
      ...limit(value, p.lo, p.hi),
      ...i32.store8(i32.add(get(p.out), c), 0, i32.add(get(value), get(p.zero))),
    ]),
  );
}

function imagesOf(p: { readonly [Name in (typeof BINARY)[number]]: number }): Images {
  return [
    [p.a, p.aPitch],
    [p.b, p.bPitch],
    [p.out, p.outPitch],
  ];
}

/** The larger of two bytes that stand in i32. */
const larger = (a: number, b: number): Code => i32.select(get(a), get(b), i32.gtS(get(a), get(b)));

/**
 * maximum(from, to, pixels, fromStep, toStep, channels, isUnsigned): to = the larger of both, byte by byte.
 */
export function maximumFunction(): WasmFunction {
  const p = parameters('from', 'to', 'pixels', 'fromStep', 'toStep', 'channels', 'isUnsigned');
  const code = new WasmFunction('maximum', 7);
  const [pixel, c, sixteens] = [code.local('i32'), code.local('i32'), code.local('i32')];
  const [a, b] = [code.local('i32'), code.local('i32')];
  const [source, target] = [i32.add(get(p.from), get(c)), i32.add(get(p.to), get(c))];
  const both = (max: typeof i8x16.maxS): Code => v128.store(target, 0, max(v128.load(source), v128.load(target)));
  return code.write(
    set(sixteens, i32.and(get(p.channels), constant(-16))),
    whileBelow(
      pixel,
      get(p.pixels),
      set(c, constant(0)),
      whileBelow(
        c,
        get(sixteens),
        either(get(p.isUnsigned), both(i8x16.maxU), both(i8x16.maxS)),
        increase(c, constant(16)),
      ),
      whileBelow(
        c,
        get(p.channels),
        set(a, i32.select(i32.load8U(source), i32.load8S(source), get(p.isUnsigned))),
        set(b, i32.select(i32.load8U(target), i32.load8S(target), get(p.isUnsigned))),
        i32.store8(target, 0, larger(a, b)),
        increase(c, constant(1)),
      ),
      increase(p.from, get(p.fromStep)),
      increase(p.to, get(p.toStep)),
      increase(pixel, constant(1)),
    ),
  );
}

/** limitBytes(at, count, lo, hi, isUnsigned): every byte within [lo, hi]. */
export function limitBytesFunction(): WasmFunction {
  const p = parameters('at', 'count', 'lo', 'hi', 'isUnsigned');
  const code = new WasmFunction('limitBytes', 5);
  const [i, value] = [code.local('i32'), code.local('i32')];
  const address = i32.add(get(p.at), get(i));
  return code.write(
    whileBelow(
      i,
      get(p.count),
      set(value, i32.select(i32.load8U(address), i32.load8S(address), get(p.isUnsigned))),
      limit(value, p.lo, p.hi),
      i32.store8(address, 0, get(value)),
      increase(i, constant(1)),
    ),
  );
}
