/** Every operator that is imported, by its name in the schema. */
import { hardSwish, leakyRelu, limits, prelu } from './activation.js';
import { batchToSpace, spaceToBatch } from './batches-of-space.js';
import { addMany, cumulativeSum, localResponseNormalization, reverse, reverseSequence, topK } from './by-position.js';
import { imaginaryPart, magnitude, realPart, rfft } from './complex.js';
import type { Importer } from './context.js';
import { conv3d } from './conv-3d.js';
import { conv2d, depthwiseConv2d, fullyConnected } from './convolution.js';
import { detectionPostProcess } from './detection.js';
import { binary, cast, densify, dequantize, quantize, softmax } from './elementwise.js';
import { rank, shape, zeros } from './fold.js';
import {
  abs,
  batchMatMul,
  binaryFunction,
  extremum,
  gelu,
  logSoftmax,
  select,
  sqrt,
  unaryFunction,
} from './functions.js';
import { broadcastTo, embeddingLookup, gather, gatherNd, tile } from './gather.js';
import { l2Normalization } from './l2-normalization.js';
import { sigmoid } from './look-up.js';
import { bidirectionalLstm, lstm } from './lstm.js';
import { concatenation, expandDims, pad, reshape, resize, squeeze } from './movement.js';
import { nonMaxSuppression } from './non-max-suppression.js';
import { oneHot } from './one-hot.js';
import { l2Pool, pool } from './pool.js';
import { depthToSpace, spaceToDepth, transpose } from './rearranging.js';
import { argument, reduce } from './reductions.js';
import { bidirectionalRnn, rnn, sequenceRnn } from './rnn.js';
import { rsqrt } from './rsqrt.js';
import { scatterNd, sparseToDense } from './scatter.js';
import { mirrorPad, pack, slice, split, splitV, stridedSlice, unpack } from './slicing.js';
import { squaredDifference } from './squared-difference.js';
import { svdf } from './svdf.js';
import { transposeConv } from './transpose-conv.js';
import { dynamicUpdateSlice } from './update-slice.js';
import { assignVariable, callOnce, readVariable } from './variables.js';

export const IMPORTERS: ReadonlyMap<string, Importer> = new Map<string, Importer>([
  ['ABS', abs],
  ['ADD', binary('add')],
  ['ADD_N', addMany],
  ['ARG_MAX', argument('argMax')],
  ['ARG_MIN', argument('argMin')],
  ['ASSIGN_VARIABLE', assignVariable],
  ['AVERAGE_POOL_2D', pool('avgPool')],
  ['BATCH_MATMUL', batchMatMul],
  ['BATCH_TO_SPACE_ND', batchToSpace],
  ['BROADCAST_TO', broadcastTo],
  ['CALL_ONCE', callOnce],
  ['CAST', cast],
  ['CEIL', unaryFunction('ceil')],
  ['COMPLEX_ABS', magnitude],
  ['CONCATENATION', concatenation],
  ['CONV_2D', conv2d],
  ['CONV_3D', conv3d],
  ['COS', unaryFunction('cos')],
  ['CUSTOM:TFLite_Detection_PostProcess', detectionPostProcess],
  ['CUMSUM', cumulativeSum],
  ['DENSIFY', densify],
  ['DEPTHWISE_CONV_2D', depthwiseConv2d],
  ['DEPTH_TO_SPACE', depthToSpace],
  ['DEQUANTIZE', dequantize],
  ['DIV', binaryFunction('div')],
  ['DYNAMIC_UPDATE_SLICE', dynamicUpdateSlice],
  ['ELU', unaryFunction('elu', (x) => (x < 0 ? Math.expm1(x) : x))],
  ['EMBEDDING_LOOKUP', embeddingLookup],
  ['EQUAL', binaryFunction('equal')],
  ['EXP', unaryFunction('exp', Math.exp)],
  ['EXPAND_DIMS', expandDims],
  ['FLOOR', unaryFunction('floor')],
  ['FLOOR_DIV', binaryFunction('div', 'floor')],
  ['FLOOR_MOD', binaryFunction('mod')],
  ['FULLY_CONNECTED', fullyConnected],
  ['GATHER', gather],
  ['GATHER_ND', gatherNd],
  ['GELU', gelu],
  ['GREATER', binaryFunction('greater')],
  ['GREATER_EQUAL', binaryFunction('greaterOrEqual')],
  ['HARD_SWISH', hardSwish],
  ['IMAG', imaginaryPart],
  ['L2_NORMALIZATION', l2Normalization],
  ['L2_POOL_2D', l2Pool],
  ['LEAKY_RELU', leakyRelu],
  ['LESS', binaryFunction('less')],
  ['LESS_EQUAL', binaryFunction('lessOrEqual')],
  ['LOG', unaryFunction('log', Math.log)],
  ['LOCAL_RESPONSE_NORMALIZATION', localResponseNormalization],
  ['LOGICAL_AND', binaryFunction('and')],
  ['LOGICAL_NOT', unaryFunction('not')],
  ['LOGICAL_OR', binaryFunction('or')],
  ['LOGISTIC', unaryFunction('sigmoid', sigmoid)],
  ['LOG_SOFTMAX', logSoftmax],
  ['MAXIMUM', extremum('max')],
  ['MAX_POOL_2D', pool('maxPool')],
  ['MEAN', reduce('mean')],
  ['MINIMUM', extremum('min')],
  ['MIRROR_PAD', mirrorPad],
  ['MUL', binary('mul')],
  ['NEG', unaryFunction('neg')],
  ['NON_MAX_SUPPRESSION_V4', nonMaxSuppression],
  ['NON_MAX_SUPPRESSION_V5', nonMaxSuppression],
  ['NOT_EQUAL', binaryFunction('equal', 'not')],
  ['ONE_HOT', oneHot],
  ['PACK', pack],
  ['PAD', pad],
  ['PADV2', pad],
  ['POW', binaryFunction('pow')],
  ['PRELU', prelu],
  ['QUANTIZE', quantize],
  ['RANK', rank],
  ['READ_VARIABLE', readVariable],
  ['REAL', realPart],
  ['REDUCE_ALL', reduce('min')],
  ['REDUCE_ANY', reduce('max')],
  ['REDUCE_MAX', reduce('max')],
  ['REDUCE_MIN', reduce('min')],
  ['REDUCE_PROD', reduce('prod')],
  ['RELU', limits('relu')],
  ['RELU_0_TO_1', limits('relu0To1')],
  ['RELU6', limits('relu6')],
  ['RELU_N1_TO_1', limits('reluN1To1')],
  ['RESHAPE', reshape],
  ['RESIZE_BILINEAR', resize('bilinear')],
  ['RESIZE_NEAREST_NEIGHBOR', resize('nearest')],
  ['REVERSE_SEQUENCE', reverseSequence],
  ['REVERSE_V2', reverse],
  ['RFFT2D', rfft],
  ['ROUND', unaryFunction('round')],
  ['RSQRT', rsqrt],
  ['SCATTER_ND', scatterNd],
  ['SELECT', select],
  ['SELECT_V2', select],
  ['SHAPE', shape],
  ['SIGN', unaryFunction('sign')],
  ['SIN', unaryFunction('sin')],
  ['SLICE', slice],
  ['SOFTMAX', softmax],
  ['SPACE_TO_BATCH_ND', spaceToBatch],
  ['SPACE_TO_DEPTH', spaceToDepth],
  ['SPARSE_TO_DENSE', sparseToDense],
  ['SPLIT', split],
  ['SPLIT_V', splitV],
  ['SQRT', sqrt],
  ['SQUARE', unaryFunction('square')],
  ['SQUARED_DIFFERENCE', squaredDifference],
  ['SQUEEZE', squeeze],
  ['STRIDED_SLICE', stridedSlice],
  ['SUB', binary('sub')],
  ['SUM', reduce('sum')],
  ['SVDF', svdf],
  ['TANH', unaryFunction('tanh', Math.tanh)],
  ['TILE', tile],
  ['TOPK_V2', topK],
  ['TRANSPOSE', transpose],
  ['TRANSPOSE_CONV', transposeConv],
  ['LSTM', lstm],
  ['UNIDIRECTIONAL_SEQUENCE_LSTM', lstm],
  ['RNN', rnn],
  ['UNIDIRECTIONAL_SEQUENCE_RNN', sequenceRnn],
  ['BIDIRECTIONAL_SEQUENCE_RNN', bidirectionalRnn],
  ['BIDIRECTIONAL_SEQUENCE_LSTM', bidirectionalLstm],
  ['UNPACK', unpack],
  ['ZEROS_LIKE', zeros],
]);
