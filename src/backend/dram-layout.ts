/** Where everything lies in DRAM: constants first (they are the image that ships), then inputs, outputs, spilled activations. */
import type { Manifest } from '../commands/manifest.js';
import { sizeBytes, storageOf, tensorOf } from '../ir/facts.js';
import { type ConstantData, DTYPE_BYTES, type Op, type Program, type Tensor, type TensorId } from '../ir/types.js';
import { type Layer, scaleBytes } from '../schedule/layer.js';
import type { Schedule } from '../schedule/schedule.js';
import { alignUp } from '../schedule/tiling.js';

const DRAM_ALIGNMENT_BYTES = 64;

export interface DramLayout {
  /** By step: address of the layer's constants, -1 without any. */
  readonly weightAddresses: readonly number[];
  readonly group: number; // of the frames that the addresses of inputs and outputs are for
  readonly rootAddresses: ReadonlyMap<TensorId, number>;
  /** Frame f of a root begins this many bytes after frame f - 1. */
  readonly frameStrideBytes: ReadonlyMap<TensorId, number>;
  readonly regions: Manifest['regions'];
  readonly constantBytes: number; // of the image that ships
  readonly endAddress: number; // first free address: the code goes there
}

export function layOutDram(schedule: Schedule): DramLayout {
  const { batch, groups } = schedule;
  const regions: Manifest['regions'] = [];
  let address = 0;
  const weightAddresses = schedule.layers.map(({ layer }) => {
    if (layer.weights.totalBytes === 0) return -1;
    const at = address;
    regions.push({ name: layer.op.name, class: 'weights', dramAddress: at, bytes: layer.weights.totalBytes });
    address = alignUp(at + layer.weights.totalBytes, DRAM_ALIGNMENT_BYTES);
    return at;
  });
  // Constants that are operands like any other tensor.
  const rootAddresses = new Map<TensorId, number>();
  const frameStrideBytes = new Map<TensorId, number>();
  const operands = [...schedule.roots.values()].filter(({ role }) => role === 'constant');
  for (const { root, name, sizeBytes } of operands) {
    rootAddresses.set(root, address);
    frameStrideBytes.set(root, 0);
    regions.push({ name, class: 'weights', dramAddress: address, bytes: sizeBytes });
    address = alignUp(address + sizeBytes, DRAM_ALIGNMENT_BYTES);
  }
  // States: one place for the value that is read and the next one, with zeros to begin with.
  for (const { input, output } of schedule.states) {
    const tensor = tensorOf(schedule.program, input);
    const bytes = sizeBytes(tensor);
    for (const root of [input, output]) {
      rootAddresses.set(root, address);
      frameStrideBytes.set(root, 0);
    }
    regions.push({ name: tensor.name, class: 'activations', dramAddress: address, bytes });
    address = alignUp(address + bytes, DRAM_ALIGNMENT_BYTES);
  }
  const constantBytes = address;
  const roots = [...schedule.roots.values()].filter((root) => root.inDram);
  for (const role of ['input', 'output', 'activation'] as const) {
    for (const root of roots) {
      if (root.role !== role) continue;
      const stride = alignUp(root.sizeBytes, DRAM_ALIGNMENT_BYTES);
      // A model input or output has a place for each frame of the period, any other for those that run together.
      const frames = role === 'activation' ? batch : batch * groups;
      const bytes = stride * (frames - 1) + root.sizeBytes;
      rootAddresses.set(root.root, address);
      frameStrideBytes.set(root.root, stride);
      regions.push({
        name: root.name,
        class: role === 'activation' ? 'activations' : role,
        dramAddress: address,
        bytes,
      });
      address = alignUp(address + bytes, DRAM_ALIGNMENT_BYTES);
    }
  }
  return { weightAddresses, group: 0, rootAddresses, frameStrideBytes, regions, constantBytes, endAddress: address };
}

/** dram.bin: constants, and zeros for what states are to begin with. Of plans that are compared, only the one taken needs it. */
export function dramImage({ program, layers, roots, states }: Schedule, layout: DramLayout): Uint8Array {
  const image = new Uint8Array(layout.constantBytes);
  for (const { input } of states) {
    const tensor = tensorOf(program, input);
    writeZeros(tensor, image, layout.rootAddresses.get(input) ?? 0, sizeBytes(tensor));
  }
  for (const { root, role } of roots.values())
    if (role === 'constant') image.set(bytesOf(constant(program, root)), layout.rootAddresses.get(root));
  layers.forEach(({ layer }, t) => {
    const at = layout.weightAddresses[t] ?? -1;
    if (at >= 0) writeConstants(program, layer, image.subarray(at, at + layer.weights.totalBytes));
  });
  return image;
}

/** Elements that stand for 0. */
function writeZeros(tensor: Tensor, image: Uint8Array, at: number, bytes: number): void {
  const zeroPoint = tensor.quant?.zeroPoint ?? 0;
  if (zeroPoint === 0) return;
  if (DTYPE_BYTES[tensor.dtype] === 1) image.fill(zeroPoint & 0xff, at, at + bytes);
  else new Int16Array(image.buffer, at, bytes / 2).fill(zeroPoint);
}

/** The layout as a later group of frames sees it: model inputs and outputs are further on. */
export function layoutOfGroup(schedule: Schedule, layout: DramLayout, group: number): DramLayout {
  if (group === 0) return layout;
  const rootAddresses = new Map(layout.rootAddresses);
  for (const { root, role } of schedule.roots.values()) {
    const address = layout.rootAddresses.get(root);
    if (address === undefined || (role !== 'input' && role !== 'output')) continue;
    rootAddresses.set(root, address + group * schedule.batch * (layout.frameStrideBytes.get(root) ?? 0));
  }
  return { ...layout, group, rootAddresses };
}

/** Tables, then a record per output channel; the layout that the `conv` command's `records` field documents. */
function writeConstants(program: Program, layer: Layer, target: Uint8Array): void {
  let offset = 0;
  for (const table of tablesOf(program, layer.op)) {
    target.set(bytesOf(table), offset);
    offset += table.byteLength;
  }
  if (layer.weights.channels === 0) return;
  const [, weightsId, biasId, requantId] = layer.op.inputs;
  const weights = bytesOf(constant(program, weightsId));
  const bias = bytesOf(constant(program, biasId));
  const requant = requantId === undefined ? undefined : constant(program, requantId);
  const scale = scaleBytes(program, layer.op);
  const rowBytes = weights.length / layer.weights.channels;
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  for (let m = 0; m < layer.weights.channels; m += 1) {
    target.set(bias.subarray(m * 4, m * 4 + 4), offset);
    offset += 4;
    if (requant instanceof Float32Array) {
      view.setFloat32(offset, requant[m] ?? 0, true);
      offset += 4;
    } else if (requant !== undefined) {
      const multiplier = requant[2 * m] ?? 0;
      const shift = requant[2 * m + 1] ?? 0;
      if (scale === 4) view.setUint32(offset, ((multiplier >>> 7) | (shift << 24)) >>> 0, true);
      else {
        view.setInt32(offset, multiplier, true);
        view.setInt8(offset + 4, shift);
      }
      offset += scale;
    }
    target.set(weights.subarray(m * rowBytes, (m + 1) * rowBytes), offset);
    offset += rowBytes;
  }
}

/** The tables of a layer in the order in which they lie: the operator's own, then its epilogue's. */
export function tablesOf(program: Program, op: Op): ConstantData[] {
  const tables: ConstantData[] = [];
  const own = op.kind === 'lut' || op.kind === 'softmax' || op.kind === 'lrn' ? op.inputs[1] : undefined;
  if (own !== undefined) tables.push(constant(program, own));
  if (op.kind === 'recurrent' && op.inputs[2] !== undefined) tables.push(constant(program, op.inputs[2]));
  if (op.kind === 'layerNorm') for (const id of op.inputs.slice(1)) tables.push(constant(program, id));
  for (const stage of op.epilogue) if (stage.kind === 'lut') tables.push(constant(program, stage.table));
  return tables;
}

function constant(program: Program, id: TensorId | undefined): ConstantData {
  const data = id === undefined ? undefined : program.constants.get(id);
  if (data === undefined) throw new Error(`%${id} is not a constant of ${program.name}`);
  return data;
}

/** Little endian, as every machine that runs Node is. */
function bytesOf(data: ConstantData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** DRAM address of a tensor that may be a slice of a root. */
export function dramAddressOf(schedule: Schedule, layout: DramLayout, id: TensorId): number {
  const tensor = tensorOf(schedule.program, id);
  const storage = storageOf(tensor);
  return (layout.rootAddresses.get(storage.root) ?? 0) + storage.offsetElements * DTYPE_BYTES[tensor.dtype];
}
