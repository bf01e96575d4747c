import { dotProductModule } from './dot-product-module.js';

type MultiplyFunction = (x: number, w: number, out: number, pixels: number, channels: number, rowBytes: number) => void;

/** Matrices for a product of int16 rows. Valid until the next call of `matrices`: they share one memory. */
export interface Matrices {
  readonly rowElements: number; // elements of a row with its padding, which must be 0
  readonly channelsPadded: number; // int32 from a pixel of the sums to the next
  readonly patches: Int16Array; // [pixels, rowElements]
  readonly weights: Int16Array; // [channels, rowElements]
  readonly sums: Int32Array; // [pixels, channelsPadded]
  multiply(pixels: number): void;
}

const PAGE_BYTES = 65536;

interface Engine {
  readonly memory: WebAssembly.Memory;
  readonly multiply: MultiplyFunction;
}

let engine: Engine | undefined;

/** Compiled once; its memory only grows. A cache, not state: results never depend on what was there before. */
function theEngine(): Engine {
  if (engine !== undefined) return engine;
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(dotProductModule()), { e: { m: memory } });
  const exported = instance.exports.f;
  if (!isMultiply(exported)) throw new Error('the module does not export its function');
  engine = { memory, multiply: exported };
  return engine;
}

function isMultiply(value: unknown): value is MultiplyFunction {
  return typeof value === 'function';
}

/** Room for a product of `pixels` rows with `channels` rows of `elements` each, all zero. */
export function matrices(pixels: number, channels: number, elements: number): Matrices {
  const rowElements = Math.ceil(elements / 8) * 8;
  const pixelsPadded = Math.ceil(pixels / 2) * 2;
  const channelsPadded = Math.ceil(channels / 4) * 4;
  const patchBytes = pixelsPadded * rowElements * 2;
  const weightBytes = channelsPadded * rowElements * 2;
  const sumBytes = pixelsPadded * channelsPadded * 4;
  const { memory, multiply } = theEngine();
  const missing = patchBytes + weightBytes + sumBytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  const sumsAt = patchBytes + weightBytes;
  const { buffer } = memory;
  return {
    rowElements,
    channelsPadded,
    patches: new Int16Array(buffer, 0, patchBytes / 2).fill(0),
    weights: new Int16Array(buffer, patchBytes, weightBytes / 2).fill(0),
    sums: new Int32Array(buffer, sumsAt, sumBytes / 4),
    multiply(count) {
      multiply(0, patchBytes, sumsAt, Math.ceil(count / 2) * 2, channelsPadded, rowElements * 2);
    },
  };
}
