/** The parts of a TFLite file that the importer needs, every index in them checked. Constants stay views of the file. */
import type { SourceLoc } from '../../base/diagnostic.js';
import { FlatFile, type FlatTable } from './flat-table.js';
import { malformed } from './problems.js';
import {
  BUFFER,
  MODEL,
  OPERATOR,
  OPERATOR_CODE,
  operatorName,
  QUANTIZATION,
  SUBGRAPH,
  TENSOR,
  type TensorType,
  tensorType,
} from './schema.js';

export interface TfliteQuantization {
  readonly scales: readonly number[]; // float32 values
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

export interface TfliteTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** The shape with -1 for extents that are open; the shape itself has those of an example. Empty where all are known. */
  readonly signature: readonly number[];
  /** Elements of a constant; undefined for what is computed or fed. */
  readonly bytes: Uint8Array | undefined;
  readonly quantization: TfliteQuantization | undefined;
  readonly isVariable: boolean;
  /** How the elements of a constant are stored, if not all of them are. */
  readonly sparsity: FlatTable | undefined;
}

export interface TfliteOperator {
  readonly index: number;
  readonly operator: string; // as in the schema; CUSTOM:name for custom ones
  readonly version: number;
  readonly inputs: readonly number[]; // -1 for an operand that is left out
  readonly outputs: readonly number[];
  readonly intermediates: readonly number[];
  readonly options: FlatTable | undefined;
  readonly options2: FlatTable | undefined;
  readonly customOptions: Uint8Array;
  readonly loc: SourceLoc;
}

export interface TfliteGraph {
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface TfliteModel {
  readonly file: string;
  readonly graphs: readonly TfliteGraph[]; // the first is the model, others are called by operators
}

const IDENTIFIER = 'TFL3';
const MAX_RANK = 8;
export const MAX_ELEMENTS = 2 ** 31;

interface Context {
  readonly flat: FlatFile;
  readonly loc: SourceLoc;
  readonly buffers: readonly (Uint8Array | undefined)[];
  readonly codes: readonly { readonly operator: string; readonly version: number }[];
}

/** @throws SpillwayError SW2101 to SW2104, SW2108 to SW2110 */
export function readModel(bytes: Uint8Array, file: string): TfliteModel {
  const loc = { file };
  const flat = new FlatFile(bytes, file);
  if (bytes.length < 8 || new TextDecoder().decode(bytes.subarray(4, 8)) !== IDENTIFIER) {
    malformed('SW2101', loc, `not a TFLite file: the mark ${IDENTIFIER} is not at byte 4 of its ${bytes.length} B`);
  }
  const root = flat.root();
  const codes = root.tables(MODEL.operatorCodes).map((code) => {
    // The first field is a byte and ends at 127; later files have the whole number in the other one.
    const builtin = Math.max(code.int8(OPERATOR_CODE.oldBuiltinCode), code.int32(OPERATOR_CODE.builtinCode));
    const name = operatorName(builtin);
    const operator = name === 'CUSTOM' ? `CUSTOM:${code.string(OPERATOR_CODE.customCode)}` : name;
    return { operator, version: code.int32(OPERATOR_CODE.version, 1) };
  });
  const buffers = root.tables(MODEL.buffers).map((buffer) => bufferBytes(buffer, flat));
  const context: Context = { flat, loc, buffers, codes };
  const graphs = root.tables(MODEL.subgraphs).map((graph) => readGraph(graph, context));
  if (graphs.length === 0) malformed('SW2102', loc, 'the file holds no graph');
  return { file, graphs };
}

/** Data inside the flatbuffer, or for large files behind it. */
function bufferBytes(buffer: FlatTable, flat: FlatFile): Uint8Array | undefined {
  const inside = buffer.bytes(BUFFER.data);
  if (inside.length > 0) return inside;
  const start = buffer.uint64(BUFFER.offset);
  if (start <= 1) return undefined;
  const size = buffer.uint64(BUFFER.size);
  flat.check(start, size);
  return flat.bytes.subarray(start, start + size);
}

function readGraph(table: FlatTable, context: Context): TfliteGraph {
  const tensors = table.tables(SUBGRAPH.tensors).map((tensor, index) => readTensor(tensor, index, context));
  const known = (indices: readonly number[], least: number, what: string): readonly number[] => {
    for (const index of indices) {
      if (index >= least && index < tensors.length) continue;
      malformed('SW2103', context.loc, `${what} tensor ${index}, and the graph has ${tensors.length} tensors`);
    }
    return indices;
  };
  const operators = table.tables(SUBGRAPH.operators).map((operator, index): TfliteOperator => {
    const code = context.codes[operator.uint32(OPERATOR.codeIndex)];
    if (code === undefined) {
      const message = `operator ${index} is of kind ${operator.uint32(OPERATOR.codeIndex)}, and the file has ${context.codes.length} kinds`;
      return malformed('SW2103', context.loc, message);
    }
    const where = `operator ${index} (${code.operator})`;
    return {
      index,
      ...code,
      inputs: known(operator.int32s(OPERATOR.inputs), -1, `${where} reads`),
      outputs: known(operator.int32s(OPERATOR.outputs), 0, `${where} makes`),
      intermediates: known(operator.int32s(OPERATOR.intermediates), -1, `${where} has as intermediate`),
      options: operator.table(OPERATOR.options),
      options2: operator.table(OPERATOR.options2),
      customOptions: operator.bytes(OPERATOR.customOptions),
      loc: { ...context.loc, node: `${index}:${code.operator}` },
    };
  });
  return {
    tensors,
    operators,
    inputs: known(table.int32s(SUBGRAPH.inputs), 0, 'the graph has as input'),
    outputs: known(table.int32s(SUBGRAPH.outputs), 0, 'the graph has as output'),
  };
}

function readTensor(table: FlatTable, index: number, context: Context): TfliteTensor {
  const name = table.string(TENSOR.name) || `tensor ${index}`;
  const loc = { ...context.loc, node: name };
  const code = table.int8(TENSOR.type);
  const type = tensorType(code) ?? malformed('SW2108', loc, `tensor '${name}' has the unknown element type ${code}`);
  const shape = table.int32s(TENSOR.shape);
  checkShape(shape, name, loc);
  const bufferIndex = table.uint32(TENSOR.buffer);
  if (bufferIndex >= context.buffers.length) {
    const message = `tensor '${name}' has its data in buffer ${bufferIndex}, and the file has ${context.buffers.length}`;
    malformed('SW2103', loc, message);
  }
  const quantization = table.table(TENSOR.quantization);
  return {
    name,
    type,
    shape,
    signature: table.int32s(TENSOR.shapeSignature),
    bytes: context.buffers[bufferIndex],
    quantization: quantization === undefined ? undefined : readQuantization(quantization, name, loc),
    isVariable: table.bool(TENSOR.isVariable),
    sparsity: table.table(TENSOR.sparsity),
  };
}

function checkShape(shape: readonly number[], name: string, loc: SourceLoc): void {
  let elements = 1;
  for (const extent of shape) {
    if (extent < 0)
      malformed('SW2106', loc, `tensor '${name}' [${shape.join(', ')}] has a dimension that is not known`);
    elements *= extent;
  }
  if (shape.length <= MAX_RANK && elements <= MAX_ELEMENTS) return;
  const message = `tensor '${name}' has ${elements} elements in ${shape.length} dimensions; at most ${MAX_ELEMENTS} in ${MAX_RANK} are accepted`;
  malformed('SW2110', loc, message);
}

function readQuantization(table: FlatTable, name: string, loc: SourceLoc): TfliteQuantization | undefined {
  const scales = table.float32s(QUANTIZATION.scale);
  const zeroPoints = table.int64s(QUANTIZATION.zeroPoint);
  if (scales.length === 0) return undefined;
  // A scale of 0 is what converters write for a tensor whose values are all 0.
  const unusable = scales.find((scale) => !(Number.isFinite(scale) && scale >= 0));
  if (unusable !== undefined) malformed('SW2109', loc, `tensor '${name}' has the scale ${unusable}`);
  if (zeroPoints.length > 0 && zeroPoints.length !== scales.length) {
    malformed('SW2109', loc, `tensor '${name}' has ${scales.length} scales and ${zeroPoints.length} zero points`);
  }
  const filled = zeroPoints.length > 0 ? zeroPoints : scales.map(() => 0);
  return { scales, zeroPoints: filled, axis: table.int32(QUANTIZATION.axis) };
}
