/** Code of the 8-bit matrix products: how windows get into rows of int16, and the product of those rows with records. */
import {
  type Code,
  constant,
  either,
  eitherVector,
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
 * multiply(x, w, sums, pixels, channels, rowBytes, recordBytes, packed, zero, isUnsigned, sumBytes)
 *   x: int16 [pixels, taps], rowBytes = 2 * taps apart, beyond the taps 0; pixels a multiple of 4, rowBytes of 16.
 *   w: bytes, the weights of channel 0; those of the next are recordBytes further on. Up to seven channels more are read.
 *   packed: room of 8 * rowBytes for the weights of eight channels as int16 [taps / 2, 8, 2], less the zero point, so that
 *   a vector has two taps of four channels, and each lane of a sum belongs to one channel.
 *   sums: int32 [pixels, channels], pixels sumBytes apart, a multiple of 32. They wrap around, as accumulators do.
 */
export function multiplyFunction(): WasmFunction {
  const { x, w, sums, pixels, channels, rowBytes, recordBytes, packed, zero, isUnsigned, sumBytes } = parameters(
    ...(['x', 'w', 'sums', 'pixels', 'channels', 'rowBytes', 'recordBytes'] as const),
    ...(['packed', 'zero', 'isUnsigned', 'sumBytes'] as const),
  );
  const code = new WasmFunction('multiply', 11);
  const [channel, pixel, k, out] = code.locals4('i32');
  const rows = code.locals4('i32');
  const [at, half] = [code.local('i32'), code.local('i32')];
  const [zeros, value, weightsLow, weightsHigh] = code.locals4('v128');
  const low = code.locals4('v128');
  const high = code.locals4('v128');

  /** Eight taps of a channel: four pairs, each a lane of 32 bits. */
  const widened = (row: number, to: number): Code =>
    set(to, i16x8.sub(eitherVector(get(isUnsigned), v128.load8x8U(get(row)), v128.load8x8S(get(row))), get(zeros)));
  /** Eight taps of four channels, from rows of channels to rows of pairs: a 4 x 4 transposition of 32 bits. */
  const packFour: Code = [
    ...FOUR.flatMap((j) => widened(rows[j], low[j])),
    ...set(high[0], shuffle32([0, 4, 1, 5], get(low[0]), get(low[1]))),
    ...set(high[1], shuffle32([0, 4, 1, 5], get(low[2]), get(low[3]))),
    ...set(high[2], shuffle32([2, 6, 3, 7], get(low[0]), get(low[1]))),
    ...set(high[3], shuffle32([2, 6, 3, 7], get(low[2]), get(low[3]))),
    ...v128.store(get(at), 0, shuffle32([0, 1, 4, 5], get(high[0]), get(high[1]))),
    ...v128.store(get(at), 32, shuffle32([2, 3, 6, 7], get(high[0]), get(high[1]))),
    ...v128.store(get(at), 64, shuffle32([0, 1, 4, 5], get(high[2]), get(high[3]))),
    ...v128.store(get(at), 96, shuffle32([2, 3, 6, 7], get(high[2]), get(high[3]))),
    ...FOUR.flatMap((j) => increase(rows[j], constant(8))),
    ...increase(at, constant(128)),
  ];
  const pack: Code = [
    ...set(half, constant(0)),
    ...repeatWhile(
      i32.ltU(get(half), constant(32)),
      set(rows[0], get(w)),
      ...([1, 2, 3] as const).map((j) => set(rows[j], i32.add(get(rows[(j - 1) as 0 | 1 | 2]), get(recordBytes)))),
      set(w, i32.add(get(rows[3]), get(recordBytes))),
      set(at, i32.add(get(packed), get(half))),
      set(k, constant(0)),
      repeatWhile(i32.ltU(get(k), get(rowBytes)), packFour, increase(k, constant(16))),
      increase(half, constant(16)),
    ),
  ];
  /** Two taps of four pixels and eight channels; `pair` counts from the pointers on. */
  const twoTaps = (pair: number): Code => [
    ...set(weightsLow, v128.load(get(at), 32 * pair)),
    ...set(weightsHigh, v128.load(get(at), 32 * pair + 16)),
    ...FOUR.flatMap((p) => [
      ...set(value, v128.load32Splat(get(rows[p]), 4 * pair)),
      ...set(low[p], i32x4.add(get(low[p]), i32x4.dot(get(value), get(weightsLow)))),
      ...set(high[p], i32x4.add(get(high[p]), i32x4.dot(get(value), get(weightsHigh)))),
    ]),
  ];
  return code.write(
    set(zeros, i16x8.splat(get(zero))),
    whileBelow(
      channel,
      get(channels),
      pack,
      set(pixel, constant(0)),
      set(rows[0], get(x)),
      set(out, get(sums)),
      repeatWhile(
        i32.ltU(get(pixel), get(pixels)),
        ...([1, 2, 3] as const).map((p) => set(rows[p], i32.add(get(rows[(p - 1) as 0 | 1 | 2]), get(rowBytes)))),
        ...FOUR.map((p) => [...set(low[p], v128.zero), ...set(high[p], v128.zero)]),
        set(at, get(packed)),
        set(k, constant(0)),
        repeatWhile(
          i32.ltU(get(k), get(rowBytes)),
          ...FOUR.map(twoTaps),
          ...FOUR.map((p) => increase(rows[p], constant(16))),
          increase(at, constant(128)),
          increase(k, constant(16)),
        ),
        ...FOUR.map((p) => [
          ...v128.store(get(out), 0, get(low[p])),
          ...v128.store(get(out), 16, get(high[p])),
          ...increase(out, get(sumBytes)),
        ]),
        // Each pointer is at the end of its row.
        set(rows[0], get(rows[3])),
        increase(pixel, constant(4)),
      ),
      increase(sums, constant(32)),
      increase(channel, constant(8)),
    ),
  );
}

/**
 * depthwise(x, offsets, w, sums, pixels, channels, taps, step, sumBytes)
 *   sums[pixel][c] = sum over taps of x[pixel][tap][c] * w[tap][c], int32 with wrap-around.
 *   x: int16; the channels of a tap lie side by side, its int32 in `offsets` after those of the pixel, pixels `step` apart.
 *   w: int16 [taps, channels]. sums: int32, pixels sumBytes apart. Up to seven channels more are read and written.
 */
export function depthwiseFunction(): WasmFunction {
  const p = parameters('x', 'offsets', 'w', 'sums', 'pixels', 'channels', 'taps', 'step', 'sumBytes');
  const code = new WasmFunction('depthwise', 9);
  const [pixel, c, offset, weight] = code.locals4('i32');
  const [end, out, at, ends] = code.locals4('i32');
  const [low, high, a, b] = code.locals4('v128');
  return code.write(
    set(end, i32.add(get(p.offsets), i32.shl(get(p.taps), constant(2)))),
    set(ends, i32.shl(get(p.channels), constant(1))),
    whileBelow(
      pixel,
      get(p.pixels),
      set(c, constant(0)),
      set(out, get(p.sums)),
      whileBelow(
        c,
        get(ends),
        set(low, v128.zero),
        set(high, v128.zero),
        set(offset, get(p.offsets)),
        set(weight, i32.add(get(p.w), get(c))),
        set(at, i32.add(get(p.x), get(c))),
        repeatWhile(
          i32.ltU(get(offset), get(end)),
          set(a, v128.load(i32.add(get(at), i32.load(get(offset))))),
          set(b, v128.load(get(weight))),
          set(low, i32x4.add(get(low), i32x4.productLow(get(a), get(b)))),
          set(high, i32x4.add(get(high), i32x4.productHigh(get(a), get(b)))),
          increase(weight, get(ends)),
          increase(offset, constant(4)),
        ),
        v128.store(get(out), 0, get(low)),
        v128.store(get(out), 16, get(high)),
        increase(out, constant(32)),
        increase(c, constant(16)),
      ),
      increase(p.x, get(p.step)),
      increase(p.sums, get(p.sumBytes)),
      increase(pixel, constant(1)),
    ),
  );
}
