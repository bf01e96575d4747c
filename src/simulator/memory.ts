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
}

/** What is in SRAM when the machine is switched on is not zero, so that nothing works by accident. */
const POWER_ON = 0xa5;

export function makeMemory(sramBytes: number, dramBytes: number, dramImage: Uint8Array): Memory {
  const buffer = new ArrayBuffer(Math.ceil(sramBytes / 4) * 4);
  const dram = new Uint8Array(dramBytes);
  dram.set(dramImage);
  const bytes = new Uint8Array(buffer).fill(POWER_ON);
  return {
    bytes,
    int8: new Int8Array(buffer),
    int16: new Int16Array(buffer),
    int32: new Int32Array(buffer),
    float32: new Float32Array(buffer),
    view: new DataView(buffer),
    dram,
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
