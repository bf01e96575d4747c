import { type Engine, makeEngine } from './kernels/simd/engine.js';

/** Which kernels do the work: TypeScript alone, or vector instructions of WebAssembly where they can. */
export type Kernels = 'plain' | 'simd';

/** The contents of both memories. The arrays on SRAM share one buffer. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly float32: Float32Array;
  /** For values at any address. */
  readonly view: DataView;
  readonly dram: Uint8Array;
  /** Vector instructions that work on this SRAM in place; undefined for plain kernels, or when SRAM is too large for them. */
  readonly engine: Engine | undefined;
}

/** What is in SRAM when the machine is switched on is not zero, so that nothing works by accident. */
const POWER_ON = 0xa5;

export function makeMemory(sramBytes: number, dramBytes: number, dramImage: Uint8Array, kernels: Kernels): Memory {
  const engine = kernels === 'simd' ? makeEngine(sramBytes) : undefined;
  const length = Math.ceil(sramBytes / 4) * 4;
  const buffer = engine?.memory.buffer ?? new ArrayBuffer(length);
  const dram = new Uint8Array(dramBytes);
  dram.set(dramImage);
  const bytes = new Uint8Array(buffer, 0, length).fill(POWER_ON);
  return {
    bytes,
    int8: new Int8Array(buffer, 0, length),
    int16: new Int16Array(buffer, 0, length / 2),
    int32: new Int32Array(buffer, 0, length / 4),
    float32: new Float32Array(buffer, 0, length / 4),
    view: new DataView(buffer, 0, length),
    dram,
    engine,
  };
}

/** The elements of a type: all of SRAM, indexed in elements. */
export function elementsOf(
  memory: Memory,
  dtype: number,
): Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array {
  if (dtype === 4) return memory.int32;
  if (dtype === 1) return memory.float32;
  if (dtype === 2) return memory.bytes;
  return dtype === 3 ? memory.int16 : memory.int8;
}
