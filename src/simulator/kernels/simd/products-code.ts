/** Code of the 8-bit matrix products: how windows get into rows of int16, and the product of those rows with records. */
import {
  type Code,
  constant,
  either,
  get,
  i16x8,
  i32,
  i32x4,
  increase,
  parameters,
  repeatWhile,
  set,
  shuffle32,
  v128,
  WasmFunction,
  when,
  whileBelow,
} from '../../../base/wasm.js';

/** Eight int16 at `to` from eight bytes at `from`, less the vector `zero`. */
function widenEight(to: Code, from: Code, isUnsigned: Code, zero: Code): Code {
  const store = (load: typeof v128.load8x8S) => v128.store(to, 0, i16x8.sub(load(from), zero));
  return either(isUnsigned, store(v128.load8x8U), store(v128.load8x8S));
}

/**
 * widen(from, to, pixels, pitch, elements, zero, isUnsigned): bytes [pixels][elements], pixels `pitch` apart, become int16
 * [pixels, elements] side by side, less the zero point.
 */
export function widenFunction(): WasmFunction {
  const [from, to, pixels, pitch, elements, zero, isUnsigned] = [0, 1, 2, 3, 4, 5, 6] as const;
  const code = new WasmFunction('widen', 7);
  const [pixel, k, eights, byte] = code.locals4('i32');
  const zeros = code.local('v128');
  const source = i32.add(get(from), get(k));
  return code.write(
    set(zeros, i16x8.splat(get(zero))),
    set(eights, i32.and(get(elements), constant(-8))),
    whileBelow(
      pixel,
      get(pixels),
      set(k, constant(0)),
      whileBelow(
        k,
        get(eights),
        widenEight(get(to), source, get(isUnsigned), get(zeros)),
        increase(to, constant(16)),
        increase(k, constant(8)),
      ),
      whileBelow(
        k,
        get(elements),
        set(byte, i32.select(i32.load8U(source), i32.load8S(source), get(isUnsigned))),
        i32.store16(get(to), 0, i32.sub(get(byte), get(zero))),
        increase(to, constant(2)),
        increase(k, constant(1)),
      ),
      increase(from, get(pitch)),
      increase(pixel, constant(1)),
    ),
  );
}

/** copyRuns(from, to, count, fromStep, toStep, bytes): `count` runs of bytes, an even number each, that do not overlap. */
export function copyRunsFunction(): WasmFunction {
  const [from, to, count, fromStep, toStep, bytes] = [0, 1, 2, 3, 4, 5] as const;
  const code = new WasmFunction('copyRuns', 6);
  const [run, k, last] = [code.local('i32'), code.local('i32'), code.local('i32')];
  const copy16 = (offset: Code): Code => v128.store(i32.add(get(to), offset), 0, v128.load(i32.add(get(from), offset)));
  return code.write(
    set(last, i32.sub(get(bytes), constant(16))),
    whileBelow(
      run,
      get(count),
      set(k, constant(0)),
      // The last 16 bytes may lie over those before them.
      when(
        i32.ltU(constant(15), get(bytes)),
        whileBelow(k, get(last), copy16(get(k)), increase(k, constant(16))),
        copy16(get(last)),
        set(k, get(bytes)),
      ),
      whileBelow(
        k,
        get(bytes),
        i32.store16(i32.add(get(to), get(k)), 0, i32.load16U(i32.add(get(from), get(k)))),
        increase(k, constant(2)),
      ),
      increase(from, get(fromStep)),
      increase(to, get(toStep)),
      increase(run, constant(1)),
    ),
  );
}

const FOUR = [0, 1, 2, 3] as const;

/**
 * multiply(x, w, sums, pixels, channels, rowBytes, recordBytes, weightRows, zero, isUnsigned, sumBytes)
 *   x: int16 [pixels, taps], rowBytes = 2 * taps apart, beyond the taps 0; pixels a multiple of 2, rowBytes of 16.
 *   w: bytes, the weights of channel 0; those of the next are recordBytes further on. Up to four channels more are read.
 *   weightRows: room for four rows, where the weights of four channels are made int16 less the zero point.
 *   sums: int32 [pixels, channels], pixels sumBytes apart, a multiple of 16. They wrap around, as accumulators do.
 */
export function multiplyFunction(): WasmFunction {
  const { x, w, sums, pixels, channels, rowBytes, recordBytes, weightRows, zero, isUnsigned, sumBytes } = parameters(
    ...([
      'x',
      'w',
      'sums',
      'pixels',
      'channels',
      'rowBytes',
      'recordBytes',
      'weightRows',
      'zero',
      'isUnsigned',
      'sumBytes',
    ] as const),
  );
  const code = new WasmFunction('multiply', 11);
  const [channel, pixel, k, out] = code.locals4('i32');
  const rows = code.locals4('i32');
  const [xAt, row, record, other] = code.locals4('i32');
  const [zeros, x0, x1, weights] = code.locals4('v128');
  const even = code.locals4('v128');
  const odd = code.locals4('v128');

  const widenRows: Code = [
    ...set(record, get(w)),
    ...set(row, get(weightRows)),
    ...FOUR.flatMap((j) => [
      ...set(rows[j], get(row)),
      ...set(k, constant(0)),
      ...repeatWhile(
        i32.ltU(get(k), i32.shrU(get(rowBytes), constant(1))),
        widenEight(get(row), i32.add(get(record), get(k)), get(isUnsigned), get(zeros)),
        increase(row, constant(16)),
        increase(k, constant(8)),
      ),
      ...increase(record, get(recordBytes)),
    ]),
  ];
  const step: Code = [
    ...set(x0, v128.load(i32.add(get(xAt), get(k)))),
    ...set(x1, v128.load(i32.add(get(other), get(k)))),
    ...FOUR.flatMap((j) => [
      ...set(weights, v128.load(i32.add(get(rows[j]), get(k)))),
      ...set(even[j], i32x4.add(get(even[j]), i32x4.dot(get(x0), get(weights)))),
      ...set(odd[j], i32x4.add(get(odd[j]), i32x4.dot(get(x1), get(weights)))),
    ]),
    ...increase(k, constant(16)),
  ];
  /** The sums of the lanes of four vectors as one. */
  const across = (v: readonly [number, number, number, number]): Code => {
    const pairs = (a: number, b: number): Code =>
      i32x4.add(shuffle32([0, 4, 1, 5], get(a), get(b)), shuffle32([2, 6, 3, 7], get(a), get(b)));
    // pairs(a, b) holds a02 b02 a13 b13.
    return [
      ...set(v[0], pairs(v[0], v[1])),
      ...set(v[2], pairs(v[2], v[3])),
      ...i32x4.add(shuffle32([0, 1, 4, 5], get(v[0]), get(v[2])), shuffle32([2, 3, 6, 7], get(v[0]), get(v[2]))),
    ];
  };
  return code.write(
    set(zeros, i16x8.splat(get(zero))),
    whileBelow(
      channel,
      get(channels),
      widenRows,
      set(pixel, constant(0)),
      set(xAt, get(x)),
      set(out, get(sums)),
      repeatWhile(
        i32.ltU(get(pixel), get(pixels)),
        ...FOUR.map((j) => [...set(even[j], v128.zero), ...set(odd[j], v128.zero)]),
        set(other, i32.add(get(xAt), get(rowBytes))),
        set(k, constant(0)),
        repeatWhile(i32.ltU(get(k), get(rowBytes)), step),
        set(weights, across(even)),
        v128.store(get(out), 0, get(weights)),
        set(weights, across(odd)),
        v128.store(i32.add(get(out), get(sumBytes)), 0, get(weights)),
        set(xAt, i32.add(get(other), get(rowBytes))),
        increase(out, i32.shl(get(sumBytes), constant(1))),
        increase(pixel, constant(2)),
      ),
      increase(w, i32.shl(get(recordBytes), constant(2))),
      increase(sums, constant(16)),
      increase(channel, constant(4)),
    ),
  );
}
