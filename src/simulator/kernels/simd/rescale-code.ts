/**
 * Code that makes 8-bit results of int32 sums, as docs/numerics.md says.
 *
 * What the records of channels say is first taken apart into arrays of int32, each `stride` bytes after the one before:
 * bias; multiplier, or the bits of a real scale; 2^left; 2^(30 - right); -1 where right > 0, else 0; shift.
 */
import {
  type Code,
  constant,
  constant64,
  either,
  f32x4,
  get,
  i32,
  i32x4,
  i64,
  i64x2,
  increase,
  parameters,
  set,
  shuffle32,
  v128,
  WasmFunction,
  when,
  whileBelow,
} from '../../../base/wasm.js';

/** Arrays of one set of parameters. */
export const PARAMETER_ARRAYS = 6;

/** Shifts that the vectors can do: to the left or to the right. */
export const MOST_SHIFT = 30;

/**
 * decodeRecords(records, recordBytes, channels, form, to, stride, refused): form as the field recordForm. Sets the int32
 * at `refused` to 1 when a shift is beyond MOST_SHIFT or a scale is not finite; the arrays are then of no use.
 */
export function decodeRecordsFunction(): WasmFunction {
  const [records, recordBytes, channels, form, to, stride, refused] = [0, 1, 2, 3, 4, 5, 6] as const;
  const code = new WasmFunction('decodeRecords', 7);
  const [channel, shift, multiplier, at] = code.locals4('i32');
  const right = code.local('i32');
  const put = (value: Code): Code => [...i32.store(get(at), 0, value), ...increase(at, get(stride))];
  const isReal = i32.eq(get(form), constant(2));
  return code.write(
    whileBelow(
      channel,
      get(channels),
      set(at, get(to)),
      set(multiplier, i32.load(get(records), 4)),
      when(
        isReal,
        when(
          i32.eq(i32.and(get(multiplier), constant(0x7f800000)), constant(0x7f800000)),
          i32.store(get(refused), 0, constant(1)),
        ),
        set(shift, constant(0)),
      ),
      when(i32.eq(get(form), constant(1)), set(shift, i32.load8S(get(records), 8))),
      when(
        i32.eqz(get(form)),
        set(shift, i32.shrS(get(multiplier), constant(24))),
        set(multiplier, i32.shl(i32.and(get(multiplier), constant(0xffffff)), constant(7))),
      ),
      when(
        i32.gtU(i32.add(get(shift), constant(MOST_SHIFT)), constant(2 * MOST_SHIFT)),
        i32.store(get(refused), 0, constant(1)),
      ),
      set(right, i32.select(i32.sub(constant(0), get(shift)), constant(0), i32.ltS(get(shift), constant(0)))),
      put(i32.load(get(records))),
      put(get(multiplier)),
      put(i32.shl(constant(1), i32.select(get(shift), constant(0), i32.gtS(get(shift), constant(0))))),
      put(i32.shl(constant(1), i32.sub(constant(30), get(right)))),
      put(i32.shrS(i32.sub(constant(0), get(right)), constant(31))),
      put(get(shift)),
      increase(to, constant(4)),
      increase(records, get(recordBytes)),
      increase(channel, constant(1)),
    ),
  );
}

/** i64 products of two i32x4, plus a constant, shifted right: the low halves as one i32x4. */
export function productShifted(a: Code, b: Code, plus: bigint, right: number): Code {
  const half = (product: typeof i64x2.productLow): Code =>
    i64x2.shrU(i64x2.add(product(a, b), i64x2.splat(constant64(plus))), constant(right));
  return shuffle32([0, 2, 4, 6], half(i64x2.productLow), half(i64x2.productHigh));
}

export type Rounding = 'twice' | 'once' | 'real';

/** Names in the module. */
export const REQUANTIZE: Readonly<Record<Rounding, string>> = {
  twice: 'requantizeTwice',
  once: 'requantizeOnce',
  real: 'requantizeReal',
};

/**
 * requantize...(sums, out, pixels, channels, sumBytes, pitch, arrays, stride, zero, lo, hi)
 *   sums: int32 [pixels, channels], pixels sumBytes apart; out: bytes [pixels, channels], pixels `pitch` apart.
 *   lo, hi: least and largest result, less the zero point. Up to three channels too many are read, none is written.
 */
export function requantizeFunction(rounding: Rounding): WasmFunction {
  const { sums, out, pixels, channels, sumBytes, pitch, arrays, stride, zero, lo, hi } = parameters(
    ...(['sums', 'out', 'pixels', 'channels', 'sumBytes', 'pitch', 'arrays', 'stride', 'zero', 'lo', 'hi'] as const),
  );
  const code = new WasmFunction(REQUANTIZE[rounding], 11);
  const [pixel, channel, record, at] = code.locals4('i32');
  const [to, left, last] = [code.local('i32'), code.local('i32'), code.local('i32')];
  const [value, high, zeros, least] = code.locals4('v128');
  const most = code.local('v128');
  const [wide, half] = [code.local('i64'), code.local('i64')];
  const parameter = (index: number): Code => {
    let address: Code = get(record);
    for (let i = 0; i < index; i++) address = i32.add(address, get(stride));
    return v128.load(address);
  };
  const array = (index: number): Code => i32.add(get(record), i32.mul(get(stride), constant(index)));

  const twice: Code = [
    ...set(value, i32x4.mul(get(value), parameter(2))),
    // Rounding p + 2^30 down is the page's rule for both signs.
    ...set(high, productShifted(get(value), parameter(1), 2n ** 30n, 31)),
    // Halves away from zero: of negative numbers, one less is rounded, unless nothing is shifted.
    ...set(high, i32x4.add(get(high), v128.and(i32x4.shrS(get(high), constant(31)), parameter(4)))),
    ...set(value, productShifted(get(high), parameter(3), 2n ** 29n, 30)),
  ];
  /** One lane at a time: what is rounded once can have 62 bits. */
  const once: Code = ([0, 1, 2, 3] as const).flatMap((lane) => [
    ...set(left, i32.load(array(5), 4 * lane)),
    ...set(half, i64.shl(constant64(1n), i64.extend(i32.sub(constant(30), get(left))))),
    ...set(
      wide,
      i64.mul(
        i64.extend(i32x4.lane(lane, get(value))),
        i64.extend(i32.load(i32.add(get(record), get(stride)), 4 * lane)),
      ),
    ),
    ...set(wide, i64.shrS(i64.add(get(wide), get(half)), i64.extend(i32.sub(constant(31), get(left))))),
    ...set(wide, i64.select(get(wide), i64.extend(get(hi)), i64.ltS(get(wide), i64.extend(get(hi))))),
    ...set(wide, i64.select(get(wide), i64.extend(get(lo)), i64.gtS(get(wide), i64.extend(get(lo))))),
    ...set(value, i32x4.replace(lane, get(value), i32.wrap(get(wide)))),
  ]);
  const real: Code = set(
    value,
    i32x4.truncateSaturated(f32x4.nearest(f32x4.mul(f32x4.fromInt(get(value)), parameter(1)))),
  );
  return code.write(
    set(zeros, i32x4.splat(get(zero))),
    set(least, i32x4.splat(get(lo))),
    set(most, i32x4.splat(get(hi))),
    whileBelow(
      pixel,
      get(pixels),
      set(channel, constant(0)),
      set(at, get(sums)),
      set(record, get(arrays)),
      set(to, get(out)),
      whileBelow(
        channel,
        get(channels),
        set(value, i32x4.add(v128.load(get(at)), parameter(0))),
        { twice, once, real }[rounding],
        set(value, i32x4.add(i32x4.maxS(i32x4.minS(get(value), get(most)), get(least)), get(zeros))),
        // The lowest bytes of the lanes.
        set(last, i32x4.lane(0, v128.shuffle([0, 4, 8, 12, ...new Array<number>(12).fill(0)], get(value), get(value)))),
        set(left, i32.sub(get(channels), get(channel))),
        either(i32.ltU(constant(3), get(left)), i32.store(get(to), 0, get(last)), [
          ...i32.store8(get(to), 0, get(last)),
          ...when(i32.ltU(constant(1), get(left)), i32.store8(get(to), 1, i32.shrU(get(last), constant(8)))),
          ...when(i32.ltU(constant(2), get(left)), i32.store8(get(to), 2, i32.shrU(get(last), constant(16)))),
        ]),
        increase(to, constant(4)),
        increase(at, constant(16)),
        increase(record, constant(16)),
        increase(channel, constant(4)),
      ),
      increase(sums, get(sumBytes)),
      increase(out, get(pitch)),
      increase(pixel, constant(1)),
    ),
  );
}
