/** Data of model inputs and outputs: seeded, given by the user, and as the outside sees them. */
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import type { ManifestPort } from '../commands/manifest.js';

export type PortData = Int8Array | Float32Array;
export type GivenData = Int8Array | Int32Array | Float32Array;

/**
 * docs/numerics.md, "Seeded inputs", in storage order. Frame f of a batch is drawn as the input with index
 * f * (number of inputs) + index would be, so that frames differ.
 */
export function seededFrame(port: ManifestPort, seed: number, index: number): PortData {
  const elements = port.shape.reduce((a, b) => a * b, 1);
  let state = (Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const isInt8 = port.dtype === 'int8';
  const data = isInt8 ? new Int8Array(elements) : new Float32Array(elements);
  for (let i = 0; i < elements; i++) data[i] = isInt8 ? (next() >>> 24) - 128 : next() / 2 ** 31 - 1;
  return data;
}

/** Shape that the outside sees: of one frame. */
export function outsideShape(port: ManifestPort): readonly number[] {
  return port.outsideShape ?? port.outsideAxes?.map((axis) => port.shape[axis] ?? 1) ?? port.shape;
}

/** For each element in outside order, its index in storage order. */
function storageIndexes(port: ManifestPort): Uint32Array {
  const axes = port.outsideAxes ?? port.shape.map((_, axis) => axis);
  const strides = port.shape.map((_, axis) => port.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  let indexes: number[] = [0];
  for (const axis of axes) {
    const [extent, stride] = [port.shape[axis] ?? 1, strides[axis] ?? 1];
    const longer = new Array<number>(indexes.length * extent);
    let at = 0;
    for (const index of indexes) for (let i = 0; i < extent; i++) longer[at++] = index + i * stride;
    indexes = longer;
  }
  return Uint32Array.from(indexes);
}

/** One frame, from storage order to the order that the outside sees. */
export function toOutside(port: ManifestPort, storage: PortData): PortData {
  if (port.outsideAxes === undefined) return storage;
  const outside = storage.slice();
  storageIndexes(port).forEach((from, to) => {
    outside[to] = storage[from] ?? 0;
  });
  return outside;
}

/**
 * Frames in storage order from data in outside order: one frame, used for every frame of the batch, or all frames.
 * Real values for an int8 input are quantised: clamp8(x / scale rounded, halves away from zero, + zero point).
 *
 * @throws SpillwayError SW5002 when number or type of the elements do not fit
 */
export function givenFrames(port: ManifestPort, data: GivenData, batch: number): PortData[] {
  const elements = port.shape.reduce((a, b) => a * b, 1);
  if (data.length !== elements && data.length !== elements * batch) {
    const shape = outsideShape(port).join('x');
    const frames = batch === 1 ? '' : ` for one frame, ${elements * batch} for all ${batch}`;
    throw unfit(port, `has ${data.length} elements; the input is ${shape}, ${elements} elements${frames}`);
  }
  const typed = convert(port, data);
  return Array.from({ length: batch }, (_, frame) => {
    const start = data.length === elements ? 0 : frame * elements;
    const outside = typed.subarray(start, start + elements);
    if (port.outsideAxes === undefined) return outside;
    const storage = outside.slice();
    storageIndexes(port).forEach((to, from) => {
      storage[to] = outside[from] ?? 0;
    });
    return storage;
  });
}

function convert(port: ManifestPort, data: GivenData): PortData {
  if (port.dtype === 'int8' && data instanceof Int8Array) return data;
  if (port.dtype === 'float32' && data instanceof Float32Array) return data;
  if (port.dtype === 'int8' && data instanceof Float32Array && port.quant !== undefined) {
    const { scale, zeroPoint } = port.quant;
    return Int8Array.from(data, (x) => {
      const steps = Math.sign(x) * Math.floor(Math.abs(x) / scale + 0.5);
      return Math.min(127, Math.max(-128, steps + zeroPoint));
    });
  }
  const given = data instanceof Int8Array ? 'int8' : data instanceof Float32Array ? 'float32' : 'int32';
  throw unfit(port, `is ${given}; the input is ${port.dtype}`);
}

function unfit(port: ManifestPort, message: string): SpillwayError {
  const diagnostic: Diagnostic = {
    code: 'SW5002',
    blame: 'input',
    message: `the data for input '${port.name}' ${message}`,
    loc: { file: 'simulate', node: port.name },
  };
  return new SpillwayError([diagnostic]);
}
