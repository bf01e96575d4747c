/**
 * The inner loops of 8-bit convolutions in WebAssembly. Output channels lie along the lanes of a vector, so that every lane
 * has an accumulator of its own: int32 with wrap-around, as docs/numerics.md says.
 *
 *   gather(from, to, count, fromStep, toStep, elements, zeroPoint, isUnsigned)
 *     `count` runs of 8-bit elements as int16, less the zero point.
 *
 *   multiply(patches, weights, sums, pixels, blocks, rowBytes)
 *     patches: int16 [pixels, taps]; weights: int16 [blocks, taps / 2, 8 channels, 2]; sums: int32 [pixels, 8 * blocks].
 *     pixels a multiple of 4, taps of 4; rowBytes = 2 * taps. None is 0.
 *
 *   requantize, requantizeOnce(sums, out, pixels, channels, sumChannels, parameters, zeroPoint, lo, hi)
 *     sums: int32 [pixels, sumChannels] of which the first `channels` count; out: 8 bits [pixels, channels];
 *     parameters: int32 [channels, 3]: bias, multiplier, shift. mbqm and mbqmOnce of docs/numerics.md in 64 bits.
 *
 * All addresses are in bytes.
 */
import {
  type Code,
  constant,
  constant64,
  either,
  get,
  i16x8,
  i32,
  i32x4,
  i64,
  increase,
  moduleBytes,
  parameters,
  repeatWhile,
  set,
  v128,
  WasmFunction,
  whileBelow,
} from '../base/wasm.js';

const FOUR = [0, 1, 2, 3] as const;

function gatherFunction(): WasmFunction {
  const p = parameters('from', 'to', 'count', 'fromStep', 'toStep', 'elements', 'zeroPoint', 'isUnsigned');
  const code = new WasmFunction('gather', 8);
  const [run, k, eights] = [code.local('i32'), code.local('i32'), code.local('i32')];
  const [zero, x] = [code.local('v128'), code.local('v128')];
  const source = i32.add(get(p.from), get(k));
  const target = i32.add(get(p.to), i32.shl(get(k), constant(1)));
  const read = either(get(p.isUnsigned), set(x, v128.load8x8U(source)), set(x, v128.load8x8S(source)));
  return code.write(
    set(zero, i16x8.splat(get(p.zeroPoint))),
    set(eights, i32.and(get(p.elements), constant(-8))),
    whileBelow(
      run,
      get(p.count),
      set(k, constant(0)),
      whileBelow(k, get(eights), read, v128.store(target, 0, i16x8.sub(get(x), get(zero))), increase(k, constant(8))),
      whileBelow(
        k,
        get(p.elements),
        i32.store16(
          target,
          0,
          i32.sub(i32.select(i32.load8U(source), i32.load8S(source), get(p.isUnsigned)), get(p.zeroPoint)),
        ),
        increase(k, constant(1)),
      ),
      increase(p.from, get(p.fromStep)),
      increase(p.to, get(p.toStep)),
      increase(run, constant(1)),
    ),
  );
}

function multiplyFunction(): WasmFunction {
  const [patches, weights, sums, pixels, blocks, rowBytes] = [0, 1, 2, 3, 4, 5] as const;
  const code = new WasmFunction('multiply', 6);
  const [block, pixel, pair, weight, to] = [
    code.local('i32'),
    code.local('i32'),
    code.local('i32'),
    code.local('i32'),
    code.local('i32'),
  ];
  const rows = code.locals4('i32');
  const low = code.locals4('v128');
  const high = code.locals4('v128');
  const [x, w0, w1] = [code.local('v128'), code.local('v128'), code.local('v128')];
  /** Two taps of four pixels and eight channels; `step` 0 or 1 counts pairs from the pointers on. */
  const twoTaps = (step: number): Code => [
    ...set(w0, v128.load(get(weight), 32 * step)),
    ...set(w1, v128.load(get(weight), 32 * step + 16)),
    ...FOUR.flatMap((p) => [
      ...set(x, v128.load32Splat(i32.add(get(rows[p]), get(pair)), 4 * step)),
      ...set(low[p], i32x4.add(get(low[p]), i32x4.dot(get(x), get(w0)))),
      ...set(high[p], i32x4.add(get(high[p]), i32x4.dot(get(x), get(w1)))),
    ]),
  ];
  const sumBytes = i32.shl(get(blocks), constant(5)); // of a pixel
  return code.write(
    whileBelow(
      block,
      get(blocks),
      set(pixel, constant(0)),
      set(rows[0], get(patches)),
      set(to, i32.add(get(sums), i32.shl(get(block), constant(5)))),
      repeatWhile(
        i32.ltU(get(pixel), get(pixels)),
        ...FOUR.slice(1).map((p) => set(rows[p as 1], i32.add(get(rows[(p - 1) as 0]), get(rowBytes)))),
        ...FOUR.map((p) => [...set(low[p], v128.zero), ...set(high[p], v128.zero)]),
        set(weight, get(weights)),
        set(pair, constant(0)),
        repeatWhile(
          i32.ltU(get(pair), get(rowBytes)),
          twoTaps(0),
          twoTaps(1),
          increase(weight, constant(64)),
          increase(pair, constant(8)),
        ),
        ...FOUR.map((p) => [
          ...v128.store(get(to), 0, get(low[p])),
          ...v128.store(get(to), 16, get(high[p])),
          ...increase(to, sumBytes),
        ]),
        set(rows[0], i32.add(get(rows[3]), get(rowBytes))),
        increase(pixel, constant(4)),
      ),
      set(weights, get(weight)),
      increase(block, constant(1)),
    ),
  );
}

function requantizeFunction(name: string, roundsOnce: boolean): WasmFunction {
  const [sums, out, pixels, channels, sumChannels, parameters, zeroPoint, lo, hi] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8,
  ] as const;
  const code = new WasmFunction(name, 9);
  const [pixel, channel, at, record] = code.locals4('i32');
  const [sum, shift, value, mask] = code.locals4('i32');
  const [half, wide] = [code.local('i64'), code.local('i64')];
  const product = (x: Code): Code => i64.mul(i64.extend(x), i64.extend(i32.load(get(record), 4)));
  const twice: Code = [
    // Rounding p + 2^30 down is the page's rule for both signs.
    ...set(
      value,
      i32.wrap(
        i64.shrS(
          i64.add(
            product(i32.shl(get(sum), i32.select(get(shift), constant(0), i32.gtS(get(shift), constant(0))))),
            constant64(2n ** 30n),
          ),
          constant64(31n),
        ),
      ),
    ),
    ...set(shift, i32.select(constant(0), i32.sub(constant(0), get(shift)), i32.gtS(get(shift), constant(0)))),
    ...set(mask, i32.sub(i32.shl(constant(1), get(shift)), constant(1))),
    ...set(
      value,
      i32.add(
        i32.shrS(get(value), get(shift)),
        i32.gtS(
          i32.and(get(value), get(mask)),
          i32.add(i32.shrU(get(mask), constant(1)), i32.ltS(get(value), constant(0))),
        ),
      ),
    ),
  ];
  // What is rounded once can have 62 bits, so that it is limited before it is cut to 32.
  const once: Code = [
    ...set(half, i64.shl(constant64(1n), i64.extend(i32.sub(constant(30), get(shift))))),
    ...set(wide, i64.shrS(i64.add(product(get(sum)), get(half)), i64.extend(i32.sub(constant(31), get(shift))))),
    ...set(wide, i64.select(get(wide), i64.extend(get(hi)), i64.ltS(get(wide), i64.extend(get(hi))))),
    ...set(wide, i64.select(get(wide), i64.extend(get(lo)), i64.gtS(get(wide), i64.extend(get(lo))))),
    ...set(value, i32.wrap(get(wide))),
  ];
  return code.write(
    whileBelow(
      pixel,
      get(pixels),
      set(channel, constant(0)),
      set(at, get(sums)),
      set(record, get(parameters)),
      repeatWhile(
        i32.ltU(get(channel), get(channels)),
        set(sum, i32.add(i32.load(get(at)), i32.load(get(record)))),
        set(shift, i32.load(get(record), 8)),
        roundsOnce ? once : twice,
        // The limits are taken before the zero point is added, which could overflow.
        set(value, i32.select(get(value), get(hi), i32.ltS(get(value), get(hi)))),
        set(value, i32.select(get(value), get(lo), i32.gtS(get(value), get(lo)))),
        i32.store8(get(out), 0, i32.add(get(value), get(zeroPoint))),
        increase(out, constant(1)),
        increase(at, constant(4)),
        increase(record, constant(12)),
        increase(channel, constant(1)),
      ),
      increase(sums, i32.shl(get(sumChannels), constant(2))),
      increase(pixel, constant(1)),
    ),
  );
}

/** With `lo` and `hi` given less the zero point. */
export function int8Module(): Uint8Array<ArrayBuffer> {
  return moduleBytes([
    gatherFunction(),
    multiplyFunction(),
    requantizeFunction('requantize', false),
    requantizeFunction('requantizeOnce', true),
  ]);
}
