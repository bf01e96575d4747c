import { importConv } from './conv.js';
import { importGemm, importMatMul } from './dense.js';
import {
  importBinary,
  importCast,
  importClip,
  importIdentity,
  importRelu,
  importSoftmax,
  importSum,
  importUnary,
  UNARY_OPERATORS,
} from './elementwise.js';
import {
  importConcat,
  importGather,
  importPad,
  importReshape,
  importSlice,
  importSplit,
  importTranspose,
} from './movement.js';
import { importAveragePool, importGlobalPool, importLrn, importMaxPool } from './pool.js';
import { importDequantizeLinear, importQuantizeLinear } from './quantize-linear.js';
import { importResize } from './resize.js';
import { importBatchNormalization } from './scale-shift.js';
import type { NodeContext, Value } from './value.js';

/**
 * Imports one node whose operands are not all constants; returns the values of its outputs, the first ones at least.
 * @throws UnsupportedForm when this form of the operator is not supported, SpillwayError when the node contradicts itself
 */
export type Importer = (ctx: NodeContext) => readonly Value[];

/** The operators on activations, in the order of the standard's families. */
export const IMPORTERS: ReadonlyMap<string, Importer> = new Map<string, Importer>([
  ['Conv', importConv],
  ['Gemm', importGemm],
  ['MatMul', importMatMul],
  ['BatchNormalization', importBatchNormalization],
  ['LRN', importLrn],
  ['MaxPool', importMaxPool],
  ['AveragePool', importAveragePool],
  ['GlobalAveragePool', importGlobalPool],
  ['GlobalMaxPool', importGlobalPool],
  ['Relu', importRelu],
  ['Clip', importClip],
  ...UNARY_OPERATORS.map((name): [string, Importer] => [name, importUnary]),
  ['Softmax', importSoftmax],
  ['Add', importBinary],
  ['Sub', importBinary],
  ['Mul', importBinary],
  ['Div', importBinary],
  ['Sum', importSum],
  ['Reshape', importReshape],
  ['Flatten', importReshape],
  ['Squeeze', importReshape],
  ['Unsqueeze', importReshape],
  ['Transpose', importTranspose],
  ['Concat', importConcat],
  ['Slice', importSlice],
  ['Split', importSplit],
  ['Gather', importGather],
  ['Pad', importPad],
  ['Resize', importResize],
  ['Upsample', importResize],
  ['QuantizeLinear', importQuantizeLinear],
  ['DequantizeLinear', importDequantizeLinear],
  ['Identity', importIdentity],
  ['Dropout', importIdentity],
  ['Cast', importCast],
]);
