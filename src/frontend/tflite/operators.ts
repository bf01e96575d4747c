/** Every operator that is imported, by its name in the schema. */
import { hardSwish, leakyRelu, limits, prelu } from './activation.js';
import type { Importer } from './context.js';
import { conv2d, depthwiseConv2d, fullyConnected } from './convolution.js';
import { binary, dequantize, quantize, softmax } from './elementwise.js';
import { realFunction, sigmoid } from './look-up.js';
import { concatenation, expandDims, pad, reshape, resize, squeeze } from './movement.js';
import { pool, reduce } from './pool.js';
import { depthToSpace, spaceToDepth, transpose } from './rearranging.js';
import { mirrorPad, pack, slice, split, splitV, stridedSlice, unpack } from './slicing.js';

export const IMPORTERS: ReadonlyMap<string, Importer> = new Map<string, Importer>([
  ['ADD', binary('add')],
  ['AVERAGE_POOL_2D', pool('avgPool')],
  ['CONCATENATION', concatenation],
  ['CONV_2D', conv2d],
  ['DEPTHWISE_CONV_2D', depthwiseConv2d],
  ['DEPTH_TO_SPACE', depthToSpace],
  ['DEQUANTIZE', dequantize],
  ['EXPAND_DIMS', expandDims],
  ['FULLY_CONNECTED', fullyConnected],
  ['HARD_SWISH', hardSwish],
  ['LEAKY_RELU', leakyRelu],
  ['LOGISTIC', realFunction('sigmoid', sigmoid)],
  ['MAX_POOL_2D', pool('maxPool')],
  ['MEAN', reduce('mean')],
  ['MIRROR_PAD', mirrorPad],
  ['MUL', binary('mul')],
  ['PACK', pack],
  ['PAD', pad],
  ['PADV2', pad],
  ['PRELU', prelu],
  ['QUANTIZE', quantize],
  ['RELU', limits('relu')],
  ['RELU6', limits('relu6')],
  ['RELU_N1_TO_1', limits('reluN1To1')],
  ['RESHAPE', reshape],
  ['RESIZE_BILINEAR', resize('bilinear')],
  ['RESIZE_NEAREST_NEIGHBOR', resize('nearest')],
  ['SLICE', slice],
  ['SOFTMAX', softmax],
  ['SPACE_TO_DEPTH', spaceToDepth],
  ['SPLIT', split],
  ['SPLIT_V', splitV],
  ['SQUEEZE', squeeze],
  ['STRIDED_SLICE', stridedSlice],
  ['SUB', binary('sub')],
  ['SUM', reduce('sum')],
  ['TANH', realFunction('tanh', Math.tanh)],
  ['TRANSPOSE', transpose],
  ['UNPACK', unpack],
]);
