import { ARITHMETIC_OPERATORS, importArithmetic, importMean, importWhere } from './arithmetic.js';
import { ATTENTION } from './attention.js';
import { importMatMulNBits } from './block-quantized.js';
import { BY_INDEX } from './by-index.js';
import { COMPOSITIONS } from './compositions.js';
import { importConv } from './conv.js';
import { importGemm, importMatMul } from './dense.js';
import { importDynamicQuantizeLinear, importIntegerProduct } from './dynamic-quantization.js';
import { importEinsum } from './einsum.js';
import {
  importBinary,
  importCast,
  importClip,
  importDropout,
  importIdentity,
  importRelu,
  importSelu,
  importSum,
  importUnary,
  UNARY_OPERATORS,
} from './elementwise.js';
import { FUNCTIONS } from './functions.js';
import { importDepthToSpace, importExpand, importTile } from './gather.js';
import { importGridSample } from './grid-sample.js';
import {
  importConcat,
  importGather,
  importPad,
  importRecurrentCell,
  importReshape,
  importSlice,
  importSplit,
  importTranspose,
  importTransposedConv,
} from './movement.js';
import { importAveragePool, importGlobalPool, importLrn, importMaxPool } from './pool.js';
import { importDequantizeLinear, importQuantizeLinear } from './quantize-linear.js';
import {
  importArgument,
  importInstanceNormalization,
  importLayerNormalization,
  importReduce,
  REDUCE_OPERATORS,
} from './reduce.js';
import { importResize } from './resize.js';
import { REVERSALS } from './reversals.js';
import { importBatchNormalization } from './scale-shift.js';
import { SCATTERS } from './scatter.js';
import { importLogSoftmax, importSoftmax } from './softmax.js';
import { SPECTRA } from './spectra.js';
import { importMaxUnpool } from './unpool.js';
import type { NodeContext, Value } from './value.js';

/**
 * Imports one node whose operands are not all constants; returns the values of its outputs, the first ones at least.
 * @throws UnsupportedForm when this form of the operator is not supported, SpillwayError when the node contradicts itself
 */
export type Importer = (ctx: NodeContext) => readonly Value[];

/** Operators that also take constants only: what they are spelled out in is computed then. */
export const COMPOSED: ReadonlySet<string> = new Set(
  [...COMPOSITIONS, ...BY_INDEX, ...FUNCTIONS, ...SPECTRA, ...SCATTERS, ...REVERSALS].map(([name]) => name),
);

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
  ['LogSoftmax', importLogSoftmax],
  ['Selu', importSelu],
  ...ARITHMETIC_OPERATORS.map((name): [string, Importer] => [name, importArithmetic]),
  ['Where', importWhere],
  ['Mean', importMean],
  ...REDUCE_OPERATORS.map((name): [string, Importer] => [name, importReduce]),
  ['ArgMax', importArgument],
  ['ArgMin', importArgument],
  ['LayerNormalization', importLayerNormalization],
  ['RMSNormalization', importLayerNormalization],
  ['SimplifiedLayerNormalization', importLayerNormalization],
  ['InstanceNormalization', importInstanceNormalization],
  ['GroupNormalization', importInstanceNormalization],
  ['Einsum', importEinsum],
  ['LSTM', importRecurrentCell],
  ['GRU', importRecurrentCell],
  ['RNN', importRecurrentCell],
  ['ConvTranspose', importTransposedConv],
  ['DepthToSpace', importDepthToSpace],
  ['SpaceToDepth', importDepthToSpace],
  ['Expand', importExpand],
  ['Tile', importTile],
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
  ['DynamicQuantizeLinear', importDynamicQuantizeLinear],
  ['MatMulInteger', importIntegerProduct(importMatMul)],
  ['ConvInteger', importIntegerProduct(importConv)],
  ...COMPOSITIONS,
  ...FUNCTIONS,
  ...SPECTRA,
  ...SCATTERS,
  ...REVERSALS,
  ['com.microsoft::MatMulNBits', importMatMulNBits],
  ['GridSample', importGridSample],
  ['MaxUnpool', importMaxUnpool],
  ...BY_INDEX,
  ...ATTENTION,
  ['Identity', importIdentity],
  ['Dropout', importDropout],
  ['Cast', importCast],
]);
