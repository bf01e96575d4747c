/** The products of 8-bit convolutions: room for the matrices in one WebAssembly memory, and the calls that work on them. */
import { int8Module } from './int8-module.js';

/** Output channels of a block of weights. */
const BLOCK = 8;

const PAGE_BYTES = 65536;

type WasmFunction = (...parameters: number[]) => void;

interface Engine {
  readonly memory: WebAssembly.Memory;
  readonly gather: WasmFunction;
  readonly multiply: WasmFunction;
  readonly requantize: WasmFunction;
  readonly requantizeOnce: WasmFunction;
}

/** Compiled once; its memory only grows. Results never depend on what was there before. */
let engine: Engine | undefined;

function theEngine(): Engine {
  if (engine !== undefined) return engine;
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(int8Module()), { e: { m: memory } });
  const exported = (name: string): WasmFunction => {
    const found = exports[name];
    if (!isFunction(found)) throw new Error(`the module does not export ${name}`);
    return found;
  };
  engine = {
    memory,
    gather: exported('gather'),
    multiply: exported('multiply'),
    requantize: exported('requantize'),
    requantizeOnce: exported('requantizeOnce'),
  };
  return engine;
}

function isFunction(value: unknown): value is WasmFunction {
  return typeof value === 'function';
}

/** Valid until the next call of `int8Products`: they share one memory. */
export interface Int8Products {
  /** Of a row of the patches, which are int16 [pixels, rowElements]; beyond the taps of a row are zeros, which stay. */
  readonly rowElements: number;
  /**
   * Puts `elements` elements of the image from index `from` on, less the zero point, into the patches from element `to` on,
   * and again for every one of `pixels` rows, with `step` elements further on in the image each time.
   */
  gather(from: number, to: number, pixels: number, step: number, elements: number, zeroPoint: number): void;
  /** int32 [pixels, sumChannels] */
  readonly sums: Int32Array;
  readonly sumChannels: number;
  /** The 8-bit results [pixels, channels]. */
  readonly results: Uint8Array;
  /** int32 [channels, 3]: bias, multiplier, shift */
  readonly parameters: Int32Array;
  /** sums = patches . weights for the first `count` pixels. */
  multiply(count: number): void;
  /** results from the sums; `lo` and `hi` are those of the type. */
  requantize(count: number, roundsOnce: boolean, zeroPoint: number, lo: number, hi: number): void;
}

/**
 * @param pixels a multiple of 4
 * @param image what the patches are gathered from
 * @param weights rows of `taps` each, of which `channels` from row `first` on are used, less the zero point
 */
export function int8Products(
  pixels: number,
  weights: Int8Array | Uint8Array,
  zeroPoint: number,
  first: number,
  channels: number,
  taps: number,
  image: Int8Array | Uint8Array,
): Int8Products {
  const { memory, gather, multiply, requantize, requantizeOnce } = theEngine();
  const rowElements = Math.ceil(taps / 4) * 4;
  const blocks = Math.ceil(channels / BLOCK);
  const sumChannels = blocks * BLOCK;
  const weightsAt = pixels * rowElements * 2;
  const sumsAt = weightsAt + sumChannels * rowElements * 2;
  const parametersAt = sumsAt + pixels * sumChannels * 4;
  const resultsAt = parametersAt + channels * 12;
  const imageAt = resultsAt + pixels * channels;
  const missing = imageAt + image.length - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  const { buffer } = memory;
  const packed = new Int16Array(buffer, weightsAt, sumChannels * rowElements).fill(0);
  packWeights(packed, weights, zeroPoint, first, channels, taps, rowElements);
  new Int16Array(buffer, 0, pixels * rowElements).fill(0);
  new Uint8Array(buffer, imageAt, image.length).set(new Uint8Array(image.buffer, image.byteOffset, image.length));
  const isUnsigned = image instanceof Uint8Array ? 1 : 0;
  return {
    rowElements,
    gather(from, to, count, step, elements, zero) {
      gather(imageAt + from, 2 * to, count, step, 2 * rowElements, elements, zero, isUnsigned);
    },
    sums: new Int32Array(buffer, sumsAt, pixels * sumChannels),
    sumChannels,
    results: new Uint8Array(buffer, resultsAt, pixels * channels),
    parameters: new Int32Array(buffer, parametersAt, channels * 3),
    multiply: (count) => multiply(0, weightsAt, sumsAt, Math.ceil(count / 4) * 4, blocks, rowElements * 2),
    requantize(count, roundsOnce, zero, lo, hi) {
      const run = roundsOnce ? requantizeOnce : requantize;
      run(sumsAt, resultsAt, count, channels, sumChannels, parametersAt, zero, lo - zero, hi - zero);
    },
  };
}

/** [channels, taps] to [blocks, taps / 2, 8 channels, 2]. */
function packWeights(
  packed: Int16Array,
  weights: Int8Array | Uint8Array,
  zeroPoint: number,
  first: number,
  channels: number,
  taps: number,
  rowElements: number,
): void {
  for (let channel = 0; channel < channels; channel++) {
    let to = (channel - (channel % BLOCK)) * rowElements + (channel % BLOCK) * 2;
    const from = (first + channel) * taps;
    for (let tap = 0; tap < taps; tap += 2) {
      packed[to] = (weights[from + tap] as number) - zeroPoint;
      if (tap + 1 < taps) packed[to + 1] = (weights[from + tap + 1] as number) - zeroPoint;
      to += 2 * BLOCK;
    }
  }
}
